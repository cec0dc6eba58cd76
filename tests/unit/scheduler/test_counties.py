"""Counties share recorders and platforms: none is held up by what another has, however much that is."""

from collections import Counter, deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from engine.model.visit import FailureReason
from engine.scheduler.events import Action, CameraPlan, CamerasUpserted, CapacityChanged, Event, StartVisit
from tests.support.scheduler.scheduling import Patrol, settings

GREEDY, NEIGHBOUR = "130102", "130203"
DEADLINE_S, VISIT_S = 12.0, 1.5
CAPS = {"uplink": "visits_per_uplink_max", "host": "visits_per_host_max"}


def cameras(county: str, count: int, uplink: str = "", host: str = "") -> list[CameraPlan]:
    """Cameras named after their county; without an uplink nothing but the whole patrol's cap holds them back."""
    return [CameraPlan(f"{county}-{n}", uplink, host, county) for n in range(count)]


def county_of(camera_id: str) -> str:
    return camera_id.partition("-")[0]


def patrol_of(
    plans: list[CameraPlan], takes_s: Callable[[str], float], silent: bool = True, **changes: float
) -> Patrol:
    """A patrol where a visit of a camera takes `takes_s`. `silent`: the cameras of GREEDY never answer."""
    lengths: deque[float] = deque()

    def watch(event: Event, actions: list[Action], now_ns: int) -> None:
        lengths.extend(takes_s(action.camera_id) for action in actions if isinstance(action, StartVisit))

    def answer(camera_id: str, at_s: float) -> FailureReason | None:
        return FailureReason.TIMEOUT_KEYFRAME if silent and county_of(camera_id) == GREEDY else None

    chosen = settings(backoff_stream_first_s=1, backoff_max_s=1, outage_cameras_min=1000, **changes)
    patrol = Patrol(chosen, answer=answer, watch=watch, takes_s=lengths.popleft)
    patrol.handle(CamerasUpserted(plans))
    return patrol


def visits(patrol: Patrol, county: str, from_s: float, until_s: float) -> int:
    return sum(county_of(start.camera_id) == county and from_s <= start.at_s < until_s for start in patrol.starts)


def length_of(camera_id: str) -> float:
    return DEADLINE_S if county_of(camera_id) == GREEDY else VISIT_S


@pytest.mark.parametrize(("gate", "silent"), [("uplink", True), ("host", True), ("uplink", False), ("host", False)])
def test_slow_cameras_of_one_county_leave_its_neighbour_its_share(gate: str, silent: bool) -> None:
    """Twelve silent ones once took four cameras of the neighbour, on one recorder, from 40 visits a minute to 1."""
    where = {gate: "shared"}
    changes: dict[str, float] = {CAPS[gate]: 1, "period_s": 5, "stretch_max": 1}
    plans = [*cameras(GREEDY, 12, **where), *cameras(NEIGHBOUR, 4, **where)]
    patrol = patrol_of(plans, length_of, silent, **changes)
    patrol.run(180)
    # Alone it has 80. Half of the time is left to it, less what passes while none of its four cameras is due.
    assert visits(patrol, NEIGHBOUR, 60, 180) >= 18
    assert visits(patrol, GREEDY, 60, 180) >= 4, "it has its share too"


def test_checks_that_somebody_asks_for_do_not_take_a_recorder_from_the_neighbour() -> None:
    plans = [*cameras(GREEDY, 12, "shared"), *cameras(NEIGHBOUR, 4, "shared")]
    patrol = patrol_of(plans, length_of, period_s=5)
    for second in range(60, 180):
        patrol.run(second)
        patrol.check_now(*(plan.camera_id for plan in plans if plan.county == GREEDY))
    assert visits(patrol, NEIGHBOUR, 60, 180) >= 18


def test_a_county_alone_has_the_whole_gate() -> None:
    patrol = patrol_of([*cameras(NEIGHBOUR, 40, "shared"), *cameras(GREEDY, 1, "other")], lambda _: 1.0)
    patrol.run(45)
    assert visits(patrol, NEIGHBOUR, 0, 42) >= 40


@given(
    gate=st.sampled_from(list(CAPS)),
    cap=st.integers(1, 6),
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=5),
)
@example_settings(max_examples=40, deadline=None)
def test_no_county_takes_more_than_its_share_of_a_gate_while_others_wait(
    gate: str, cap: int, counts: list[int]
) -> None:
    """All cameras are due at once, and each visit takes as long as every other. The first `cap` visits find the gate
    free and begin by deadline; all others wait there, and are shared."""
    where = {gate: "shared"}
    caps: dict[str, float] = {CAPS[gate]: cap, "period_s": 10_000}
    plans = [plan for n, count in enumerate(counts) for plan in cameras(f"1301{n:02}", count, **where)]
    patrol = Patrol(settings(**caps), takes_s=1.0)
    patrol.handle(CapacityChanged(0))
    patrol.handle(CamerasUpserted(plans))
    patrol.run(1)
    assert not patrol.starts
    patrol.handle(CapacityChanged(1000))
    patrol.run(sum(counts) + 10)
    waiting = Counter(plan.county for plan in plans)
    taken: Counter[str] = Counter()
    for start in patrol.starts:
        county = county_of(start.camera_id)
        taken[county] += 1
        waiting[county] -= 1
        share = -(-taken.total() // len(counts))
        assert taken[county] <= share + cap, f"{county} began {taken[county]} of {taken.total()}"
        if not waiting[county]:
            break  # from here on the others share what it leaves
    assert taken.total() >= min(counts)
