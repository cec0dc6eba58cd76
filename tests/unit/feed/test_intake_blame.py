"""When a worker ends, the frame that it worked on is to blame, and no other."""

import pytest

from engine.feed.intake import AHEAD_BYTES_MAX, AHEAD_FRAMES, Dropped, Intake
from engine.model.keyframe import Codec, DropReason, Keyframe
from engine.model.visit import FeedKind

SECOND = 1_000_000_000


def frame(camera_id: str, visit_id: int) -> Keyframe:
    return Keyframe(camera_id, visit_id, Codec.MJPEG, bytes(100), 0, None, FeedKind.GATEWAY)


def held_by_one_worker() -> Intake:
    """A worker holds the frames 1 and 2."""
    queue = Intake(100, 100_000, 30 * SECOND)
    queue.worker_ready("w", 2)
    for number in (1, 2):
        queue.offer(frame(f"c{number}", number), 0)
    queue.hand_out(0)
    return queue


def ends(dropped: list[Dropped]) -> list[tuple[int, DropReason]]:
    return [(end.keyframe.visit_id, end.reason) for end in dropped]


def handed_out(queue: Intake, worker: str, now_ns: int) -> list[int]:
    queue.worker_ready(worker, 2)
    out, dropped = queue.hand_out(now_ns)
    assert dropped == []
    return [job.keyframe.visit_id for job in out]


def test_a_frame_that_spent_its_budget_is_not_tried_again() -> None:
    queue = held_by_one_worker()
    assert ends(queue.worker_lost("w", SECOND, too_costly=True)) == [(1, DropReason.TOO_COSTLY)]
    assert handed_out(queue, "w2", SECOND) == [2]
    queue.check_invariants()


def test_the_frame_behind_it_is_not_to_blame() -> None:
    queue = held_by_one_worker()
    assert queue.worker_lost("w", SECOND) == []
    assert handed_out(queue, "w2", SECOND) == [1, 2]
    assert ends(queue.worker_lost("w2", SECOND)) == [(1, DropReason.QUARANTINED)]
    assert handed_out(queue, "w3", SECOND) == [2]
    assert queue.worker_lost("w3", SECOND) == [], "frame 2 was under way for the first time"


def test_the_frame_that_was_begun_is_to_blame_although_an_older_one_was_not_answered_yet() -> None:
    queue = held_by_one_worker()
    second = next(job_id for job_id in range(1, 4) if queue.held_by(job_id) == "c2")
    assert ends(queue.worker_lost("w", SECOND, at_fault=second, too_costly=True)) == [(2, DropReason.TOO_COSTLY)]
    assert handed_out(queue, "w2", SECOND) == [1]
    assert queue.worker_lost("w2", SECOND, at_fault=second) == [], "a job of another worker: the oldest is to blame"
    queue.check_invariants()


def test_a_worker_gets_many_small_frames_ahead_and_two_large_ones() -> None:
    for size, ahead in ((AHEAD_BYTES_MAX // 8, 8), (AHEAD_BYTES_MAX // 3, 3), (AHEAD_BYTES_MAX, AHEAD_FRAMES)):
        queue = Intake(100, 100 * AHEAD_BYTES_MAX, 30 * SECOND)
        queue.worker_ready("w", 8)
        for number in range(10):
            queue.offer(Keyframe(f"c{number}", number, Codec.MJPEG, bytes(size), 0, None, FeedKind.GATEWAY), 0)
        out, dropped = queue.hand_out(0)
        assert (len(out), dropped) == (ahead, [])
        queue.finished("w", out[0].job_id)
        assert len(queue.hand_out(0)[0]) == 1
        queue.check_invariants()


def test_no_frame_is_to_blame_for_a_render() -> None:
    queue = held_by_one_worker()
    for worker in ("w", "w2", "w3"):
        assert queue.worker_lost(worker, SECOND, blameless=True) == []
        assert handed_out(queue, f"w{int(worker[1:] or 1) + 1}", SECOND) == [1, 2]


@pytest.mark.parametrize("held_s", [31, 45])
def test_a_frame_that_a_worker_held_long_is_not_stale(held_s: int) -> None:
    """It once ended stale when `worker.job_timeout_s` had passed: never quarantined, never judged."""
    queue = held_by_one_worker()
    queue.worker_lost("w", held_s * SECOND)
    assert handed_out(queue, "w2", held_s * SECOND) == [1, 2]
    assert ends(queue.worker_lost("w2", 2 * held_s * SECOND)) == [(1, DropReason.QUARANTINED)]


def test_a_frame_that_did_not_reach_its_worker_waits_in_front_and_the_worker_gets_no_other() -> None:
    queue = Intake(100, 100_000, 30 * SECOND)
    queue.worker_ready("gone", 2)
    queue.offer(frame("c1", 1), 0)
    queue.offer(frame("c2", 2), 0)
    out, _ = queue.hand_out(0)
    queue.unreached("gone", out[1].job_id, 0)
    assert queue.hand_out(0) == ([], [])
    assert ends(queue.worker_lost("gone", 0, too_costly=True)) == [(1, DropReason.TOO_COSTLY)]
    assert handed_out(queue, "w2", 0) == [2]
    queue.check_invariants()


def test_a_frame_that_is_withdrawn_waits_no_more() -> None:
    queue = Intake(100, 100_000, 30 * SECOND)
    queue.offer(frame("c1", 1), 0)
    queue.offer(frame("c2", 2), 0)
    withdrawn = queue.withdraw("c1")
    assert withdrawn is not None
    assert withdrawn.visit_id == 1
    assert queue.withdraw("c1") is None
    assert handed_out(queue, "w", 0) == [2]
    queue.check_invariants()
