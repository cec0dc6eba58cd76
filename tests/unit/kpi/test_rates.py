"""What a day's verdicts make of the KPIs: the definitions of docs/kpis.md, one by one."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

from engine.kpi.camera_day import observe
from engine.kpi.daily_counts import LATE_NS, DailyCounts
from engine.kpi.days import Days
from engine.kpi.rates import league, rates, table_of
from engine.model.camera import Camera, KeyPoint
from engine.model.kpi import (
    CameraFacts,
    Counts,
    KpiBy,
    KpiName,
    KpiQuery,
    KpiTable,
    LeagueQuery,
    Rate,
    RegionCounts,
)
from engine.model.verdict import FaultKind, State, Verdict

S = 10**9
MIDNIGHT_NS = 1_700_409_600 * S  # 2023-11-20 00:00 in Shanghai
NOON_NS = MIDNIGHT_NS + 12 * 3600 * S
DAY_NS = 86_400 * S
MONDAY = date(2023, 11, 20).toordinal()


def verdict(
    state: State,
    kinds: Iterable[FaultKind] = (),
    *,
    announced: State | None = None,
    visit_id: int = 1,
    at: int = NOON_NS,
    camera_id: str = "c",
) -> Verdict:
    """A verdict that is announced as it was seen, unless said otherwise."""
    stands = announced or state
    announced_kinds = tuple(kinds) if stands == State.FAULT else ()
    return Verdict(
        camera_id, visit_id, at, state, tuple(kinds) if state == State.FAULT else (), announced=stands,
        announced_kinds=announced_kinds,
    )  # fmt: skip


def after(*verdicts: Verdict, working: bool = True) -> CameraFacts:
    facts = CameraFacts()
    for verdict in verdicts:
        facts = observe(facts, verdict, working=working)
    return facts


def canteen(
    camera_id: str, point: KeyPoint, *, required: bool = True, site: str = "s", region: str = "130102"
) -> Camera:
    return Camera(camera_id, "rtsp://h/1", site_id=site, region=region, key_point=point, required=required)


def book_of(*cameras: Camera, now: int = NOON_NS) -> DailyCounts:
    return DailyCounts("Asia/Shanghai", cameras, now)


def county(book: DailyCounts, region: str = "130102") -> Counts:
    return {place: counts for (_, place), counts in book.drain_changes().counties.items()}[region]


def test_a_clear_picture_is_measured_online_clear_and_unobstructed() -> None:
    facts = after(verdict(State.OK))
    assert (facts.visited, facts.measured, facts.online, facts.clear, facts.unobstructed) == (True,) * 5


@pytest.mark.parametrize(
    ("kind", "clear", "unobstructed"),
    [
        (FaultKind.BLURRED, False, True),
        (FaultKind.TOO_DARK, False, True),
        (FaultKind.COVERED, False, False),
        (FaultKind.PARTLY_COVERED, True, False),
        (FaultKind.MOVED, True, True),
        (FaultKind.COLOUR_CAST, True, True),
    ],
)
def test_faults_of_sharpness_and_exposure_count_against_clarity_and_covers_against_coverage(
    kind: FaultKind, clear: bool, unobstructed: bool
) -> None:
    facts = after(verdict(State.FAULT, [kind]))
    assert (facts.online, facts.clear, facts.unobstructed) == (True, clear, unobstructed)


def test_unknown_is_measured_and_online_and_never_compliant() -> None:
    facts = after(verdict(State.UNKNOWN))
    assert (facts.measured, facts.online, facts.clear, facts.unobstructed) == (True, True, False, False)


def test_one_doubtful_look_does_not_take_back_what_the_engine_stands_by() -> None:
    facts = after(verdict(State.OK), verdict(State.UNKNOWN, announced=State.OK, visit_id=2, at=NOON_NS + S))
    assert facts.clear


def test_yesterdays_ok_is_no_compliance_of_a_day_on_which_nothing_could_be_judged() -> None:
    facts = after(verdict(State.UNKNOWN, announced=State.OK))
    assert (facts.measured, facts.clear) == (True, False)


def test_an_unconfirmed_fault_does_not_count_yet_and_an_announced_one_until_it_is_taken_back() -> None:
    assert after(verdict(State.FAULT, [FaultKind.BLURRED], announced=State.OK)).clear
    recovering = Verdict("c", 2, NOON_NS, State.OK, announced=State.FAULT, announced_kinds=(FaultKind.BLURRED,))
    assert not after(recovering).clear


def test_a_frozen_picture_or_a_recorders_no_signal_is_no_fresh_keyframe() -> None:
    for kind in (FaultKind.FROZEN, FaultKind.SIGNAL_LOSS):
        facts = after(verdict(State.FAULT, [kind]))
        assert (facts.measured, facts.online, facts.unobstructed) == (True, False, False)


def test_a_camera_that_does_not_answer_was_visited_and_not_measured() -> None:
    assert after(verdict(State.OFFLINE)) == CameraFacts(visited=True)


def test_a_camera_presumed_offline_without_a_visit_was_not_visited() -> None:
    assert after(verdict(State.OFFLINE, visit_id=0)) == CameraFacts()


def test_the_days_last_look_in_hours_decides_and_the_dark_of_the_night_does_not() -> None:
    evening = observe(after(verdict(State.OK)), verdict(State.UNKNOWN, visit_id=9, at=NOON_NS + 9 * S), working=False)
    assert evening.clear
    mended = after(verdict(State.FAULT, [FaultKind.BLURRED]), verdict(State.OK, visit_id=2, at=NOON_NS + S))
    assert mended.clear


def test_a_rate_without_a_denominator_has_no_value_and_one_beside_it_says_what_was_measured() -> None:
    assert Rate(0, 0, 5, 5).value is None
    clarity = rates(Counts(cameras=10, cameras_enabled=9, cameras_visited=8, cameras_measured=4, cameras_clear=3))[
        KpiName.CLARITY
    ]
    assert (clarity.value, clarity.measured, clarity.registered, clarity.not_measured) == (0.75, 4, 10, 6)


def test_every_required_key_point_needs_an_online_unobstructed_camera() -> None:
    spare = canteen("spare", KeyPoint.CUTTING, required=False)
    book = book_of(canteen("a", KeyPoint.COOKING), canteen("b", KeyPoint.CUTTING), spare)
    book.observe(verdict(State.OK, camera_id="a"), working=True, now_wall_ns=NOON_NS)
    assert county(book)[7:10] == (1, 0, 0)  # required, measured, covered
    book.observe(verdict(State.FAULT, [FaultKind.COVERED], camera_id="b"), working=True, now_wall_ns=NOON_NS)
    assert county(book)[7:10] == (1, 1, 0)
    book.observe(verdict(State.OK, camera_id="spare"), working=True, now_wall_ns=NOON_NS)
    assert county(book)[7:10] == (1, 1, 1)


def test_a_canteen_without_required_key_points_is_not_compliant() -> None:
    book = book_of(canteen("a", KeyPoint.COOKING, required=False))
    book.observe(verdict(State.OK, camera_id="a"), working=True, now_wall_ns=NOON_NS)
    rate = rates(county(book))[KpiName.KEY_POINT_COVERAGE]
    assert rate == Rate(0, 1, 1, 1)


def test_disabling_a_required_camera_does_not_mend_the_coverage() -> None:
    blind = canteen("a", KeyPoint.COOKING)
    book = book_of(blind, canteen("b", KeyPoint.CUTTING))
    book.observe(verdict(State.OK, camera_id="b"), working=True, now_wall_ns=NOON_NS)
    off = Camera(
        "a", "rtsp://h/1", site_id="s", region="130102", key_point=KeyPoint.COOKING, required=True, enabled=False
    )
    book.upsert([off], NOON_NS)
    counts = county(book)
    assert (counts.cameras, counts.cameras_enabled, counts.canteens, counts.canteens_covered) == (2, 1, 1, 0)


def test_the_display_screen_rate_counts_canteens_whose_dining_screen_can_be_seen() -> None:
    screen, other = KeyPoint.DINING_SCREEN, KeyPoint.COOKING
    book = book_of(
        canteen("a", screen, site="seen"), canteen("b", screen, site="covered"), canteen("c", screen, site="unvisited"),
        canteen("d", other, site="none"),
    )  # fmt: skip
    book.observe(verdict(State.OK, camera_id="a"), working=True, now_wall_ns=NOON_NS)
    book.observe(verdict(State.FAULT, [FaultKind.COVERED], camera_id="b"), working=True, now_wall_ns=NOON_NS)
    counts = county(book)
    assert counts.screens_registered == 3
    assert rates(counts)[KpiName.DISPLAY_SCREEN] == Rate(1, 4, 4, 2)


def test_a_camera_that_moves_takes_its_day_with_it() -> None:
    book = book_of(canteen("a", KeyPoint.COOKING), canteen("b", KeyPoint.COOKING, site="t", region="130103"))
    book.observe(verdict(State.OK, camera_id="a"), working=True, now_wall_ns=NOON_NS)
    book.add_periods("a", 3, 2, NOON_NS)
    book.upsert([canteen("a", KeyPoint.COOKING, site="t", region="130103")], NOON_NS)
    counties = {place: counts for (_, place), counts in book.drain_changes().counties.items()}
    assert not any(counties["130102"])
    moved = counties["130103"]
    assert (moved.cameras, moved.cameras_clear, moved.periods_due, moved.periods_kept, moved.canteens) == (
        2,
        1,
        3,
        2,
        1,
    )


def test_at_midnight_a_new_day_begins_and_late_verdicts_still_count_for_the_old_one() -> None:
    book = book_of(canteen("a", KeyPoint.COOKING))
    midnight = MIDNIGHT_NS + DAY_NS
    book.observe(verdict(State.OK, camera_id="a", at=midnight - S), working=True, now_wall_ns=midnight + S)
    changes = book.drain_changes()
    assert changes.counties[MONDAY, "130102"].cameras_clear == 1
    assert changes.counties[MONDAY + 1, "130102"] == Counts(
        cameras=1, cameras_enabled=1, canteens=1, canteens_required=1
    )
    assert changes.closed == ()
    book.advance(midnight + LATE_NS)
    over = book.drain_changes()
    assert (over.closed, over.canteens[MONDAY, "130102"]["s"].cameras_clear) == ((MONDAY,), 1)
    book.observe(verdict(State.OK, camera_id="a", at=midnight - S), working=True, now_wall_ns=midnight + LATE_NS)
    assert (book.drain_late_count(), book.drain_late_count(), book.drain_changes().counties) == (1, 0, {})


def test_days_that_are_over_keep_the_registry_that_they_had() -> None:
    book = book_of(canteen("a", KeyPoint.COOKING), canteen("b", KeyPoint.COOKING))
    midnight = MIDNIGHT_NS + DAY_NS
    book.drain_changes()
    book.remove(["b"], midnight + S)
    book.observe(verdict(State.OK, camera_id="a", at=midnight - S), working=True, now_wall_ns=midnight + S)
    counties = book.drain_changes().counties
    assert (counties[MONDAY, "130102"].cameras, counties[MONDAY + 1, "130102"].cameras) == (2, 1)


def test_a_verdict_from_the_future_counts_for_today() -> None:
    book = book_of(canteen("a", KeyPoint.COOKING))
    book.observe(verdict(State.OK, camera_id="a", at=NOON_NS + 40 * DAY_NS), working=True, now_wall_ns=NOON_NS)
    assert (book.today, county(book).cameras_clear) == (MONDAY, 1)


def test_the_day_is_that_of_the_kitchens_time_zone() -> None:
    assert Days("Asia/Shanghai").of(MIDNIGHT_NS - 1) == MONDAY - 1
    assert Days("Asia/Shanghai").of(MIDNIGHT_NS) == MONDAY
    assert Days("UTC").of(MIDNIGHT_NS) == MONDAY - 1
    spring = Days("America/Santiago")  # clocks leave midnight out on 2023-09-03
    begin = spring.begin_ns(date(2023, 9, 3).toordinal())
    assert (spring.of(begin), spring.of(begin - 1)) == (date(2023, 9, 3).toordinal(), date(2023, 9, 2).toordinal())


def counted(day: int, region: str, canteen: str = "", **counts: Any) -> RegionCounts:
    return RegionCounts(region, canteen, day, Counts(**counts))


def table(by: KpiBy, rows: list[RegionCounts], **query: Any) -> KpiTable:
    return table_of(KpiQuery(by=by, **query), rows, None, len({row.day for row in rows}))


def test_days_of_one_region_add_up_to_camera_days_unless_each_day_is_wanted() -> None:
    rows = [
        counted(MONDAY, "1301", cameras=2, cameras_measured=2, cameras_clear=1),
        counted(MONDAY, "1302", cameras=1, cameras_measured=1, cameras_clear=1),
        counted(MONDAY + 1, "1301", cameras=2, cameras_measured=1, cameras_clear=1),
    ]
    cities = table(KpiBy.CITY, rows)
    assert [(row.region, row.days, row.rates[KpiName.CLARITY].value) for row in cities.rows] == [
        ("1301", 2, 2 / 3), ("1302", 1, 1.0),
    ]  # fmt: skip
    assert (cities.total.counts.cameras, cities.total.days) == (5, 2)
    daily = table(KpiBy.CITY, rows, each_day=True)
    assert [(row.region, row.day) for row in daily.rows] == [
        ("1301", date(2023, 11, 20)), ("1301", date(2023, 11, 21)), ("1302", date(2023, 11, 20)),
    ]  # fmt: skip


def test_pages_of_canteens_follow_each_other() -> None:
    rows = [counted(MONDAY, "130102", f"s{number},x", cameras=1) for number in range(5)]
    seen, token = [], ""
    while True:
        page = table(KpiBy.CANTEEN, rows, page_size=2, page_token=token)
        seen += [row.site_id for row in page.rows]
        assert page.total.counts.cameras == 5
        token = page.next_page_token
        if not token:
            break
    assert seen == [f"s{number},x" for number in range(5)]
    with pytest.raises(ValueError, match="not from this list"):
        table(KpiBy.CANTEEN, rows, page_token="whatever")


def test_the_league_gives_equal_rates_one_place_and_none_to_who_measured_too_little() -> None:
    def county_row(region: str, measured: int, clear: int) -> RegionCounts:
        return counted(MONDAY, region, cameras=10, cameras_enabled=10, cameras_measured=measured, cameras_clear=clear)

    now = table(
        KpiBy.COUNTY,
        [
            county_row("130101", 10, 8),
            county_row("130102", 10, 9),
            county_row("130103", 5, 4),
            county_row("130104", 1, 1),
        ],
    )
    before = table(KpiBy.COUNTY, [county_row("130101", 10, 2)])
    lines = league(LeagueQuery(), now, before).rows
    assert [(line.place, line.row.region) for line in lines] == [
        (1, "130102"), (2, "130101"), (2, "130103"), (None, "130104"),
    ]  # fmt: skip
    assert [line.before.value if line.before else None for line in lines] == [None, 0.2, None, None]
