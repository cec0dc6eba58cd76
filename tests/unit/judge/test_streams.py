"""A camera on two streams: each has a baseline of its own, and only the main stream announces anything."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from engine.judge.baseline import from_earlier
from engine.judge.rules import judge_measurement, judge_undecoded
from engine.judge.state import JudgeState, known_area
from engine.judge.streams import judge_on_stream, wants_main
from engine.model.active_area import ActiveArea
from engine.model.camera import CameraStream
from engine.model.measurement import Measurement
from engine.model.verdict import FaultKind, State, UnknownReason, Verdict
from tests.support.judge_states import SETTINGS, a_measurement, earlier_baseline, learned

MAIN, SUB = CameraStream.MAIN, CameraStream.SUB


def look(
    stream: CameraStream, measurements: Sequence[Measurement], state: JudgeState
) -> tuple[list[Verdict], JudgeState]:
    verdicts = []
    for measurement in measurements:
        verdict, state = judge_on_stream(
            stream, partial(judge_measurement, measurement, settings=SETTINGS), state, SETTINGS
        )
        verdicts.append(verdict)
        state = JudgeState.from_bytes(state.to_bytes())
    return verdicts, state


def good(first: int, number: int) -> list[Measurement]:
    return [replace(a_measurement(15 * at), headers=7) for at in range(first, first + number)]


def dark(at: int) -> Measurement:
    return replace(a_measurement(15 * at, sharpness=None, luma_mean=12.0), headers=7)


@pytest.fixture(scope="module")
def usual() -> JudgeState:
    """A camera whose streams are both learned, and announced ok."""
    _, state = look(MAIN, good(0, 8), JudgeState())
    return look(SUB, good(8, 8), state)[1]


def test_each_stream_learns_for_itself(usual: JudgeState) -> None:
    sub = usual.of_sub_stream()
    assert (usual.learned_visits, sub.learned_visits) == (8, 8)
    before = usual.day_baseline
    _, after = look(SUB, good(16, 1), usual)
    assert (after.day_baseline, after.headers, after.tile_means) == (before, usual.headers, usual.tile_means)
    assert after.of_sub_stream().learned_visits == 9
    _, after = look(MAIN, good(16, 1), usual)
    assert (after.sub, after.learned_visits) == (usual.sub, 9)


def test_a_visit_on_the_main_stream_of_a_camera_without_another_is_judged_as_ever() -> None:
    state = learned()
    rule = partial(judge_measurement, dark(900), settings=SETTINGS)
    assert judge_on_stream(MAIN, rule, state, SETTINGS) == rule(state)


def test_what_a_sub_stream_shows_is_said_and_not_announced(usual: JudgeState) -> None:
    (first,), state = look(SUB, [dark(900)], usual)
    assert (first.state, first.stream, first.announced) == (State.FAULT, SUB, State.OK)
    (second,), state = look(SUB, [dark(901)], state)
    assert (second.kinds, second.announced, second.announced_kinds) == ((FaultKind.TOO_DARK,), State.OK, ())
    assert second.since_wall_ns == usual.since_wall_ns
    assert second.severity is None
    assert "a visit on the main stream decides" in second.detail
    assert state.main_wanted == 1
    (third,), state = look(MAIN, [dark(902)], state)
    assert (third.stream, third.announced, third.announced_kinds) == (MAIN, State.FAULT, (FaultKind.TOO_DARK,))
    assert state.main_wanted == 0
    assert [outcome.on_sub for outcome in state.outcomes[-3:]] == [True, True, False]


def test_a_sub_stream_that_agrees_with_the_main_stream_confirms_it(usual: JudgeState) -> None:
    _, state = look(SUB, [dark(900)], usual)
    (verdict,), _ = look(MAIN, [dark(901)], state)
    assert verdict.announced == State.FAULT, "two of three, one of them on each stream"


def test_a_kind_that_only_the_sub_stream_showed_is_not_announced(usual: JudgeState) -> None:
    noisy = [replace(a_measurement(15 * at, noise_floor=40.0), headers=7) for at in (900, 901)]
    verdicts, state = look(SUB, noisy, usual)
    assert {verdict.kinds for verdict in verdicts} == {(FaultKind.SNOW,)}
    (_, verdict), _ = look(MAIN, [dark(902), dark(903)], state)
    assert verdict.announced_kinds == (FaultKind.TOO_DARK,)


def test_a_sub_stream_withdraws_nothing(usual: JudgeState) -> None:
    _, state = look(MAIN, [dark(900), dark(901)], usual)
    verdicts, state = look(SUB, good(902, 3), state)
    assert {verdict.announced for verdict in verdicts} == {State.FAULT}
    assert wants_main(state, SETTINGS)
    (verdict,), state = look(MAIN, good(905, 1), state)
    assert verdict.announced == State.OK
    assert not wants_main(state, SETTINGS)


def test_the_first_announcement_waits_for_the_main_stream() -> None:
    (verdict,), state = look(SUB, good(0, 1), JudgeState())
    assert (verdict.state, verdict.announced) == (State.OK, State.UNKNOWN)
    assert verdict.since_wall_ns == verdict.at_wall_ns
    assert (state.main_wanted, wants_main(state, SETTINGS)) == (1, True)
    (verdict,), state = look(MAIN, good(1, 1), state)
    assert verdict.announced == State.OK, "two in a row, the last one on the main stream"


def test_the_main_stream_is_learned_first() -> None:
    visits = 0
    state = JudgeState()
    while wants_main(state, SETTINGS):
        _, state = look(MAIN, good(visits, 1), state)
        visits += 1
    assert visits == SETTINGS.baseline_visits_min


def test_a_frozen_sub_stream_has_the_main_stream_looked_at_until_it_decides(usual: JudgeState) -> None:
    still = replace(a_measurement(15 * 20), headers=7)
    at_ns = [still.arrival_wall_ns + 10**9 * 300 * number for number in range(20)]
    pictures = [replace(still, arrival_wall_ns=ns) for ns in at_ns]
    verdicts, state = look(SUB, pictures[: SETTINGS.frozen_visits], usual)
    assert verdicts[-1].kinds == (FaultKind.FROZEN,)
    assert verdicts[-1].announced == State.OK
    assert state.main_wanted == 2 * SETTINGS.frozen_visits
    verdicts, frozen = look(MAIN, pictures[5 : 5 + SETTINGS.frozen_visits], state)
    assert verdicts[-1].announced_kinds == (FaultKind.FROZEN,)
    assert frozen.main_wanted == 0
    _, moving = look(MAIN, good(40, 2 * SETTINGS.frozen_visits), state)
    assert (moving.main_wanted, moving.announced) == (0, State.OK)


def test_a_picture_of_a_sub_stream_that_cannot_be_decoded_is_unknown_and_announced_by_the_main_stream(
    usual: JudgeState,
) -> None:
    rule = partial(_undecoded, 901)
    verdict, state = judge_on_stream(SUB, rule, usual, SETTINGS)
    verdict, state = judge_on_stream(SUB, rule, state, SETTINGS)
    assert (verdict.state, verdict.announced) == (State.UNKNOWN, State.OK)
    verdict, _ = judge_on_stream(MAIN, rule, state, SETTINGS)
    assert verdict.announced == State.UNKNOWN


def _undecoded(visit_id: int, state: JudgeState) -> tuple[Verdict, JudgeState]:
    return judge_undecoded("c", visit_id, 10**18, UnknownReason.DAMAGED, "no picture", state, SETTINGS)


def test_a_reset_makes_both_streams_begin_anew_and_keeps_what_is_announced(usual: JudgeState) -> None:
    reset = usual.learning_anew()
    assert (reset.sub, reset.day_baseline, reset.learned_visits) == (b"", b"", 0)
    assert (reset.announced, reset.outcomes) == (usual.announced, usual.outcomes)


def test_the_active_area_is_the_streams_own(usual: JudgeState) -> None:
    area = ActiveArea(1000, 0, 9000, 10_000)
    state = usual.with_sub_stream(usual.of_sub_stream()._replace(area=area))
    assert known_area(state.to_bytes(), of_sub=True) == area
    assert known_area(state.to_bytes()) == usual.area
    assert known_area(replace_sub(usual, b"").to_bytes(), of_sub=True) is None


def replace_sub(state: JudgeState, sub: bytes) -> JudgeState:
    return state._replace(sub=sub)


def test_a_state_of_version_4_goes_on_without_a_sub_stream(usual: JudgeState) -> None:
    day = earlier_baseline(usual.day_baseline)
    plain = usual._replace(sub=b"", main_wanted=0, day_baseline=day, views=b"")
    blob = plain.to_bytes()
    head = len(JudgeState().to_bytes())
    old = bytes([4]) + blob[1 : head - 3] + blob[head:]
    assert JudgeState.from_bytes(old) == plain._replace(day_baseline=from_earlier(day))
    assert known_area(old) == plain.area
    assert known_area(old, of_sub=True) is None
