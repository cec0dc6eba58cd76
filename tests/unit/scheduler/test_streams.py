"""Which stream a visit is made on: the sub-stream where nothing is to be proved, the main stream where something is."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.config.calendar import Calendar
from engine.model.camera import CameraStream, KeyPoint
from engine.model.schedule import SetAsideReason
from engine.model.verdict import State
from engine.model.visit import FailureReason
from engine.scheduler.events import OutageBegan, SettingsChanged, SubStreamSetAside
from engine.scheduler.streams import REST_MAX
from tests.support.scheduler.scheduling import Patrol, cameras, settings

PERIOD_S = 100
FAULT_SEEN = State.FAULT, State.OK
ALL_WELL = State.OK, State.OK


def patrol_of(
    policy: str = "sub_with_main", *, main_every: int = 4, count: int = 1, sub: bool = True, **changes: Any
) -> Patrol:
    host = changes.pop("host", "")
    chosen = settings(PERIOD_S, streams={"ordinary": policy}, main_every=main_every, confirm_spacing_s=10)
    patrol = Patrol(chosen, **changes)
    patrol.handle(cameras(count, host=host, sub=sub))
    return patrol


def run_told(judged: Callable[[str, float], "tuple[Any, ...]"], visits: int = 12) -> Patrol:
    """Run a patrol whose judge is told the stream of the visit, as `Patrol.streams` has it, and the time in seconds."""

    def verdict(camera: str, at_s: float) -> "tuple[Any, ...]":
        return judged(patrol.streams(camera)[-1], at_s)

    patrol: Patrol = patrol_of("sub", verdict=verdict)
    return patrol.run(visits * PERIOD_S)


def test_one_visit_in_main_every_is_on_the_main_stream() -> None:
    streams = patrol_of().run(40 * PERIOD_S).streams()
    assert "MsssMsssMsss" in streams
    assert streams.count("M") in (len(streams) // 4, len(streams) // 4 + 1)


def test_visits_on_the_main_stream_are_spread_over_the_periods() -> None:
    patrol = patrol_of(main_every=10, count=200).run(20 * PERIOD_S)
    by_period: dict[int, int] = {}
    for start in patrol.starts:
        if start.stream is CameraStream.MAIN and start.at_s > 5 * PERIOD_S:
            by_period[int(start.at_s // PERIOD_S)] = by_period.get(int(start.at_s // PERIOD_S), 0) + 1
    assert len(by_period) == 15
    assert max(by_period.values()) < 2 * 200 / 10


@pytest.mark.parametrize(("policy", "sub"), [("main", True), ("sub", False), ("sub_with_main", False)])
def test_without_a_policy_or_a_sub_stream_all_visits_are_on_the_main_stream(policy: str, sub: bool) -> None:
    assert set(patrol_of(policy, sub=sub).run(10 * PERIOD_S).streams()) == {"M"}


def test_each_class_has_its_own_policy_and_a_reload_changes_it() -> None:
    patrol = Patrol(settings(PERIOD_S, streams={"key_point": "sub"}))
    patrol.handle(cameras(1, sub=True))
    patrol.handle(cameras(1, name="k", key_point=KeyPoint.COOKING, sub=True))
    patrol.run(10 * PERIOD_S)
    assert (set(patrol.streams("c000")), set(patrol.streams("k000"))) == ({"M"}, {"s"})
    begun = len(patrol.streams("k000"))
    patrol.handle(SettingsChanged(settings(PERIOD_S, streams={"ordinary": "sub"}), Calendar()))
    patrol.run(20 * PERIOD_S)
    assert set(patrol.streams("k000")[begun:]) == {"M"}
    assert patrol.streams("c000").endswith("sssss")


def test_a_visit_that_somebody_asks_for_is_on_the_main_stream() -> None:
    patrol = patrol_of("sub").run(5 * PERIOD_S)
    assert set(patrol.streams()) == {"s"}
    patrol.check_now("c000")
    patrol.run(5 * PERIOD_S + 1)
    assert patrol.streams().endswith("sM")
    assert patrol.run(10 * PERIOD_S).streams().endswith("sMsssss")


def test_a_picture_that_disagrees_with_what_is_announced_is_looked_at_again_on_the_main_stream_and_soon() -> None:
    def judged(stream: str, at_s: float) -> tuple[Any, ...]:
        return *(FAULT_SEEN if at_s > 500 else ALL_WELL), CameraStream.SUB if stream == "s" else CameraStream.MAIN

    patrol = run_told(judged)
    assert patrol.streams().startswith("sssss")
    first = patrol.streams().index("M")
    assert patrol.gaps("c000")[first - 1] == 10
    assert set(patrol.streams()[first:]) == {"M"}


def test_a_sub_stream_that_shows_what_the_main_stream_does_not_is_set_aside_for_longer_each_time() -> None:
    def judged(stream: str, at_s: float) -> tuple[Any, ...]:
        return (*FAULT_SEEN, CameraStream.SUB, False, False) if stream == "s" else ALL_WELL

    patrol = run_told(judged, visits=300)
    aside = [action for _, action in patrol.actions_of(SubStreamSetAside)]
    assert [action.visits for action in aside[:6]] == [1, 3, 7, 15, 31, REST_MAX]
    assert {action.visits for action in aside[6:]} <= {REST_MAX}
    assert {action.reason for action in aside} == {SetAsideReason.CONTRADICTED}
    assert "sM" + "M" * 7 + "sM" + "M" * 15 + "s" in patrol.streams()


def test_the_judge_may_keep_a_camera_on_the_main_stream_without_a_hurry() -> None:
    patrol = run_told(lambda stream, at_s: (*ALL_WELL, CameraStream.MAIN, at_s < 500, False))
    assert set(patrol.gaps("c000")[1:]) == {PERIOD_S}
    streams = patrol.streams()
    assert streams[0] == "s"
    assert set(streams[1:5]) == {"M"}
    assert streams.endswith("sss")


def test_the_judge_may_want_the_main_stream_at_once() -> None:
    def judged(stream: str, at_s: float) -> tuple[Any, ...]:
        wanted = stream == "s" and at_s > 500
        return State.OK, State.OK, CameraStream.SUB if stream == "s" else CameraStream.MAIN, wanted, wanted

    patrol = run_told(judged, visits=7)
    assert "sM" in patrol.streams()
    assert patrol.gaps("c000")[patrol.streams().index("M") - 1] == 10


def test_after_a_sub_stream_that_fails_the_main_stream_is_visited_soon_and_the_sub_stream_is_set_aside() -> None:
    def answer(camera: str, at_s: float) -> FailureReason | None:
        return FailureReason.NOT_FOUND if patrol.streams(camera)[-1] == "s" else None

    patrol = patrol_of("sub", answer=answer)
    patrol.run(30 * PERIOD_S)
    assert patrol.streams().startswith("sMMsMMMMsMMMMMMMM")
    assert patrol.gaps("c000")[0] == 10
    assert [action.visits for _, action in patrol.actions_of(SubStreamSetAside)][:3] == [1, 3, 7]
    assert patrol.status().failing == {}
    assert patrol.plan("c000").failures == 0


def test_a_camera_that_is_offline_on_both_streams_backs_off_as_any_other() -> None:
    patrol = patrol_of("sub", answer=lambda camera, at_s: FailureReason.TIMEOUT_KEYFRAME)
    patrol.run(10 * PERIOD_S)
    assert patrol.streams().startswith("sMMM")
    assert set(patrol.streams()[1:]) == {"M"}
    assert patrol.status().failing == {"timeout_keyframe": 1}
    assert patrol.actions_of(SubStreamSetAside) == []


def test_a_platform_without_sub_streams_is_in_no_outage() -> None:
    def answer(camera: str, at_s: float) -> FailureReason | None:
        return FailureReason.NOT_FOUND if patrol.streams(camera)[-1] == "s" else None

    patrol = patrol_of("sub", count=40, host="platform", answer=answer)
    patrol.run(10 * PERIOD_S)
    assert patrol.actions_of(OutageBegan) == []


def test_an_outage_is_found_on_the_main_stream() -> None:
    down_s = 5 * PERIOD_S
    patrol = patrol_of(
        "sub", count=40, host="platform", answer=lambda _, at_s: FailureReason.REFUSED if at_s > down_s else None
    )
    patrol.run(10 * PERIOD_S)
    ((at_s, _),) = patrol.actions_of(OutageBegan)
    assert at_s < down_s + PERIOD_S


def test_a_lost_visit_says_nothing_about_the_sub_stream() -> None:
    patrol = patrol_of("sub", answer=lambda _, at_s: FailureReason.LOST if 300 < at_s < 400 else None)
    patrol.run(10 * PERIOD_S)
    assert set(patrol.streams()) == {"s"}
    assert patrol.actions_of(SubStreamSetAside) == []


def test_a_camera_that_loses_its_sub_stream_is_visited_on_the_main_one_and_keeps_its_time() -> None:
    patrol = patrol_of("sub").run(5 * PERIOD_S)
    patrol.handle(cameras(1, sub=False))
    patrol.run(8 * PERIOD_S)
    assert patrol.streams().endswith("sMMM")
    assert set(patrol.gaps("c000")[1:]) == {PERIOD_S}
    table = patrol.scheduler.table
    assert (table.stream[0], table.sub_visits[0], table.sub_rest[0], table.sub_strikes[0]) == (0, 0, 0, 0)


def test_a_push_camera_has_no_sub_stream() -> None:
    patrol = Patrol(settings(PERIOD_S, streams={"ordinary": "sub"}))
    patrol.handle(cameras(1, sub=True, push=True))
    assert patrol.scheduler.table.stream[0] == 0


@pytest.mark.parametrize(
    ("policy", "said"),
    [("main", "its class does not use"), ("sub", "on the sub-stream"), ("sub_with_main", "stream")],
)
def test_the_plan_of_a_camera_says_which_stream_is_next(policy: str, said: str) -> None:
    patrol = patrol_of(policy).run(5 * PERIOD_S)
    assert any(said in sentence for sentence in patrol.plan("c000").because)


def test_the_plan_is_that_of_the_next_visit() -> None:
    patrol = patrol_of(main_every=3)
    for visit in range(3, 20):
        patrol.run(visit * PERIOD_S)
        said = " ".join(patrol.plan("c000").because)
        before = len(patrol.streams())
        patrol.run(visit * PERIOD_S + PERIOD_S - 1)
        if len(patrol.streams()) > before:
            assert ("next visit is on the sub-stream" in said) == (patrol.streams()[before] == "s"), visit
