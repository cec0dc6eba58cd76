"""KPIs in a real database: written with the verdicts, there after a restart, asked for by region and day."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from engine.hub.services.kpis import KpiService, kpi_table, league_table
from engine.model.camera import Camera, KeyPoint
from engine.model.kpi import Counts, KpiBy, KpiName, KpiQuery, KpiTable, LeagueQuery
from engine.model.verdict import FaultKind, State, Verdict
from engine.storage.db.kpis import PRUNE_ROWS
from engine.storage.db.store import Store, VisitRecord

S = 10**9
NOON_NS = (1_700_409_600 + 12 * 3600) * S  # Monday, 2023-11-20 in Shanghai
DAY_NS = 86_400 * S
HOUR_NS = 3600 * S
MONDAY, TUESDAY = date(2023, 11, 20), date(2023, 11, 21)


class Clock:
    def __init__(self) -> None:
        self.now_wall_ns = NOON_NS

    def __call__(self) -> int:
        return self.now_wall_ns


def camera(number: int, county: str = "130102", **columns: Any) -> Camera:
    values: dict[str, Any] = {
        "site_id": f"s{number // 4}",
        "site_name": f"第{number // 4}食堂",
        "key_point": KeyPoint.COOKING,
        "required": True,
    }
    return Camera(f"{county}-c{number}", "rtsp://h/1", region=county, **(values | columns))


def saw(camera_id: str, state: State, at_wall_ns: int, *kinds: FaultKind) -> VisitRecord:
    verdict = Verdict(camera_id, at_wall_ns, at_wall_ns, state, kinds, announced=state, announced_kinds=kinds)
    return VisitRecord(verdict, b"")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def service_of(store: Store, clock: Clock, keep_days: int = 400) -> KpiService:
    service = KpiService(store.kpis, "Asia/Shanghai", keep_days, list(store.registry.cameras()), clock)
    store.transaction_hooks[:] = [service.count_in]
    return service


def write(store: Store, service: KpiService, records: list[VisitRecord]) -> None:
    store.write(records, [] if records else [lambda transaction: service.count_in(transaction, [])])
    service.committed()


def counties(store: Store, **query: Any) -> dict[str, Counts]:
    return {row.region: row.counts for row in kpi_table(store.kpis, KpiQuery(**query)).rows}


def test_what_a_batch_changes_is_there_with_the_batch(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0), camera(1), camera(2, "130103")])
    service = service_of(store, clock)
    write(store, service, [saw("130102-c0", State.OK, NOON_NS), saw("130103-c2", State.OFFLINE, NOON_NS)])
    here = counties(store)
    assert (here["130102"].cameras_clear, here["130102"].cameras, here["130103"].cameras_visited) == (1, 2, 1)
    assert counties(store, region_prefix="130103").keys() == {"130103"}
    rate = kpi_table(store.kpis, KpiQuery(by=KpiBy.PROVINCE)).rows[0].rates[KpiName.ONLINE]
    assert (rate.numerator, rate.denominator, rate.measured, rate.registered) == (1, 3, 2, 3)


def test_counties_add_up_to_cities_and_days_to_camera_days(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0), camera(1, "130103"), camera(2, "130202"), camera(3, "1301")])
    service = service_of(store, clock)
    write(store, service, [saw("130102-c0", State.OK, NOON_NS)])
    clock.now_wall_ns += DAY_NS
    write(store, service, [saw("130202-c2", State.OK, clock.now_wall_ns)])
    days: dict[str, Any] = {"from_day": MONDAY, "to_day": TUESDAY}
    cities = kpi_table(store.kpis, KpiQuery(by=KpiBy.CITY, **days))
    assert [(row.region, row.counts.cameras, row.counts.cameras_clear, row.days) for row in cities.rows] == [
        ("1301", 6, 1, 2), ("1302", 2, 1, 2),
    ]  # fmt: skip
    (province,) = kpi_table(store.kpis, KpiQuery(by=KpiBy.PROVINCE, **days)).rows
    assert (province.region, province.counts, province.days) == ("13", cities.total.counts, 2)
    daily = kpi_table(store.kpis, KpiQuery("1302", KpiBy.CITY, each_day=True, **days))
    assert [(row.day, row.counts.cameras_clear) for row in daily.rows] == [(MONDAY, 0), (TUESDAY, 1)]
    (asked,) = kpi_table(store.kpis, KpiQuery("130103", KpiBy.PROVINCE, **days)).rows
    assert (asked.region, asked.counts.cameras) == ("130103", 2)


def test_a_batch_that_is_undone_undoes_its_counts_and_the_next_one_brings_them(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0)])
    service = service_of(store, clock)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    store.transaction_hooks.append(fail)
    with pytest.raises(OSError, match="disk full"):
        store.write([saw("130102-c0", State.OK, NOON_NS)])
    assert kpi_table(store.kpis, KpiQuery()).rows == ()
    store.transaction_hooks.remove(fail)
    write(store, service, [])
    assert counties(store)["130102"].cameras_clear == 1


def test_a_restart_goes_on_where_the_day_stood(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0), camera(1)])
    service = service_of(store, clock)
    service.add_periods({"130102-c0": (4, 3)})
    write(store, service, [saw("130102-c0", State.OK, NOON_NS), saw("130102-c1", State.OK, NOON_NS)])
    store.registry.remove(["130102-c1"])  # while no engine ran
    again = service_of(store, clock)
    write(store, again, [])
    assert counties(store)["130102"] == Counts(
        cameras=1, cameras_enabled=1, cameras_visited=1, cameras_measured=1, cameras_online=1, cameras_clear=1,
        canteens=1, canteens_required=1, canteens_measured=1, canteens_covered=1, periods_due=4, periods_kept=3,
    )  # fmt: skip


def test_a_camera_removed_and_imported_again_begins_its_day_anew(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0)])
    service = service_of(store, clock)
    write(store, service, [saw("130102-c0", State.OK, NOON_NS)])
    service.remove(["130102-c0"])
    service.upsert([camera(0)])
    write(store, service, [])
    again = service_of(store, clock)
    write(store, again, [])
    assert counties(store)["130102"].cameras_visited == 0


def test_days_that_are_over_keep_their_canteens_and_forget_their_cameras(store: Store, clock: Clock) -> None:
    many = PRUNE_ROWS + 100
    store.registry.upsert([camera(number) for number in range(many)])
    service = service_of(store, clock)
    write(store, service, [saw(f"130102-c{number}", State.OK, NOON_NS) for number in range(many)])
    monday = kpi_table(store.kpis, KpiQuery(by=KpiBy.CANTEEN))
    clock.now_wall_ns += DAY_NS
    for _ in range(3):
        write(store, service, [])
    assert list(store.kpis.restore(TUESDAY.toordinal())) == []
    assert kpi_table(store.kpis, KpiQuery(by=KpiBy.CANTEEN, from_day=MONDAY, to_day=MONDAY)) == monday
    assert asyncio.run(service.table(KpiQuery(by=KpiBy.CANTEEN))) == kpi_table(store.kpis, KpiQuery(by=KpiBy.CANTEEN))
    assert (monday.rows[1].site_id, monday.rows[1].site_name, monday.rows[1].counts.cameras_clear) == (
        "s1",
        "第1食堂",
        4,
    )
    both = kpi_table(store.kpis, KpiQuery(by=KpiBy.CANTEEN, from_day=MONDAY, to_day=TUESDAY, page_size=1))
    assert (both.rows[0].days, both.rows[0].counts.cameras, both.rows[0].counts.cameras_clear) == (2, 8, 4)


def test_a_day_that_ended_while_the_engine_was_down_is_closed_at_the_next_start(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0)])
    service = service_of(store, clock)
    write(store, service, [saw("130102-c0", State.OK, NOON_NS)])
    clock.now_wall_ns += 3 * DAY_NS
    again = service_of(store, clock)
    write(store, again, [])
    (row,) = kpi_table(store.kpis, KpiQuery(by=KpiBy.CANTEEN, from_day=MONDAY, to_day=MONDAY)).rows
    assert row.counts.cameras_clear == 1
    assert list(store.kpis.restore(10**6)) == []


def test_days_older_than_kept_go(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0)])
    service = service_of(store, clock, keep_days=2)
    for _ in range(5):
        write(store, service, [saw("130102-c0", State.OK, clock.now_wall_ns)])
        clock.now_wall_ns += DAY_NS
    span = store.kpis.span()
    assert span is not None
    assert (span[1] - span[0]).days == 2


def test_the_league_shows_each_step_and_where_a_county_was_before(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0), camera(1, "130103")])
    service = service_of(store, clock)
    write(
        store, service, [saw("130102-c0", State.OK, NOON_NS), saw("130103-c1", State.FAULT, NOON_NS, FaultKind.COVERED)]
    )
    clock.now_wall_ns += DAY_NS
    now = clock.now_wall_ns
    write(store, service, [saw("130102-c0", State.FAULT, now, FaultKind.BLURRED), saw("130103-c1", State.OK, now)])
    lines = asyncio.run(service.league(LeagueQuery(kpi=KpiName.CLARITY))).rows
    assert [(line.place, line.row.region, line.rate.value, line.before and line.before.value) for line in lines] == [
        (1, "130103", 1.0, 0.0), (2, "130102", 0.0, 1.0),
    ]  # fmt: skip
    assert league_table(store.kpis, LeagueQuery(region_prefix="130102")).rows[0].place == 1


def test_the_office_answers_as_the_database_does_whatever_becomes_of_the_days(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(number, county) for number, county in enumerate(("130102", "130103", "130202") * 4)])
    service = service_of(store, clock, keep_days=5)
    asked = [
        KpiQuery(prefix, by, first, last, each_day)
        for prefix in ("13", "130103")
        for by in (KpiBy.PROVINCE, KpiBy.COUNTY)
        for first in (None, MONDAY, date(2023, 11, 25))
        for last in (None, date(2023, 11, 26))
        for each_day in (False, True)
    ]
    leagues = [
        LeagueQuery("13", KpiName.ONLINE, by, first)
        for by in (KpiBy.CITY, KpiBy.COUNTY)
        for first in (None, date(2023, 11, 25))
    ]
    for day in range(9):
        ids = list(store.registry.urls(camera.camera_id for camera in store.registry.cameras()))
        now = clock.now_wall_ns
        write(
            store,
            service,
            [saw(camera_id, State.OK if (int(camera_id[-1]) + day) % 3 else State.OFFLINE, now) for camera_id in ids],
        )
        if day == 2:
            gone = [camera_id for camera_id in ids if camera_id.startswith("130103")]
            service.remove(gone)
            store.registry.remove(gone)
            write(store, service, [])
        if day == 4:
            service.configure("America/New_York", 3, 2)
        if day == 6:
            service = service_of(store, clock, keep_days=3)
        for query in asked:
            assert asyncio.run(service.table(query)) == kpi_table(store.kpis, query), (day, query)
        for wanted in leagues:
            assert asyncio.run(service.league(wanted)) == league_table(store.kpis, wanted), (day, wanted)
        clock.now_wall_ns += DAY_NS
    span = store.kpis.span()
    assert span is not None
    assert span[0] > MONDAY


def test_recent_days_are_answered_without_the_database_and_only_once_they_are_committed(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.registry.upsert([camera(0)])
    service = service_of(store, clock)
    write(store, service, [saw("130102-c0", State.OFFLINE, NOON_NS)])
    store.write([saw("130102-c0", State.OK, NOON_NS + S)])
    for way in ("span", "days", "regions"):
        monkeypatch.setattr(store.kpis, way, lambda *_, **__: pytest.fail("asked the database"))
    online = [asyncio.run(service.table(KpiQuery("13"))).total.counts.cameras_online]
    service.committed()
    online += [asyncio.run(service.table(KpiQuery("13"))).total.counts.cameras_online]
    (row,) = asyncio.run(service.league(LeagueQuery("13", KpiName.ONLINE))).rows
    assert (online, row.rate.numerator, row.before) == ([0, 1], 1, None)


def test_a_league_from_the_first_day_of_the_calendar_has_none_before(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0)])
    service = service_of(store, clock)
    write(store, service, [saw("130102-c0", State.OK, NOON_NS)])
    wanted = LeagueQuery("13", from_day=date.min)
    assert asyncio.run(service.league(wanted)).rows[0].before is None
    assert league_table(store.kpis, wanted).rows[0].before is None


def test_asking_before_there_is_a_day_gives_an_empty_table(store: Store) -> None:
    table = kpi_table(store.kpis, KpiQuery())
    assert (table.rows, table.from_day, table.total.rates[KpiName.CLARITY].value) == ((), None, None)
    assert league_table(store.kpis, LeagueQuery()).rows == ()


def test_each_hour_shows_the_day_as_it_had_come_when_the_hour_ended(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0), camera(1), camera(2, "130103")])
    service = service_of(store, clock)
    query = KpiQuery(by=KpiBy.CITY, from_day=MONDAY, to_day=TUESDAY, each_hour=True)
    write(store, service, [saw("130102-c0", State.OK, NOON_NS)])
    assert kpi_table(store.kpis, query).rows == ()  # 12 o'clock is not over
    clock.now_wall_ns = NOON_NS + HOUR_NS  # what comes with the end of the hour counts from the next one on
    write(store, service, [saw("130102-c1", State.FAULT, clock.now_wall_ns, FaultKind.BLURRED)])
    clock.now_wall_ns = NOON_NS + 3 * HOUR_NS
    write(store, service, [])
    rows = kpi_table(store.kpis, query).rows
    assert [(row.region, row.day, row.hour) for row in rows] == [("1301", MONDAY, hour) for hour in (12, 13, 14)]
    assert [(row.counts.cameras, row.counts.cameras_measured, row.counts.cameras_clear) for row in rows] == [
        (3, 1, 1), (3, 2, 1), (3, 2, 1),
    ]  # fmt: skip
    assert [row.region for row in kpi_table(store.kpis, replace(query, by=KpiBy.COUNTY)).rows] == [
        *["130102"] * 3, *["130103"] * 3,
    ]  # fmt: skip
    assert asyncio.run(service.table(query)) == kpi_table(store.kpis, query)
    paged = [*(page.rows for page in pages(store, replace(query, page_size=2)))]
    assert [len(page) for page in paged] == [2, 1]
    assert [row for page in paged for row in page] == [*rows]


def test_hours_are_kept_over_a_restart_and_until_they_are_too_old(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0)])
    service = service_of(store, clock)
    write(store, service, [saw("130102-c0", State.OK, NOON_NS)])
    service = service_of(store, clock)  # the engine was restarted within the hour
    clock.now_wall_ns = NOON_NS + HOUR_NS
    write(store, service, [])
    query = KpiQuery(from_day=MONDAY, to_day=MONDAY, each_hour=True)
    assert [(row.hour, row.counts.cameras_clear) for row in kpi_table(store.kpis, query).rows] == [(12, 1)]
    clock.now_wall_ns = NOON_NS + 5 * HOUR_NS + 1
    service = service_of(store, clock)  # nobody counted when the hours between ended
    clock.now_wall_ns = NOON_NS + 6 * HOUR_NS
    write(store, service, [])
    assert [row.hour for row in kpi_table(store.kpis, query).rows] == [12, 17]
    service.configure("Asia/Shanghai", 400, 2)
    for _ in range(3):
        clock.now_wall_ns += DAY_NS
        write(store, service, [])
    assert kpi_table(store.kpis, query).rows == ()
    assert counties(store, from_day=MONDAY, to_day=MONDAY)["130102"].cameras_clear == 1


def test_hours_of_a_batch_that_is_undone_come_with_the_next(store: Store, clock: Clock) -> None:
    store.registry.upsert([camera(0)])
    service = service_of(store, clock)
    write(store, service, [saw("130102-c0", State.OK, NOON_NS)])

    def fail(*_: object) -> None:
        raise OSError("disk full")

    store.transaction_hooks.append(fail)
    clock.now_wall_ns = NOON_NS + HOUR_NS
    record = saw("130102-c0", State.OK, clock.now_wall_ns)
    with pytest.raises(OSError, match="disk full"):
        store.write([record], [])
    store.transaction_hooks.remove(fail)
    write(store, service, [record])
    query = KpiQuery(from_day=MONDAY, to_day=MONDAY, each_hour=True)
    assert [(row.hour, row.counts.cameras_clear) for row in kpi_table(store.kpis, query).rows] == [(12, 1)]


def pages(store: Store, query: KpiQuery) -> Iterator[KpiTable]:
    table = kpi_table(store.kpis, query)
    yield table
    while table.next_page_token:
        table = kpi_table(store.kpis, replace(query, page_token=table.next_page_token))
        yield table
