"""A picture that stands still: proof, suspicion, and what proves nothing."""

import dataclasses

import numpy as np
import pytest

from engine.judge.rules import judge_measurement
from engine.model.measurement import Measurement
from engine.model.verdict import Cause, FaultKind, State
from engine.model.visit import FeedKind
from tests.support.judge_states import HOUR_NS, SCENE, SETTINGS, a_measurement, judge_all, learned


def gateway(at: int, stream_s: float | None, **picture: object) -> Measurement:
    """A picture pushed by a gateway, whose clock goes on from visit to visit."""
    stream_ns = None if stream_s is None else round(stream_s * 1e9)
    pushed = a_measurement(at, **picture)  # type: ignore[arg-type]
    return dataclasses.replace(pushed, source=FeedKind.GATEWAY, stream_time_ns=stream_ns)


def test_three_equal_pictures_are_frozen_and_said_at_once() -> None:
    verdicts, _ = judge_all([a_measurement(at, still=True) for at in range(3)])
    assert [verdict.kinds for verdict in verdicts] == [(), (), (FaultKind.FROZEN,)]
    assert verdicts[-1].announced_kinds == (FaultKind.FROZEN,)
    assert verdicts[-1].cause == verdicts[-1].announced_cause == Cause.PICTURE_STILL
    assert verdicts[-1].figures["same_visits"] == 3


def test_a_ticking_clock_does_not_hide_a_frozen_picture() -> None:
    ticking = []
    for at in range(3):
        shown = SCENE.copy()
        shown[:2, :12] += 3.0 * at
        ticking.append(a_measurement(at, cells=shown, still=True))
    assert judge_all(ticking)[0][-1].kinds == (FaultKind.FROZEN,)


def test_a_frozen_picture_teaches_nothing() -> None:
    _, before = judge_all([a_measurement(at, still=True) for at in range(3)])
    _, after = judge_measurement(a_measurement(3, still=True), before, SETTINGS)
    assert after.day_baseline == before.day_baseline


def test_a_still_scene_with_sensor_noise_is_not_frozen() -> None:
    rng = np.random.default_rng(1)
    visits = [a_measurement(at, cells=SCENE + rng.normal(0, 0.08, SCENE.shape), still=True) for at in range(8)]
    assert all(verdict.state == State.OK for verdict in judge_all(visits)[0])


def test_a_slow_drift_is_not_frozen() -> None:
    visits = [a_measurement(at, cells=SCENE + 0.008 * at, still=True) for at in range(12)]
    assert all(verdict.state == State.OK for verdict in judge_all(visits)[0])


def test_a_picture_coded_anew_is_frozen_where_the_room_usually_changes() -> None:
    lively = [a_measurement(15 * at, cells=SCENE + 8 * (at % 2)) for at in range(8)]
    _, history = judge_all(lively)
    rng = np.random.default_rng(2)
    coded_anew = [
        a_measurement(900 + 15 * at, cells=SCENE + rng.normal(0, 0.1, SCENE.shape), still=True) for at in range(3)
    ]
    assert judge_all(coded_anew, history)[0][-1].kinds == (FaultKind.FROZEN,)
    calm = [a_measurement(15 * at, cells=SCENE + rng.normal(0, 0.1, SCENE.shape), still=True) for at in range(8)]
    _, history = judge_all(calm)
    assert judge_all(coded_anew, history)[0][-1].state == State.OK


def test_a_person_who_moves_in_a_still_room_proves_that_it_is_not_frozen() -> None:
    _, history = judge_all([a_measurement(15 * at, cells=SCENE + 8 * (at % 2)) for at in range(8)])
    rng, visits = np.random.default_rng(3), []
    for at in range(5):
        shown = SCENE + rng.normal(0, 0.1, SCENE.shape)
        shown[4:12, 4 * at : 4 * at + 6] -= 20
        visits.append(a_measurement(900 + 15 * at, cells=shown, still=True))
    assert all(FaultKind.FROZEN not in verdict.kinds for verdict in judge_all(visits, history)[0])


def test_a_room_without_people_proves_nothing() -> None:
    history = learned()
    for at in range(6):
        verdict, history = judge_measurement(a_measurement(900 + at, still=True), history, SETTINGS, working=False)
        assert verdict.state == State.OK


def test_a_black_picture_is_never_frozen_since_nothing_could_move_in_it() -> None:
    visits = [a_measurement(at, cells=np.zeros((18, 32)), still=True, luma_mean=0.0, sharpness=None) for at in range(5)]
    assert all(verdict.kinds == (FaultKind.TOO_DARK,) for verdict in judge_all(visits)[0])


def test_visits_close_together_prove_no_freeze() -> None:
    still = a_measurement(0, still=True)
    visits = [dataclasses.replace(still, arrival_wall_ns=10**18 + at * 10**9) for at in range(10)]
    assert all(verdict.state == State.OK for verdict in judge_all(visits)[0])


def test_a_gateway_that_sends_the_same_second_again_and_again_proves_no_freeze_of_the_camera() -> None:
    visits = [gateway(60 * at, 0.04 * at, still=True) for at in range(6)]
    assert all(verdict.state == State.OK for verdict in judge_all(visits)[0])


def test_a_gateway_whose_clock_stands_is_frozen_whatever_the_picture_does() -> None:
    verdicts, _ = judge_all([gateway(60 * at, 17.0) for at in range(3)])
    assert (verdicts[-1].kinds, verdicts[-1].cause) == ((FaultKind.FROZEN,), Cause.CLOCK_STILL)


@pytest.mark.parametrize("stream_s", [None, 0.0])
def test_sessions_that_count_from_an_origin_of_their_own_prove_nothing_by_it(stream_s: float | None) -> None:
    stream_ns = None if stream_s is None else 0
    visits = [dataclasses.replace(a_measurement(60 * at), stream_time_ns=stream_ns) for at in range(5)]
    assert all(verdict.state == State.OK for verdict in judge_all(visits)[0])


def test_a_frozen_picture_that_moves_again_is_ok_after_two_visits() -> None:
    frozen = [a_measurement(at, still=True) for at in range(3)]
    verdicts, _ = judge_all([*frozen, a_measurement(3), a_measurement(4)])
    assert [verdict.announced for verdict in verdicts[-2:]] == [State.FAULT, State.OK]
    assert verdicts[-1].at_wall_ns < HOUR_NS
