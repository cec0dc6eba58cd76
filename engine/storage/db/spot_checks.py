"""Stores spot checks: the latest draws, and when each canteen was last drawn. Reads the canteens to draw from."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.model.camera import SiteKind
from engine.model.spot_check import Canteen, DrawnCanteen, SpotCheck, SpotCheckHeader, StratumShare
from engine.model.verdict import State
from engine.storage.db.database import write_transaction
from engine.storage.db.tables import cameras, latest, spot_checks, spot_sites

DRAWS_KEPT = 60
"""Draws that are kept: five years of one a month. A canteen's last draw is kept for as long as the canteen is."""
_CHUNK_ROWS = 500
_HEADER_COLUMNS = tuple(column.name for column in fields(SpotCheckHeader))

_NONE: sa.ColumnElement[str] = sa.literal_column("''")
_SLASH: sa.ColumnElement[str] = sa.literal_column("'/'")
"""Literals, not bound parameters: PostgreSQL groups only by expressions that it can see to be equal."""
_SITE = sa.case(
    (cameras.c.site_id != _NONE, cameras.c.site_id),
    (cameras.c.site_name != _NONE, cameras.c.region + _SLASH + cameras.c.site_name),
    else_=_NONE,
)
"""The canteen of a camera: its site id; without one, region and name; without a name, none."""


@dataclass(frozen=True, slots=True)
class Population:
    """The canteens to draw from, and how many cameras are left out by reason: disabled, or without a canteen."""

    canteens: tuple[Canteen, ...]
    left_out: dict[str, int] = field(default_factory=dict)


class SpotChecks:
    """The spot checks of one database. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def population(self, region_prefix: str = "") -> Population:
        """Return the canteens of a region with their findings and the round of their last draw.

        If the cameras of a canteen disagree on its name, county or kind of school, the most common value counts, of
        equally common ones the first in order. Empty values and `other` count only if there is nothing else.
        """
        faulty = sa.case((latest.c.announced == State.FAULT.value, 1), else_=0)
        columns = (_SITE.label("site"), cameras.c.site_name, cameras.c.region, cameras.c.site_kind)
        joined = cameras.outerjoin(latest, cameras.c.camera_id == latest.c.camera_id)
        query = sa.select(*columns, sa.func.count().label("number"), sa.func.sum(faulty).label("findings"))
        query = query.select_from(joined).where(cameras.c.enabled).group_by(*columns)
        disabled = sa.select(sa.func.count()).select_from(cameras).where(~cameras.c.enabled)
        rows_by_site: defaultdict[str, list[Any]] = defaultdict(list)
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                rows_by_site[row.site].append(row)
            last_draws = {row.site_id: row for row in connection.execute(sa.select(spot_sites))}
            left_out = {"disabled": connection.scalar(disabled) or 0}
        left_out["no_site"] = sum(row.number for row in rows_by_site.pop("", ()))
        canteens = []
        for site_id, rows in rows_by_site.items():
            canteen = _canteen(site_id, rows)
            last_draw = last_draws.get(site_id)
            if last_draw is not None:
                canteen = replace(canteen, round=last_draw.round, past_findings=last_draw.findings)
            if canteen.county.startswith(region_prefix):
                canteens.append(canteen)
        return Population(tuple(canteens), {reason: number for reason, number in left_out.items() if number})

    def add(self, check: SpotCheck) -> SpotCheck:
        """Store a draw, assign its id, and record its canteens as drawn; delete draws beyond DRAWS_KEPT.

        Returns the draw with its id.
        """
        at_wall_ns = check.header.at_wall_ns
        with write_transaction(self._engine) as connection:
            draw_id = (connection.scalar(sa.select(sa.func.max(spot_checks.c.draw_id))) or 0) + 1
            header = replace(check.header, draw_id=draw_id)
            connection.execute(sa.insert(spot_checks).values(**asdict(header), body=_pack(check)))
            for begin in range(0, len(check.drawn), _CHUNK_ROWS):
                chunk = check.drawn[begin : begin + _CHUNK_ROWS]
                drawn = spot_sites.c.site_id.in_([canteen.site_id for canteen in chunk])
                connection.execute(sa.delete(spot_sites).where(drawn))
                rows = [
                    {
                        "site_id": canteen.site_id,
                        "round": canteen.round,
                        "findings": canteen.findings,
                        "draw_id": draw_id,
                        "at_wall_ns": at_wall_ns,
                    }
                    for canteen in chunk
                ]
                connection.execute(sa.insert(spot_sites), rows)
            _prune(connection, draw_id - DRAWS_KEPT)
        return replace(check, header=header)

    def headers(self) -> tuple[SpotCheckHeader, ...]:
        """Return the headers of the draws that are kept, newest first."""
        query = sa.select(*(spot_checks.c[name] for name in _HEADER_COLUMNS)).order_by(spot_checks.c.draw_id.desc())
        with self._engine.connect() as connection:
            return tuple(SpotCheckHeader(**row._mapping) for row in connection.execute(query))

    def get(self, draw_id: int) -> SpotCheck | None:
        """Return one draw, with 0 the latest; None if it is not kept."""
        query = sa.select(spot_checks).order_by(spot_checks.c.draw_id.desc()).limit(1)
        if draw_id:
            query = query.where(spot_checks.c.draw_id == draw_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _unpack(row._mapping)

    def cameras_of(self, site_ids: Iterable[str]) -> list[str]:
        """Return the ids of the enabled cameras of some canteens."""
        sites = frozenset(site_ids) - {""}
        query = sa.select(cameras.c.camera_id, _SITE.label("site")).where(cameras.c.enabled)
        with self._engine.connect() as connection:
            rows = connection.execution_options(yield_per=_CHUNK_ROWS).execute(query)
            return [row.camera_id for row in rows if row.site in sites]


def _canteen(site_id: str, rows: Sequence[Any]) -> Canteen:
    return Canteen(
        site_id=site_id,
        site_name=_most_common(((row.site_name, row.number) for row in rows), ""),
        county=_most_common(((row.region, row.number) for row in rows), ""),
        kind=SiteKind(_most_common(((row.site_kind, row.number) for row in rows), SiteKind.OTHER.value)),
        findings=sum(row.findings for row in rows),
    )


def _most_common(counts: Iterable[tuple[str, int]], empty: str) -> str:
    totals: Counter[str] = Counter()
    for value, number in counts:
        totals[value] += number
    return min(totals, key=lambda value: (value == empty, -totals[value], value))


def _prune(connection: Connection, last_deleted: int) -> None:
    """Delete draws up to this id, and what is known of canteens last drawn by them that have left the registry."""
    if last_deleted < 1:
        return
    connection.execute(sa.delete(spot_checks).where(spot_checks.c.draw_id <= last_deleted))
    left = spot_sites.c.site_id.not_in(sa.select(_SITE))
    connection.execute(sa.delete(spot_sites).where(spot_sites.c.draw_id <= last_deleted, left))


def _pack(check: SpotCheck) -> bytes:
    body = {"strata": check.strata, "drawn": check.drawn, "left_out": dict(check.left_out)}
    return json.dumps(body, default=asdict, ensure_ascii=False, separators=(",", ":")).encode()


def _unpack(row: Any) -> SpotCheck:
    body = json.loads(row["body"])
    return SpotCheck(
        header=SpotCheckHeader(**{name: row[name] for name in _HEADER_COLUMNS}),
        strata=tuple(StratumShare(**(share | {"kind": SiteKind(share["kind"])})) for share in body["strata"]),
        drawn=tuple(DrawnCanteen(**(canteen | {"kind": SiteKind(canteen["kind"])})) for canteen in body["drawn"]),
        left_out=body["left_out"],
    )
