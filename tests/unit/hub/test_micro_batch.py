"""Measurements wait a moment for others, and no longer."""

from engine.hub.micro_batch import BATCH_MAX, BATCH_WAIT_NS, MicroBatch
from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.visit import FeedKind
from tests.support.judge_states import a_measurement


def scored(number: int) -> tuple[Keyframe, Measurement]:
    return Keyframe(f"c{number}", number, Codec.H264, b"", 0, None, FeedKind.RTSP), a_measurement(number)


def test_nothing_is_due_where_nothing_was_scored() -> None:
    gather = MicroBatch()
    assert gather.until_ns is None
    assert not gather.due(10**12, 0)
    assert gather.take() == []


def test_what_came_first_says_how_long_all_wait() -> None:
    gather = MicroBatch()
    gather.add(*scored(1), now_ns=1_000)
    gather.add(*scored(2), now_ns=BATCH_WAIT_NS)
    assert gather.until_ns == 1_000 + BATCH_WAIT_NS
    assert not gather.due(1_000 + BATCH_WAIT_NS - 1, 1)
    assert gather.due(1_000 + BATCH_WAIT_NS, 1)
    assert [keyframe.camera_id for keyframe, _ in gather.take()] == ["c1", "c2"]
    gather.add(*scored(3), now_ns=5 * BATCH_WAIT_NS)
    assert gather.until_ns == 6 * BATCH_WAIT_NS


def test_a_full_gather_is_due_at_once() -> None:
    gather = MicroBatch()
    for number in range(BATCH_MAX):
        assert not gather.due(0, 1)
        gather.add(*scored(number), now_ns=0)
    assert gather.due(0, 1)
    assert len(gather.take()) == BATCH_MAX


def test_what_has_nothing_behind_it_does_not_wait() -> None:
    gather = MicroBatch()
    gather.add(*scored(1), now_ns=0)
    assert not gather.due(0, 1)
    assert gather.due(0, 0)


def test_it_is_known_whose_pictures_wait() -> None:
    gather = MicroBatch()
    gather.add(*scored(1), now_ns=0)
    assert gather.holds("c1")
    assert not gather.holds("c2")
    gather.take()
    assert not gather.holds("c1")
