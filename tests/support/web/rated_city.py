"""A running engine whose database has findings and the KPIs of several days, for the first page and rates."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.clock import wall_ns
from engine.config.web import WebSettings
from engine.model.access import Role, TokenOrder
from engine.model.kpi import Counts, KpiChanges
from engine.storage.db.database import write_transaction
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.digests import COUNTIES, SCHOOLS, city_cameras, week_of_events, write_events
from tests.support.live_engine import refusing_settings
from tests.support.ports import free_port

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 9
"""Days before today that have counts."""
HOURS = range(5, 24)
"""Hours of yesterday that have counts."""


@dataclass(frozen=True)
class RatedCity:
    """`web`: address of the gateway. `tokens`: of callers, by name. `today`: in the kitchens' time zone."""

    engine: Supervisor
    web: str
    tokens: dict[str, str]
    today: date


@contextmanager
def rated_city(folder: Path, **web: Any) -> Iterator[RatedCity]:
    """Run the engine on a filled database in `folder`. `web`: settings of [web].

    Its tokens: `admin` of all regions, `city` (viewer of 1301), `county` (inspector of the first county) and `other`
    (viewer of another city). Every camera refuses the connection.
    """
    port, today = free_port(), datetime.now(ZONE).date()
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    orders = {
        "admin": (Role.ADMIN, ""),
        "city": (Role.VIEWER, "1301"),
        "county": (Role.INSPECTOR, COUNTIES[0]),
        "other": (Role.VIEWER, "1302"),
    }
    try:
        store.registry.upsert(
            replace(camera, url=f"rtsp://127.0.0.1:{port}/{number}", uplink=f"nvr-{number}")
            for number, camera in enumerate(city_cameras())
        )
        write_events(store, week_of_events())
        _write_days(store, today)
        tokens = {
            name: store.access.create_token(TokenOrder(name, role, region), "test", wall_ns())[1]
            for name, (role, region) in orders.items()
        }
    finally:
        store.close()
    base = refusing_settings(folder, free_port())
    calm = base.scheduler.model_copy(
        update={name: 4.0 for name in type(base.scheduler).model_fields if name.endswith(("period_s", "first_s"))}
        | {"backoff_max_s": 6.0}
    )
    settings = base.model_copy(update={"web": WebSettings(listen="127.0.0.1:0", **web), "scheduler": calm})
    with Supervisor(settings) as engine:
        yield RatedCity(engine, engine.addresses["web"], tokens, today)


def _write_days(store: Store, today: date) -> None:
    """Write the counts of days by county and canteen, and of yesterday by hour; one county is hardly measured."""
    draw = random.Random(7)
    counties: dict[tuple[int, str], Counts] = {}
    canteens: dict[tuple[int, str], dict[str, Counts]] = {}
    hours: dict[tuple[int, int, str], Counts] = {}
    for ago in range(1, DAYS + 1):
        day = (today - timedelta(days=ago)).toordinal()
        for place, county in enumerate(COUNTIES):
            measured = 3 if place < len(COUNTIES) - 1 else 1
            rows = {
                f"{county}-{school}": _counts(draw, 0.99 - 0.03 * place, measured) for school in range(len(SCHOOLS))
            }
            total = Counts()
            for counts in rows.values():
                total = total.plus(counts)
            counties[day, county] = total
            if ago == 1:
                hours |= {(day, hour, county): _by_then(total, hour) for hour in HOURS}
            canteens[day, county] = rows
    with write_transaction(store._engine) as connection:
        store.kpis.write(
            connection,
            KpiChanges(counties=counties, canteens=canteens, hours=hours),
            keep_days=400,
            keep_hours_days=40,
        )


def _by_then(day: Counts, hour: int) -> Counts:
    """Return a day's counts as they had come when an hour ended."""
    return day._replace(
        periods_due=day.periods_due * (hour + 1) // 24, periods_kept=day.periods_kept * (hour + 1) // 24
    )


def _counts(draw: random.Random, clear: float, measured: int) -> Counts:
    seen = [draw.random() < clear for _ in range(measured)]
    covered = all(seen) and measured == 3
    return Counts(
        cameras=3, cameras_enabled=3, cameras_visited=measured, cameras_measured=measured,
        cameras_online=measured - (draw.random() < 0.05), cameras_clear=sum(seen), canteens=1, canteens_required=1,
        canteens_measured=int(measured == 3), canteens_covered=int(covered), screens_registered=1, screens_measured=1,
        screens_shown=int(draw.random() < 0.8), periods_due=100, periods_kept=draw.randrange(93, 101),
    )  # fmt: skip
