"""What is kept of KPIs: the day under way by camera, every day by county, days that are over by canteen as well."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from engine.indicators import CameraFacts, CameraPlace, Counts, DayCounts, KpiChanges
from engine.record.tables import cameras, kpi_cameras, kpi_canteens, kpi_counties
from engine.types import KeyPoint

Transaction = Connection
"""The one in which the writer writes its records."""
_CHUNK_ROWS = 500
FORGOTTEN_ROWS = 2000
"""Rows of cameras on days that are over, taken away with one batch; a day of a province is gone within a minute."""
_FLAGS = ("visited", "measured", "online", "clear", "unobstructed", "in_hours")


class Kpis:
    """The KPIs of one database. Any thread may read; `put` belongs in the writer's transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._forgotten = False

    def put(self, transaction: Transaction, changes: KpiChanges, keep_days: int) -> None:
        """Write what has changed; of counties and canteens the last `keep_days` days are kept."""
        for begin in range(0, len(changes.removed), _CHUNK_ROWS):
            gone = sa.tuple_(kpi_cameras.c.day, kpi_cameras.c.camera_id).in_(
                changes.removed[begin : begin + _CHUNK_ROWS]
            )
            transaction.execute(sa.delete(kpi_cameras).where(gone))
        _upsert(transaction, kpi_cameras, [_camera_row(*one, facts) for one, facts in changes.cameras.items()])
        counties = [{"day": day, "county": one, **counts._asdict()} for (day, one), counts in changes.counties.items()]
        _upsert(transaction, kpi_counties, counties)
        canteens = [{"day": day, "county": one, "body": _pack(rows)} for (day, one), rows in changes.canteens.items()]
        _upsert(transaction, kpi_canteens, canteens)
        if changes.closed:
            self._forgotten = False
            for table in (kpi_counties, kpi_canteens):
                transaction.execute(sa.delete(table).where(table.c.day <= max(changes.closed) - keep_days))
        if not self._forgotten:
            self._forgotten = self._forget_some(transaction)

    def restore(self, today: int) -> Iterator[tuple[int, dict[str, CameraFacts]]]:
        """Days that were under way at the last stop, oldest first, with what they have shown of each camera."""
        over = sa.select(kpi_canteens.c.day).distinct()
        days = sa.select(kpi_cameras.c.day).distinct().where(kpi_cameras.c.day <= today)
        with self._engine.connect() as connection:
            for day in connection.scalars(days.where(kpi_cameras.c.day.not_in(over)).order_by(kpi_cameras.c.day)).all():
                rows = connection.execute(sa.select(kpi_cameras).where(kpi_cameras.c.day == day))
                yield day, {row.camera_id: _facts(row) for row in rows}

    def span(self) -> tuple[date, date] | None:
        """First and last day there are counts of; None before any."""
        query = sa.select(sa.func.min(kpi_counties.c.day), sa.func.max(kpi_counties.c.day))
        with self._engine.connect() as connection:
            first, last = connection.execute(query).one()
        return None if first is None else (date.fromordinal(first), date.fromordinal(last))

    def counties(self, first: date, last: date, region_prefix: str = "") -> Iterator[DayCounts]:
        """Counts by day and county."""
        query = sa.select(kpi_counties).where(*_within(kpi_counties, first, last, region_prefix))
        with self._engine.connect() as connection:
            for day, county, *counts in connection.execute(query):
                yield DayCounts(day, county, "", Counts(*counts))

    def canteens(self, first: date, last: date, region_prefix: str = "") -> Iterator[DayCounts]:
        """Counts by day, county and canteen, of days that are over."""
        query = sa.select(kpi_canteens).where(*_within(kpi_canteens, first, last, region_prefix))
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                for canteen, counts in _unpack(row.body).items():
                    yield DayCounts(row.day, row.county, canteen, counts)

    def under_way(
        self, first: date, last: date, region_prefix: str = ""
    ) -> Iterator[tuple[int, dict[str, CameraPlace], dict[str, CameraFacts]]]:
        """Days that are not over yet: day, places as the registry has them now, facts; both by camera id."""
        counted = sa.select(kpi_counties.c.day).distinct().where(*_within(kpi_counties, first, last, ""))
        over = sa.select(kpi_canteens.c.day).distinct()
        columns = ("camera_id", "region", "site_id", "site_name", "key_point", "required", "enabled")
        here = cameras.c.region.startswith(region_prefix, autoescape=True)
        with self._engine.connect() as connection:
            days = connection.scalars(counted.where(kpi_counties.c.day.not_in(over))).all()
            if not days:
                return
            places: dict[str, CameraPlace] = {}
            for row in connection.execute(sa.select(*(cameras.c[name] for name in columns)).where(here)):
                places[row.camera_id] = CameraPlace.of(
                    region=row.region,
                    site_id=row.site_id,
                    site_name=row.site_name,
                    key_point=KeyPoint(row.key_point),
                    required=row.required,
                    enabled=row.enabled,
                )
            for day in sorted(days):
                joined = kpi_cameras.join(cameras, kpi_cameras.c.camera_id == cameras.c.camera_id)
                query = sa.select(kpi_cameras).select_from(joined).where(kpi_cameras.c.day == day, here)
                yield day, places, {row.camera_id: _facts(row) for row in connection.execute(query)}

    def names(self, region_prefix: str = "") -> dict[str, str]:
        """Names of canteens, as the registry has them now; of several the first in order."""
        columns = (cameras.c.region, cameras.c.site_id, cameras.c.site_name)
        query = sa.select(*columns).distinct().where(cameras.c.region.startswith(region_prefix, autoescape=True))
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for region, site_id, site_name in connection.execute(query.order_by(cameras.c.site_name.desc())):
                if site_name:
                    found[site_id or f"{region}/{site_name}"] = site_name
        return found

    def _forget_some(self, connection: Connection) -> bool:
        """Rows of cameras on days that are over go in small steps; True when none is left."""
        over = sa.select(kpi_canteens.c.day).distinct()
        key = (kpi_cameras.c.day, kpi_cameras.c.camera_id)
        some = connection.execute(sa.select(*key).where(kpi_cameras.c.day.in_(over)).limit(FORGOTTEN_ROWS)).all()
        for begin in range(0, len(some), _CHUNK_ROWS):
            chunk = [tuple(row) for row in some[begin : begin + _CHUNK_ROWS]]
            connection.execute(sa.delete(kpi_cameras).where(sa.tuple_(*key).in_(chunk)))
        return len(some) < FORGOTTEN_ROWS


def _within(table: sa.Table, first: date, last: date, region_prefix: str) -> "list[sa.ColumnElement[bool]]":
    days = table.c.day.between(first.toordinal(), last.toordinal())
    return [days, table.c.county.startswith(region_prefix[:6], autoescape=True)]


def _upsert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    key = [column.name for column in table.primary_key]
    changed = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), rows)


def _camera_row(day: int, camera_id: str, facts: CameraFacts) -> dict[str, Any]:
    return {
        "day": day,
        "camera_id": camera_id,
        "seen": sum(1 << bit for bit, name in enumerate(_FLAGS) if getattr(facts, name)),
        "decided_wall_ns": facts.decided_wall_ns,
        "decided_visit_id": facts.decided_visit_id,
        "periods_due": facts.periods_due,
        "periods_kept": facts.periods_kept,
    }


def _facts(row: Any) -> CameraFacts:
    return CameraFacts(
        **{name: bool(row.seen >> bit & 1) for bit, name in enumerate(_FLAGS)},
        decided_wall_ns=row.decided_wall_ns,
        decided_visit_id=row.decided_visit_id,
        periods_due=row.periods_due,
        periods_kept=row.periods_kept,
    )


def _pack(canteens: Mapping[str, Counts]) -> bytes:
    """Counts by canteen as deflated JSON: much of one canteen stands in the next one too."""
    return zlib.compress(json.dumps(canteens, ensure_ascii=False, separators=(",", ":")).encode())


def _unpack(body: bytes) -> dict[str, Counts]:
    return {canteen: Counts(*counts) for canteen, counts in json.loads(zlib.decompress(body)).items()}
