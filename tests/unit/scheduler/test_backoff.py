"""Back-off: how long a camera that fails is left alone, by reason and by its past."""

import itertools
from typing import Any

import pytest

from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.periods.backoff import backoff_ns, ceiling_ns, failure_count, updated_memory
from tests.support.scheduler.scheduling import LOST, SECOND, Patrol, cameras, key_cameras, settings

CONNECT = {FailureReason.REFUSED, FailureReason.DNS, FailureReason.UNREACHABLE, FailureReason.TIMEOUT_CONNECT}
LASTING = {
    FailureReason.UNAUTHORIZED, FailureReason.NOT_FOUND, FailureReason.NO_VIDEO, FailureReason.UNSUPPORTED_CODEC,
    FailureReason.SOURCE_REFUSED, FailureReason.REDIRECT_REFUSED, FailureReason.FLOOD,
}  # fmt: skip


def failing(reason: FailureReason | str = FailureReason.REFUSED, until_s: float = 1e9, **changes: Any) -> Patrol:
    patrol = Patrol(settings(**changes), answer=lambda _, at_s: reason if at_s < until_s else None)
    patrol.handle(cameras(1))
    return patrol


def test_a_camera_that_fails_is_left_alone_twice_as_long_each_time_up_to_the_ceiling() -> None:
    patrol = failing(backoff_connect_first_s=30, backoff_max_s=120)
    assert patrol.run(700).gaps("c000") == [30, 60, 120, 120, 120, 120, 120]


@pytest.mark.parametrize("reason", [reason for reason in FailureReason if reason not in NOT_JUDGED])
def test_the_first_wait_goes_by_the_reason(reason: FailureReason) -> None:
    patrol = failing(
        reason, period_s=3600, backoff_stream_first_s=30, backoff_connect_first_s=60, backoff_lasting_first_s=300
    )
    expected = 60 if reason in CONNECT else 300 if reason in LASTING else 30
    assert patrol.run(1300).gaps("c000")[0] == expected


def test_a_camera_with_another_reason_waits_by_the_new_one() -> None:
    answers = iter([FailureReason.REFUSED, FailureReason.TIMEOUT_KEYFRAME, FailureReason.UNAUTHORIZED, None, None])
    chosen = settings(period_s=3600, backoff_stream_first_s=30, backoff_connect_first_s=60, backoff_lasting_first_s=300)
    patrol = Patrol(chosen, answer=lambda *_: next(answers))
    patrol.handle(cameras(1))
    assert patrol.run(1500).gaps("c000") == [60, 60, 1200]


@pytest.mark.parametrize("reason", list(FailureReason))
@pytest.mark.parametrize("failures", [1, 2, 10, 62, 1000])
def test_no_wait_is_above_the_ceiling_or_below_the_first(failures: int, reason: FailureReason) -> None:
    chosen = settings(backoff_max_s=1800)
    assert 30 * SECOND <= backoff_ns(failures, reason, 900 * SECOND, chosen) <= 1350 * SECOND
    assert backoff_ns(1000, reason, 10_000 * SECOND, chosen) == 1800 * SECOND


def test_the_ceiling_is_a_time_and_so_many_periods_whichever_is_less() -> None:
    chosen = settings(backoff_max_s=1800, backoff_periods_max=1.5)
    assert ceiling_ns(900 * SECOND, chosen) == 1350 * SECOND
    assert ceiling_ns(86_400 * SECOND, chosen) == 1800 * SECOND


def test_a_key_point_that_comes_back_is_seen_within_twice_its_period() -> None:
    patrol = Patrol(
        settings(key_period_s=100, backoff_max_s=1800),
        answer=lambda _, at_s: FailureReason.REFUSED if at_s < 5000 else None,
    )
    patrol.handle(key_cameras(50))
    patrol.run(5201)
    assert {start.camera_id for start in patrol.starts if start.at_s >= 5000} == {f"k{n:03}" for n in range(50)}


def test_a_keyframe_ends_the_back_off() -> None:
    patrol = failing(until_s=10, backoff_connect_first_s=30).run(600)
    first, second, *later = patrol.gaps("c000")
    assert first == 30
    assert 0 < second <= 100
    assert set(later) == {100}
    assert patrol.plan("c000").kind == "ordinary"


def test_cameras_that_come_back_together_fall_apart_again() -> None:
    patrol = Patrol(answer=lambda _, at_s: FailureReason.REFUSED if at_s < 1000 else None, checked=False)
    patrol.handle(cameras(200))
    patrol.run(2000)
    tens = [sum(low <= start.at_s < low + 10 for start in patrol.starts) for low in range(1800, 1900, 10)]
    assert max(tens) < 45


def test_jitter_makes_waits_shorter_never_longer() -> None:
    patrol = Patrol(settings(jitter=0.5, backoff_connect_first_s=60), answer=lambda *_: FailureReason.REFUSED)
    patrol.handle(cameras(40))
    patrol.run(70)
    gaps = [patrol.times(f"c{n:03}")[1] - patrol.times(f"c{n:03}")[0] for n in range(40)]
    assert 30 <= min(gaps) < 40 < 50 < max(gaps) <= 60


def flapping(bad: int, good: int, **changes: Any) -> list[int]:
    """Waits after the last of `bad` failures in a row, between `good` keyframes in a row."""
    turn = itertools.cycle([FailureReason.REFUSED] * bad + [None] * good)
    patrol = Patrol(settings(period_s=600, backoff_connect_first_s=10, **changes), answer=lambda *_: next(turn))
    patrol.handle(cameras(1))
    gaps = patrol.run(20 * 600 * (bad + good)).gaps("c000")
    return gaps[bad - 1 :: bad + good]


def test_a_camera_that_fails_every_other_visit_is_left_alone_longer_each_time_up_to_a_bound() -> None:
    waits = flapping(bad=1, good=1)
    assert waits == sorted(waits)
    assert waits[0] == 10
    assert set(waits) == {10, 20, 40}, "longer, up to three failures' worth"


def test_the_more_a_camera_flaps_the_longer_it_is_left_alone() -> None:
    longest = [max(flapping(bad, good)) for bad, good in ((1, 9), (1, 3), (1, 1), (2, 1))]
    assert longest == sorted(longest)
    assert longest[0] == 10, "one failure in ten is forgotten"
    assert longest[-1] > 40


def test_the_past_is_forgotten_in_time_and_stays_within_a_byte() -> None:
    memory = 0
    for _ in range(1000):
        memory = updated_memory(memory, failed=True)
    assert memory <= 250
    assert failure_count(memory) > 32
    for _ in range(25):
        memory = updated_memory(memory, failed=False)
    assert memory == 0


def test_an_order_that_nobody_answers_is_held_against_nobody_and_tried_again_soon() -> None:
    patrol = failing(LOST, until_s=50, order_timeout_s=20, backoff_stream_first_s=30)
    patrol.run(300)
    first, *_ = patrol.gaps("c000")
    assert first == 50
    plan = patrol.plan("c000")
    assert (plan.failures, plan.last_reason, plan.kind) == (0, "", "ordinary")


def test_failing_cameras_are_shown_by_reason_and_a_plan_says_why() -> None:
    patrol = Patrol(
        settings(),
        answer=lambda camera, _: {"a": FailureReason.REFUSED, "b": FailureReason.DNS}.get(camera[0]),
    )
    for name, count in (("a", 3), ("b", 2), ("c", 5)):
        patrol.handle(cameras(count, name=name))
    patrol.run(10)
    assert patrol.status().failing == {"dns": 2, "refused": 3}
    plan = patrol.plan("a001")
    assert (plan.kind, plan.failures, plan.last_reason) == ("offline", 1, "refused")
    assert plan.because == ("its last visit failed (refused, 1 counted): it is backed off, never longer than 150 s",)
