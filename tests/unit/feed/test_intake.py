"""The queue before the workers."""

from collections.abc import Sequence

import pytest

from engine.feed.intake import Dropped, Intake
from engine.model.keyframe import Codec, DropReason, Keyframe
from engine.model.visit import FeedKind
from tests.support.expect import present

SECOND = 1_000_000_000


def frame(camera_id: str, visit_id: int = 1, size: int = 100) -> Keyframe:
    return Keyframe(camera_id, visit_id, Codec.H264, bytes(size), 0, None, FeedKind.RTSP)


def intake(frames_max: int = 4, bytes_max: int = 10_000, stale_s: int = 30) -> Intake:
    return Intake(frames_max, bytes_max, stale_s * SECOND)


def reasons(dropped: Sequence[Dropped]) -> list[tuple[int, DropReason]]:
    return [(end.keyframe.visit_id, end.reason) for end in dropped]


def test_a_newer_frame_takes_the_place_of_the_older_and_keeps_its_turn() -> None:
    queue = intake()
    queue.offer(frame("a", 1), 0)
    queue.offer(frame("b", 2), 1)
    assert reasons(queue.offer(frame("a", 3), 2)) == [(1, DropReason.SUPERSEDED)]
    queue.worker_ready("w", 2)
    out, _ = queue.hand_out(3)
    assert [job.keyframe.visit_id for job in out] == [3, 2]
    queue.check_invariants()


def test_no_worker_gets_more_than_its_credit() -> None:
    queue = intake()
    for number in range(4):
        queue.offer(frame(f"c{number}"), 0)
    queue.worker_ready("w", 2)
    assert len(queue.hand_out(1)[0]) == 2
    assert queue.hand_out(1)[0] == []
    assert queue.waiting_frames == 2


def test_frames_go_to_the_worker_with_most_credit_left() -> None:
    queue = intake()
    queue.worker_ready("w1", 2)
    queue.worker_ready("w2", 2)
    for number in range(4):
        queue.offer(frame(f"c{number}"), 0)
    out, _ = queue.hand_out(1)
    assert sorted(job.worker for job in out) == ["w1", "w1", "w2", "w2"]
    assert {out[0].worker, out[1].worker} == {"w1", "w2"}


def test_a_full_queue_lets_the_longest_waiting_go() -> None:
    queue = intake(frames_max=2)
    queue.offer(frame("a", 1), 0)
    queue.offer(frame("b", 2), 1)
    assert reasons(queue.offer(frame("c", 3), 2)) == [(1, DropReason.QUEUE_FULL)]
    queue.check_invariants()


def test_bytes_are_bounded_as_frames_are() -> None:
    queue = intake(frames_max=100, bytes_max=250)
    queue.offer(frame("a", 1), 0)
    queue.offer(frame("b", 2), 0)
    assert reasons(queue.offer(frame("c", 3), 0)) == [(1, DropReason.QUEUE_FULL)]
    assert queue.waiting_bytes == 200


def test_a_frame_that_waited_too_long_is_not_scored() -> None:
    queue = intake(stale_s=30)
    queue.offer(frame("a", 1), 0)
    queue.worker_ready("w", 1)
    out, dropped = queue.hand_out(31 * SECOND)
    assert out == []
    assert reasons(dropped) == [(1, DropReason.STALE)]
    queue.check_invariants()


def test_a_frame_is_held_until_its_measurement_is_back() -> None:
    queue = intake()
    queue.worker_ready("w", 1)
    queue.offer(frame("a", 1), 0)
    (job,), _ = queue.hand_out(0)
    assert queue.held_frames == 1
    assert present(queue.finished("w", job.job_id)).visit_id == 1
    assert queue.held_frames == 0
    assert queue.finished("w", job.job_id) is None
    queue.check_invariants()


def test_a_worker_that_dies_loses_nothing_and_the_frame_goes_out_first() -> None:
    queue = intake()
    queue.worker_ready("w1", 1)
    queue.offer(frame("a", 1), 0)
    queue.hand_out(0)
    queue.offer(frame("b", 2), 1)
    assert queue.worker_lost("w1", 0) == []
    queue.worker_ready("w2", 2)
    out, _ = queue.hand_out(2)
    assert [job.keyframe.visit_id for job in out] == [1, 2]
    queue.check_invariants()


def test_a_frame_that_takes_two_workers_down_is_quarantined() -> None:
    queue = intake()
    queue.worker_ready("w1", 1)
    queue.offer(frame("poison", 7), 0)
    queue.hand_out(0)
    queue.worker_lost("w1", 0)
    queue.worker_ready("w2", 1)
    queue.hand_out(1)
    assert reasons(queue.worker_lost("w2", 0)) == [(7, DropReason.QUARANTINED)]
    assert queue.waiting_frames == queue.held_frames == 0
    queue.check_invariants()


def test_a_late_answer_of_a_worker_given_up_is_not_counted_twice() -> None:
    queue = intake()
    queue.worker_ready("w1", 1)
    queue.offer(frame("a", 1), 0)
    (job,), _ = queue.hand_out(0)
    queue.worker_lost("w1", 0)
    assert queue.finished("w1", job.job_id) is None
    queue.check_invariants()


def test_a_worker_that_sits_on_a_frame_is_named() -> None:
    queue = intake()
    queue.worker_ready("w", 1)
    queue.offer(frame("a"), 0)
    queue.hand_out(0)
    assert queue.overdue_workers(19 * SECOND, 20 * SECOND) == set()
    assert queue.overdue_workers(21 * SECOND, 20 * SECOND) == {"w"}


def test_shutting_down_ends_every_frame() -> None:
    queue = intake()
    queue.worker_ready("w", 1)
    for number in range(3):
        queue.offer(frame(f"c{number}", number), 0)
    queue.hand_out(0)
    assert {reason for _, reason in reasons(queue.shut_down())} == {DropReason.SHUTDOWN}
    assert queue.accepted_total == queue.ended_total == 3
    queue.check_invariants()


def test_the_age_of_the_queue_is_that_of_its_head() -> None:
    queue = intake()
    assert queue.oldest_age_ns(5) == 0
    queue.offer(frame("a"), 10)
    queue.offer(frame("b"), 20)
    assert queue.oldest_age_ns(50) == 40


@pytest.mark.parametrize("credit", [1, 3])
def test_unknown_workers_are_no_trouble(credit: int) -> None:
    queue = intake()
    assert queue.worker_lost("nobody", 0) == []
    queue.worker_ready("w", credit)
    assert queue.finished("w", 99) is None
