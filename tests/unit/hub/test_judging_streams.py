"""What the hub's judge tells of a camera that has a sub-stream, had one, or never had one."""

from dataclasses import replace
from typing import Any

import pytest

from engine.hub.keyframes.judge_state_store import JudgeStateStore
from engine.hub.keyframes.judging import Judge, Judgement
from engine.hub.registry import Registry
from engine.judge.state import JudgeState
from engine.model.camera import Camera, CameraStream
from engine.model.keyframe import Codec, Keyframe
from engine.model.verdict import State
from engine.model.visit import FeedKind
from tests.support.judge_states import SETTINGS, a_measurement, learned

BOTH = Camera("c", "rtsp://h/1", sub_url="rtsp://h/2")
MAIN, SUB = CameraStream.MAIN, CameraStream.SUB


class Site:
    """One camera in a registry, and its judge."""

    def __init__(self, camera: Camera, state: JudgeState) -> None:
        self.registry = Registry([camera], {})
        self.states = JudgeStateStore([("c", state.to_bytes())])
        self.judge = Judge(SETTINGS, self.registry, self.states, lambda camera, wall_ns: True)

    def saw(self, stream: CameraStream, at: int, *, dark: bool = False) -> Judgement:
        look: dict[str, Any] = {"sharpness": None, "luma_mean": 12.0} if dark else {}
        measurement = replace(a_measurement(15 * at, **look), camera_id="c", headers=7)
        arrival_ns = measurement.arrival_wall_ns
        keyframe = Keyframe("c", at, Codec.H264, b"", arrival_ns, None, FeedKind.RTSP, stream=stream)
        judgement = self.judge.judge_measurement(keyframe, measurement)
        assert judgement is not None
        return judgement


@pytest.fixture
def known() -> JudgeState:
    state = learned()._replace(announced=State.OK, headers=7)
    return state.with_sub_stream(state)


def test_a_camera_that_is_well_and_learned_may_be_visited_on_its_sub_stream(known: JudgeState) -> None:
    site = Site(BOTH, known)
    for at, stream in ((900, SUB), (901, MAIN)):
        judgement = site.saw(stream, at)
        assert (judgement.verdict.stream, judgement.main_next, judgement.main_soon) == (stream, False, False)


def test_a_new_camera_is_learned_on_its_main_stream() -> None:
    site = Site(BOTH, JudgeState())
    wanted = [site.saw(MAIN, at).main_next for at in range(SETTINGS.baseline_visits_min)]
    assert wanted == [True] * (SETTINGS.baseline_visits_min - 1) + [False]


def test_the_main_stream_is_wanted_at_once_for_what_the_sub_stream_would_announce(known: JudgeState) -> None:
    site = Site(BOTH, known)
    first, second = site.saw(SUB, 900, dark=True), site.saw(SUB, 901, dark=True)
    assert (first.main_soon, second.main_soon, second.main_next) == (False, True, True)
    assert not second.changed
    assert not second.announcement_changed
    third = site.saw(MAIN, 902, dark=True)
    assert third.announcement_changed
    assert (third.main_next, third.main_soon) == (True, False), "a fault is announced"


def test_a_camera_without_a_sub_stream_wants_nothing_and_forgets_the_one_it_had(known: JudgeState) -> None:
    site = Site(replace(BOTH, sub_url=""), known._replace(main_wanted=3))
    judgement = site.saw(MAIN, 900, dark=True)
    assert (judgement.main_next, judgement.main_soon) == (False, False)
    kept = JudgeState.from_bytes(judgement.judge_state)
    assert (kept.sub, kept.main_wanted) == (b"", 0)


def test_a_reset_makes_both_streams_learn_anew(known: JudgeState) -> None:
    site = Site(BOTH, known)
    site.judge.reset_baselines(["c"])
    assert site.states.get("c").sub == b""
    assert site.states.known_area("c", SUB) is None
    assert site.saw(MAIN, 900).main_next
