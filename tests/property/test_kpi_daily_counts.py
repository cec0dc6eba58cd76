"""Whatever happens, in whatever order: the counts kept up are those that somebody counts afterwards.

The twin below is written from docs/kpis.md, without a line of engine/kpi.
"""

from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kpi.camera_day import observe
from engine.kpi.daily_counts import DailyCounts
from engine.model.camera import Camera, CameraStream, KeyPoint
from engine.model.kpi import CameraFacts, Counts, KpiChanges
from engine.model.verdict import FaultKind, State, Verdict

DAY_NS = 86_400 * 10**9
MONDAY_NS = 1_700_438_400 * 10**9 - 8 * 3600 * 10**9  # 2023-11-20 00:00 in Shanghai
NOW_NS = MONDAY_NS + 12 * 3600 * 10**9
POINTS = (KeyPoint.COOKING, KeyPoint.CUTTING, KeyPoint.DINING_SCREEN)
IDS = [f"c{number}" for number in range(7)]

CAMERAS = st.builds(
    Camera,
    camera_id=st.sampled_from(IDS),
    url=st.just("rtsp://h/1"),
    site_id=st.sampled_from(["", "s1", "s2"]),
    region=st.sampled_from(["130102", "130103", "1301"]),
    key_point=st.sampled_from(POINTS),
    required=st.booleans(),
    enabled=st.booleans(),
)
KINDS = st.sets(
    st.sampled_from([FaultKind.BLURRED, FaultKind.PARTLY_COVERED, FaultKind.COVERED, FaultKind.FROZEN, FaultKind.MOVED])
).map(tuple)


@st.composite
def verdicts(draw: st.DrawFn) -> tuple[Verdict, bool]:
    state, announced = draw(st.sampled_from(State)), draw(st.sampled_from(State))
    return Verdict(
        camera_id=draw(st.sampled_from(IDS)),
        visit_id=draw(st.integers(0, 50)),
        at_wall_ns=MONDAY_NS + draw(st.integers(0, 10)) * 10**12,
        state=state,
        kinds=draw(KINDS) if state == State.FAULT else (),
        announced=announced,
        announced_kinds=draw(KINDS) if announced == State.FAULT else (),
        stream=draw(st.sampled_from(CameraStream)),
    ), draw(st.booleans())


@dataclass(frozen=True)
class Periods:
    camera_id: str
    due: int
    kept: int


HAPPENINGS = st.one_of(
    CAMERAS,
    verdicts(),
    st.builds(Periods, st.sampled_from(IDS), st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from(IDS),  # removed
)


Happening = Camera | tuple[Verdict, bool] | Periods | str


def counted_afterwards(happenings: list[Happening]) -> dict[str, Counts]:
    registry: dict[str, Camera] = {}
    past: dict[str, list[tuple[Verdict, bool]]] = {}
    periods: Counter[tuple[str, str]] = Counter()
    for happening in happenings:
        if isinstance(happening, Camera):
            registry[happening.camera_id] = happening
        elif isinstance(happening, Periods):
            if happening.camera_id in registry:
                periods[happening.camera_id, "due"] += happening.due
                periods[happening.camera_id, "kept"] += happening.kept
        elif isinstance(happening, str):
            registry.pop(happening, None)
            past.pop(happening, None)
            periods[happening, "due"] = periods[happening, "kept"] = 0
        elif happening[0].camera_id in registry and happening[0].visit_id:
            past.setdefault(happening[0].camera_id, []).append(happening)
    found: dict[str, Counts] = {}
    for county in {camera.region for camera in registry.values()}:
        here = [camera for camera in registry.values() if camera.region == county]
        on = [camera for camera in here if camera.enabled]
        sites = {camera.site_id for camera in here if camera.site_id}
        required = {s: {c.key_point for c in here if c.site_id == s and c.required} for s in sites}
        seen = {s: {c.key_point for c in on if c.site_id == s and c.camera_id in past} for s in sites}
        shown = {
            s: {c.key_point for c in on if c.site_id == s and _online(past, c) and _standing(past, c)[1]} for s in sites
        }
        screen = KeyPoint.DINING_SCREEN
        found[county] = Counts(
            cameras=len(here),
            cameras_enabled=len(on),
            cameras_visited=sum(camera.camera_id in past for camera in on),
            cameras_measured=sum(_of_main(past, camera) != [] for camera in on),
            cameras_online=sum(_online(past, camera) for camera in on),
            cameras_clear=sum(_standing(past, camera)[0] for camera in on),
            canteens=len(sites),
            canteens_required=sum(bool(required[s]) for s in sites),
            canteens_measured=sum(bool(required[s]) and required[s] <= seen[s] for s in sites),
            canteens_covered=sum(bool(required[s]) and required[s] <= shown[s] for s in sites),
            screens_registered=len({c.site_id for c in here if c.site_id and c.key_point == screen}),
            screens_measured=sum(screen in seen[s] for s in sites),
            screens_shown=sum(screen in shown[s] for s in sites),
            periods_due=sum(periods[camera.camera_id, "due"] for camera in on),
            periods_kept=sum(periods[camera.camera_id, "kept"] for camera in on),
        )
    return found


def _pictures(past: dict[str, list[tuple[Verdict, bool]]], camera: Camera) -> list[tuple[Verdict, bool]]:
    return [(v, working) for v, working in past.get(camera.camera_id, []) if v.state != State.OFFLINE]


def _of_main(past: dict[str, list[tuple[Verdict, bool]]], camera: Camera) -> list[tuple[Verdict, bool]]:
    return [(v, working) for v, working in _pictures(past, camera) if v.stream is CameraStream.MAIN]


def _online(past: dict[str, list[tuple[Verdict, bool]]], camera: Camera) -> bool:
    return any(FaultKind.FROZEN not in verdict.kinds for verdict, _ in _pictures(past, camera))


def _standing(past: dict[str, list[tuple[Verdict, bool]]], camera: Camera) -> tuple[bool, bool]:
    """Whether the day's picture is clear, and whether it is unobstructed."""
    judged = [
        (working, v.at_wall_ns, v.visit_id, -number, v)
        for number, (v, working) in enumerate(_of_main(past, camera))
        if v.state in (State.OK, State.FAULT) or v.announced == State.UNKNOWN
    ]
    if not judged:
        hidden = {FaultKind.COVERED, FaultKind.PARTLY_COVERED, FaultKind.FROZEN}
        seen = [v for v, _ in _pictures(past, camera) if v.stream is CameraStream.SUB and v.announced == State.OK]
        return False, any(not hidden & set(v.kinds) for v in seen)
    verdict = max(judged, key=lambda entry: entry[:3])[4]
    if verdict.announced == State.UNKNOWN:
        return False, False
    kinds = set(verdict.kinds if verdict.announced == State.OFFLINE else verdict.announced_kinds)
    clear = not kinds & {FaultKind.BLURRED, FaultKind.COVERED}
    return clear, not kinds & {FaultKind.COVERED, FaultKind.PARTLY_COVERED, FaultKind.FROZEN}


def play(book: DailyCounts, happenings: list[Happening], now_ns: int = NOW_NS) -> None:
    for happening in happenings:
        if isinstance(happening, Camera):
            book.upsert([happening], now_ns)
        elif isinstance(happening, Periods):
            book.add_periods(happening.camera_id, happening.due, happening.kept, now_ns)
        elif isinstance(happening, str):
            book.remove([happening], now_ns)
        else:
            book.observe(happening[0], working=happening[1], now_wall_ns=now_ns)


def one_verdict_a_visit(happenings: list[Any]) -> list[Any]:
    """A visit ends once: of two verdicts with one id and moment only the first is real."""
    seen: set[tuple[str, int, int, bool]] = set()
    real: list[Any] = []
    for happening in happenings:
        if isinstance(happening, tuple):
            key = (happening[0].camera_id, happening[0].at_wall_ns, happening[0].visit_id, happening[1])
            if key in seen:
                continue
            seen.add(key)
        real.append(happening)
    return real


@given(st.lists(HAPPENINGS, max_size=60).map(one_verdict_a_visit))
@settings(max_examples=300, deadline=None)
def test_counts_kept_up_are_those_counted_afterwards(happenings: list[Happening]) -> None:
    book = DailyCounts("Asia/Shanghai", [], NOW_NS)
    play(book, happenings)
    book.check_invariants()
    kept = {county: counts for (_, county), counts in book.drain_changes().counties.items() if any(counts)}
    assert kept == counted_afterwards(happenings)


@given(st.lists(HAPPENINGS, max_size=40), st.lists(HAPPENINGS, max_size=40).map(one_verdict_a_visit))
@settings(max_examples=150, deadline=None)
def test_the_next_day_begins_with_the_registry_and_nothing_seen(
    before: list[Happening], after: list[Happening]
) -> None:
    book = DailyCounts("Asia/Shanghai", [], NOW_NS)
    play(book, before)
    book.advance(NOW_NS + DAY_NS)
    book.check_invariants()
    registry = [happening for happening in before if isinstance(happening, Camera | str)]
    tomorrow = [
        (replace(row[0], at_wall_ns=row[0].at_wall_ns + DAY_NS), row[1]) if isinstance(row, tuple) else row
        for row in after
    ]
    play(book, tomorrow, NOW_NS + DAY_NS)
    book.check_invariants()
    kept = {
        county: counts
        for (day, county), counts in book.drain_changes().counties.items()
        if day == book.today and any(counts)
    }
    assert kept == counted_afterwards([*registry, *tomorrow])


@given(st.lists(HAPPENINGS, max_size=60), st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=200, deadline=None)
def test_what_is_written_brings_the_same_counts_back_after_a_restart(
    happenings: list[Happening], cuts: list[int]
) -> None:
    written = KpiChanges()
    book = DailyCounts("Asia/Shanghai", [], NOW_NS)
    registry: dict[str, Camera] = {}
    begin = 0
    for end in (*sorted(cuts), len(happenings)):
        play(book, happenings[begin:end])
        for happening in happenings[begin:end]:
            if isinstance(happening, Camera):
                registry[happening.camera_id] = happening
            elif isinstance(happening, str):
                registry.pop(happening, None)
        begin = max(begin, end)
        written = written.followed_by(book.drain_changes())
        facts = {camera_id: known for (_, camera_id), known in written.cameras.items()}
        again = DailyCounts("Asia/Shanghai", registry.values(), NOW_NS, facts)
        again.check_invariants()
        assert {k: c for k, c in again.drain_changes().counties.items() if any(c)} == {
            k: c for k, c in written.counties.items() if any(c)
        }


@given(st.lists(verdicts(), max_size=12).map(one_verdict_a_visit), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_the_order_of_verdicts_does_not_matter_and_hearing_one_twice_neither(
    heard: list[tuple[Verdict, bool]], random: Random
) -> None:
    # Two verdicts of one visit are the same verdict; those that differ are of visits that differ.
    heard = [
        (replace(v, camera_id="c", visit_id=v.visit_id and v.visit_id + 100 * n), w) for n, (v, w) in enumerate(heard)
    ]
    shuffled = [*heard, *heard]
    random.shuffle(shuffled)
    assert _facts(heard) == _facts(shuffled)


def _facts(heard: list[tuple[Verdict, bool]]) -> CameraFacts:
    facts = CameraFacts()
    for verdict, working in heard:
        facts = observe(facts, verdict, working=working)
    return facts
