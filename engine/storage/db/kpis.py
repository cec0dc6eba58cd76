"""Stores KPI counts: of the day under way by camera, of every day by county and by the hour, and of closed days by
canteen as well."""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.model.camera import KeyPoint
from engine.model.kpi import CameraFacts, CameraPlace, Counts, KpiChanges, RegionCounts
from engine.storage.db.database import upsert
from engine.storage.db.shards.scope import EVERYTHING, Scope
from engine.storage.db.tables import cameras, kpi_cameras, kpi_canteens, kpi_counties, kpi_hours

Transaction = Connection
"""The transaction in which the writer writes its records."""
_CHUNK_ROWS = 500
PRUNE_ROWS = 2000
"""Rows of closed days' cameras that are deleted with one batch; those of a province's day are gone within a minute."""
_FLAGS = ("visited", "measured", "online", "clear", "unobstructed", "in_hours")
_FLAGS_BY_BITS = [tuple(bool(seen >> bit & 1) for bit in range(len(_FLAGS))) for seen in range(1 << len(_FLAGS))]
_FACTS = tuple(
    kpi_cameras.c[name]
    for name in ("camera_id", "seen", "decided_wall_ns", "decided_visit_id", "periods_due", "periods_kept")
)
_POINTS = {point.value: point for point in KeyPoint}
_CODE_DIGITS = 6


class Kpis:
    """The KPIs of one database. Any thread may read; `write` belongs in the writer's transaction. `scope`: what a shard
    restores and prunes."""

    def __init__(self, engine: Engine, scope: Scope = EVERYTHING) -> None:
        self._engine = engine
        self._scope = scope
        self._pruned = False

    @property
    def of_shard(self) -> bool:
        """Whether other shards count in the same database."""
        return self._scope.counties is not None

    def write(self, transaction: Transaction, changes: KpiChanges, keep_days: int, keep_hours_days: int) -> None:
        """Write what has changed; keep the last `keep_days` days of counties and canteens, and of hours the last
        `keep_hours_days` days."""
        for begin in range(0, len(changes.removed), _CHUNK_ROWS):
            removed = sa.tuple_(kpi_cameras.c.day, kpi_cameras.c.camera_id).in_(
                changes.removed[begin : begin + _CHUNK_ROWS]
            )
            transaction.execute(sa.delete(kpi_cameras).where(removed))
        upsert(
            transaction,
            kpi_cameras,
            [_camera_row(day, camera_id, facts) for (day, camera_id), facts in changes.cameras.items()],
        )
        counties = [
            {"day": day, "county": county, **counts._asdict()} for (day, county), counts in changes.counties.items()
        ]
        upsert(transaction, kpi_counties, counties)
        canteens = [
            {"day": day, "county": county, "body": _pack(rows)} for (day, county), rows in changes.canteens.items()
        ]
        upsert(transaction, kpi_canteens, canteens)
        hours = [
            {"day": day, "hour": hour, "county": county, **counts._asdict()}
            for (day, hour, county), counts in changes.hours.items()
        ]
        upsert(transaction, kpi_hours, hours)
        if changes.closed:
            self._pruned = False
            for table, days in ((kpi_counties, keep_days), (kpi_canteens, keep_days), (kpi_hours, keep_hours_days)):
                transaction.execute(sa.delete(table).where(table.c.day <= max(changes.closed) - days))
        if not self._pruned:
            self._pruned = self._prune_closed_days(transaction)

    def restore(self, today: int) -> Iterator[tuple[int, dict[str, CameraFacts]]]:
        """Yield the days that were under way at the last stop, oldest first, each with its facts by camera id."""
        closed = self._closed_days()
        open_until = sa.and_(kpi_cameras.c.day <= today, kpi_cameras.c.day.not_in(closed), self._held())
        days = sa.select(kpi_cameras.c.day).distinct().where(open_until).order_by(kpi_cameras.c.day)
        with self._engine.connect() as connection:
            for day in connection.scalars(days).all():
                rows = connection.execute(sa.select(*_FACTS).where(kpi_cameras.c.day == day, self._held()))
                yield day, _facts(rows)

    def span(self) -> tuple[date, date] | None:
        """Return the first and last day that have counts; None if there are none."""
        # Two subqueries: for min and max in one query SQLite reads the whole index.
        ends = (sa.select(end(kpi_counties.c.day)).scalar_subquery() for end in (sa.func.min, sa.func.max))
        with self._engine.connect() as connection:
            first, last = connection.execute(sa.select(*ends)).one()
        return None if first is None else (date.fromordinal(first), date.fromordinal(last))

    def latest(self, days: int) -> tuple[Sequence[int], dict[int, dict[str, Counts]]]:
        """Return all days that have counts, and the counts of the last `days` days by day and county.

        The last `days` days end with the newest day that has counts.
        """
        columns = (kpi_counties.c[name] for name in Counts._fields)
        query = sa.select(kpi_counties.c.day, kpi_counties.c.county, *columns)
        counties: dict[int, dict[str, Counts]] = {}
        with self._engine.connect() as connection:
            counted_days = connection.scalars(sa.select(kpi_counties.c.day).distinct()).all()
            since = kpi_counties.c.day > max(counted_days, default=0) - days
            for day, county, *counts in connection.execute(query.where(since)):
                counties.setdefault(day, {})[county] = Counts._make(counts)
        return counted_days, counties

    def days(self, first: date, last: date, region_prefix: str = "") -> int:
        """Return how many days of the span have counts."""
        query = sa.select(sa.func.count(kpi_counties.c.day.distinct())).where(*_counted(first, last, region_prefix))
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def regions(
        self, first: date, last: date, region_prefix: str, digits: int, *, each_day: bool = False
    ) -> Iterator[RegionCounts]:
        """Yield the sums of the counties of each region whose code has `digits` digits; by day if `each_day`."""
        region = sa.func.substr(kpi_counties.c.county, 1, sa.literal_column(str(int(digits)))).label("region")
        day = kpi_counties.c.day if each_day else sa.literal_column("0").label("day")
        sums = [sa.cast(sa.func.sum(kpi_counties.c[name]), sa.BigInteger) for name in Counts._fields]
        query = (
            sa.select(region, day, sa.func.count(kpi_counties.c.day.distinct()), *sums)
            .where(*_counted(first, last, region_prefix))
            .group_by(*([region, kpi_counties.c.day] if each_day else [region]))
        )
        with self._engine.connect() as connection:
            for code, ordinal, days, *counts in connection.execute(query):
                yield RegionCounts(code, "", ordinal, Counts(*counts), days)

    def hours(self, first: date, last: date, region_prefix: str, digits: int) -> Iterator[RegionCounts]:
        """Yield the sums of the counties of each region by day and hour, as the day had come when the hour ended."""
        region = sa.func.substr(kpi_hours.c.county, 1, sa.literal_column(str(int(digits)))).label("region")
        sums = [sa.cast(sa.func.sum(kpi_hours.c[name]), sa.BigInteger) for name in Counts._fields]
        query = (
            sa.select(region, kpi_hours.c.day, kpi_hours.c.hour, *sums)
            .where(*_within(kpi_hours, first, last, region_prefix), kpi_hours.c.cameras > 0)
            .group_by(region, kpi_hours.c.day, kpi_hours.c.hour)
        )
        with self._engine.connect() as connection:
            for code, ordinal, hour, *counts in connection.execute(query):
                yield RegionCounts(code, "", ordinal, Counts(*counts), hour=hour)

    def canteens(self, first: date, last: date, region_prefix: str = "") -> Iterator[RegionCounts]:
        """Yield counts by day, county and canteen; only of closed days."""
        query = sa.select(kpi_canteens).where(*_within(kpi_canteens, first, last, region_prefix))
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                for canteen, counts in _unpack(row.body).items():
                    yield RegionCounts(row.county, canteen, row.day, counts)

    def under_way(
        self, first: date, last: date, region_prefix: str = ""
    ) -> Iterator[tuple[int, dict[str, CameraPlace], dict[str, CameraFacts]]]:
        """Yield the days that are not closed, with places as the registry has them now, and facts, by camera id; only
        cameras of the counties whose day is not closed."""
        closed = sa.exists().where(
            kpi_canteens.c.day == kpi_counties.c.day, kpi_canteens.c.county == kpi_counties.c.county
        )
        still_open = sa.select(kpi_counties.c.day, kpi_counties.c.county).where(
            *_counted(first, last, region_prefix), ~closed
        )
        columns = ("camera_id", "region", "site_id", "site_name", "key_point", "required", "enabled")
        in_region = _in_region(cameras.c.region, region_prefix)
        with self._engine.connect() as connection:
            open_counties: dict[int, set[str]] = {}
            for day, county in connection.execute(still_open):
                open_counties.setdefault(day, set()).add(county)
            if not open_counties:
                return
            places: dict[str, CameraPlace] = {}
            for camera_id, *row in connection.execute(
                sa.select(*(cameras.c[name] for name in columns)).where(in_region)
            ):
                region, site_id, site_name, point, required, enabled = row
                places[camera_id] = CameraPlace.of(
                    region=region,
                    site_id=site_id,
                    site_name=site_name,
                    key_point=_POINTS[point],
                    required=required,
                    enabled=enabled,
                )
            for day, counties in sorted(open_counties.items()):
                query = sa.select(*_FACTS).where(kpi_cameras.c.day == day)
                if region_prefix:
                    query = query.where(kpi_cameras.c.camera_id.in_(sa.select(cameras.c.camera_id).where(in_region)))
                here = {camera_id: place for camera_id, place in places.items() if place.county in counties}
                facts = _facts(connection.execute(query))
                yield day, here, {camera_id: facts[camera_id] for camera_id in facts if camera_id in here}

    def names(self, region_prefix: str = "") -> dict[str, str]:
        """Return the names of canteens by id, as the registry has them now; of several names the first in order."""
        columns = (cameras.c.region, cameras.c.site_id, cameras.c.site_name)
        query = sa.select(*columns).distinct().where(_in_region(cameras.c.region, region_prefix))
        names: dict[str, str] = {}
        with self._engine.connect() as connection:
            for region, site_id, site_name in connection.execute(query.order_by(cameras.c.site_name.desc())):
                if site_name:
                    names[site_id or f"{region}/{site_name}"] = site_name
        return names

    def _closed_days(self) -> "sa.Select[tuple[int]]":
        return sa.select(kpi_canteens.c.day).distinct().where(self._scope.holds(kpi_canteens.c.county))

    def _held(self) -> "sa.ColumnElement[bool]":
        """Match the cameras of a shard, and those that have left the registry."""
        if self._scope.counties is None:
            return sa.true()
        others = sa.select(cameras.c.camera_id).where(~self._scope.holds(cameras.c.region))
        return kpi_cameras.c.camera_id.not_in(others)

    def _prune_closed_days(self, connection: Connection) -> bool:
        """Delete some rows of closed days' cameras; return True when none is left."""
        key = (kpi_cameras.c.day, kpi_cameras.c.camera_id)
        of_closed = kpi_cameras.c.day.in_(self._closed_days())
        rows = connection.execute(sa.select(*key).where(of_closed, self._held()).limit(PRUNE_ROWS)).all()
        for begin in range(0, len(rows), _CHUNK_ROWS):
            chunk = [tuple(row) for row in rows[begin : begin + _CHUNK_ROWS]]
            connection.execute(sa.delete(kpi_cameras).where(sa.tuple_(*key).in_(chunk)))
        return len(rows) < PRUNE_ROWS


def _within(table: sa.Table, first: date, last: date, region_prefix: str) -> "list[sa.ColumnElement[bool]]":
    return [table.c.day.between(first.toordinal(), last.toordinal()), _in_region(table.c.county, region_prefix)]


def _counted(first: date, last: date, region_prefix: str) -> "list[sa.ColumnElement[bool]]":
    """Match counties that still have cameras: one whose last camera has left is not counted."""
    return [*_within(kpi_counties, first, last, region_prefix), kpi_counties.c.cameras > 0]


def _in_region(region: "sa.ColumnElement[str]", prefix: str) -> "sa.ColumnElement[bool]":
    """Match codes that begin with the prefix, as a range that can use an index."""
    return region.between(prefix, prefix.ljust(_CODE_DIGITS, "9")) if prefix else sa.true()


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


def _facts(rows: Iterable[Any]) -> dict[str, CameraFacts]:
    """Return the facts in rows of `_FACTS` by camera id. By position: a start reads one row per camera."""
    return {
        camera_id: CameraFacts._make((*_FLAGS_BY_BITS[seen], at_wall_ns, visit_id, due, kept))
        for camera_id, seen, at_wall_ns, visit_id, due, kept in rows
    }


def _pack(canteens: Mapping[str, Counts]) -> bytes:
    """Pack counts by canteen as deflated JSON: the counts of one canteen resemble those of the next."""
    return zlib.compress(json.dumps(canteens, ensure_ascii=False, separators=(",", ":")).encode())


def _unpack(body: bytes) -> dict[str, Counts]:
    return {canteen: Counts(*counts) for canteen, counts in json.loads(zlib.decompress(body)).items()}
