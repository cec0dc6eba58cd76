"""Measurements wait a moment for others, and no longer."""

from engine.hub.keyframes.micro_batch import BATCH_MAX, BATCH_WAIT_NS, Measured, MicroBatch
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from tests.support.judge_states import a_measurement


def measured(number: int) -> Measured:
    keyframe = Keyframe(f"c{number}", number, Codec.H264, b"", 0, None, FeedKind.RTSP)
    return Measured(keyframe, a_measurement(number), b"")


def test_nothing_is_due_where_nothing_was_scored() -> None:
    batch = MicroBatch()
    assert batch.deadline_ns is None
    assert not batch.is_due(10**12, 0)
    assert batch.drain() == []


def deadline_of(batch: MicroBatch) -> int | None:
    return batch.deadline_ns


def test_what_came_first_says_how_long_all_wait() -> None:
    batch = MicroBatch()
    batch.add(measured(1), now_ns=1_000)
    batch.add(measured(2), now_ns=BATCH_WAIT_NS)
    assert batch.deadline_ns == 1_000 + BATCH_WAIT_NS
    assert not batch.is_due(1_000 + BATCH_WAIT_NS - 1, 1)
    assert batch.is_due(1_000 + BATCH_WAIT_NS, 1)
    drained = [keyframe.camera_id for keyframe, _, _ in batch.drain()]
    assert drained == ["c1", "c2"]
    assert deadline_of(batch) is None
    batch.add(measured(3), now_ns=5 * BATCH_WAIT_NS)
    assert batch.deadline_ns == 6 * BATCH_WAIT_NS


def test_a_full_batch_is_due_at_once() -> None:
    batch = MicroBatch()
    for number in range(BATCH_MAX):
        assert not batch.is_due(0, 1)
        batch.add(measured(number), now_ns=0)
    assert batch.is_due(0, 1)
    assert len(batch.drain()) == BATCH_MAX


def test_what_has_nothing_behind_it_does_not_wait() -> None:
    batch = MicroBatch()
    batch.add(measured(1), now_ns=0)
    assert not batch.is_due(0, 1)
    assert batch.is_due(0, 0)


def test_it_is_known_whose_pictures_wait() -> None:
    batch = MicroBatch()
    batch.add(measured(1), now_ns=0)
    assert batch.contains("c1")
    assert not batch.contains("c2")
    batch.drain()
    assert not batch.contains("c1")
