"""What waits at a front for the shards: bounded, the newest of each camera, and every keyframe ends exactly once."""

from collections import Counter
from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.feed.passed_on import BATCH_BYTES_MAX, BATCH_KEYFRAMES_MAX, Kept
from engine.front.pushes.waiting import Bounds, Drops, WaitingPushes
from engine.model.keyframe import Codec, DropReason, Keyframe, Push
from engine.model.visit import FeedKind

MB = 1024 * 1024
WIDE = Bounds(100, 64 * MB, 1000, 256 * MB, 10)


def push(camera_id: str, at_wall_ns: int = 1, size: int = 1, gateway: str = "g") -> Push:
    return Push(gateway, Keyframe(camera_id, 0, Codec.H264, bytes(size), at_wall_ns, None, FeedKind.GATEWAY))


def always(shard_no: int) -> Callable[[str], int]:
    return lambda _: shard_no


def ids(pushes: Sequence[Push]) -> list[str]:
    return [one.keyframe.camera_id for one in pushes]


def test_the_newest_keyframe_of_a_camera_takes_the_place_of_the_one_that_waits() -> None:
    waiting = WaitingPushes(WIDE)
    assert not waiting.offer(push("a", 1), 1, 0)
    assert not waiting.offer(push("b", 1), 1, 0)
    assert waiting.offer(push("a", 2, size=7), 1, 0) == {DropReason.SUPERSEDED: 1}
    assert (waiting.frames, waiting.size) == (2, 8)
    assert [(one.keyframe.camera_id, one.keyframe.arrival_wall_ns) for one in waiting.begin(1)] == [("a", 2), ("b", 1)]


def test_a_shard_beyond_its_bound_loses_what_waited_longest_and_the_others_nothing() -> None:
    waiting = WaitingPushes(Bounds(2, 64 * MB, 1000, 256 * MB, 10))
    for camera_id in ("x", "y"):
        waiting.offer(push(camera_id), 2, 0)
    for camera_id in ("a", "b"):
        assert not waiting.offer(push(camera_id), 1, 0)
    assert waiting.offer(push("c"), 1, 0) == {DropReason.QUEUE_FULL: 1}
    assert ids(waiting.begin(1)) == ["b", "c"]
    assert ids(waiting.begin(2)) == ["x", "y"]


def test_bytes_are_bounded_for_each_shard_and_for_all() -> None:
    waiting = WaitingPushes(Bounds(100, 3 * MB, 100, 5 * MB, 10))
    for camera_id in ("a", "b", "c"):
        assert not waiting.offer(push(camera_id, size=MB), 1, 0)
    assert waiting.offer(push("d", size=MB), 1, 0) == {DropReason.QUEUE_FULL: 1}
    assert not waiting.offer(push("x", size=2 * MB), 2, 0)
    assert waiting.offer(push("y", size=MB), 3, 0) == {DropReason.QUEUE_FULL: 1}, "the shard with most bytes gives way"
    assert [len(waiting.begin(number)) for number in (1, 2, 3)] == [2, 1, 1]


def test_a_message_is_bounded_and_a_large_keyframe_goes_alone() -> None:
    waiting = WaitingPushes(WIDE)
    waiting.offer(push("large", size=3 * BATCH_BYTES_MAX), 1, 0)
    for number in range(BATCH_KEYFRAMES_MAX + 1):
        waiting.offer(push(f"small{number}"), 1, 0)
    assert ids(waiting.begin(1)) == ["large"]
    assert not waiting.begin(1), "one message at a time"
    waiting.settle(1, Kept(), always(1))
    assert len(waiting.begin(1)) == BATCH_KEYFRAMES_MAX
    waiting.settle(1, Kept(), always(1))
    assert len(waiting.begin(1)) == 1


def test_without_an_answer_all_waits_again_in_its_order_and_gives_way_to_what_is_newer() -> None:
    waiting = WaitingPushes(WIDE)
    for camera_id in ("a", "b", "c"):
        waiting.offer(push(camera_id, 1), 1, 0)
    waiting.begin(1)
    waiting.offer(push("d", 1), 1, 5)
    waiting.offer(push("b", 2), 1, 5)
    assert waiting.settle(1, None, always(1)) == {DropReason.SUPERSEDED: 1}
    sent = waiting.begin(1)
    assert ids(sent) == ["a", "c", "d", "b"]
    assert sent[-1].keyframe.arrival_wall_ns == 2


def test_what_an_engine_has_no_room_for_goes_first_and_cameras_it_does_not_know_last() -> None:
    waiting = WaitingPushes(WIDE)
    for camera_id in ("a", "b", "c", "d"):
        waiting.offer(push(camera_id), 1, 0)
    waiting.begin(1)
    waiting.offer(push("e"), 1, 0)
    assert not waiting.settle(1, Kept(unknown=(0,), no_room=2), always(1))
    assert ids(waiting.begin(1)) == ["c", "d", "e", "a"]


def test_a_keyframe_follows_its_camera_to_another_shard() -> None:
    waiting = WaitingPushes(WIDE)
    waiting.offer(push("a"), 1, 0)
    waiting.begin(1)
    waiting.settle(1, Kept(unknown=(0,)), always(2))
    assert waiting.shards() == [2]
    assert waiting.offer(push("a", 2), 3, 0) == {DropReason.SUPERSEDED: 1}
    assert waiting.shards() == [3]
    waiting.begin(3)
    assert waiting.settle(3, None, always(0)) == {DropReason.NO_SHARD: 1}
    assert waiting.frames == waiting.size == 0


def test_what_has_waited_for_too_long_is_stale_and_waiting_again_does_not_make_it_younger() -> None:
    waiting = WaitingPushes(WIDE)
    waiting.offer(push("a"), 1, 0)
    waiting.offer(push("b"), 1, 5)
    waiting.begin(1)
    assert not waiting.expire(100), "its answer is awaited"
    waiting.settle(1, None, always(1))
    assert waiting.oldest_age_ns(10) == 10
    assert waiting.expire(11) == {DropReason.STALE: 1}
    assert ids(waiting.begin(1)) == ["b"]


shard_numbers = st.integers(1, 3)


class Machine(RuleBasedStateMachine):
    """Whatever happens, every keyframe ends exactly once, and the bounds hold."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds = Bounds(3, 4 * MB, 6, 6 * MB, 4)
        self.waiting = WaitingPushes(self.bounds)
        self.sent: dict[int, int] = {}
        self.dropped: Counter[DropReason] = Counter()
        self.offered = self.taken = self.now_ns = 0

    def drop(self, drops: Drops) -> None:
        self.dropped.update(drops)
        self.now_ns += 1

    @rule(camera_id=st.sampled_from("abcdefgh"), shard_no=shard_numbers, size=st.integers(1, 2 * MB))
    def offer(self, camera_id: str, shard_no: int, size: int) -> None:
        self.offered += 1
        self.drop(self.waiting.offer(push(camera_id, size=size), shard_no, self.now_ns))

    @rule(shard_no=shard_numbers)
    def begin(self, shard_no: int) -> None:
        sent = len(self.waiting.begin(shard_no))
        self.sent[shard_no] = self.sent.get(shard_no, 0) or sent

    @rule(shard_no=shard_numbers, unknown=st.frozensets(st.integers(0, 9)), no_room=st.integers(0, 9), to=shard_numbers)
    def answer(self, shard_no: int, unknown: frozenset[int], no_room: int, to: int) -> None:
        looked_at = max(0, self.sent.pop(shard_no, 0) - no_room)
        self.taken += looked_at - len([position for position in unknown if position < looked_at])
        self.drop(self.waiting.settle(shard_no, Kept(tuple(unknown), no_room), always(to)))

    @rule(shard_no=shard_numbers, to=st.integers(0, 3))
    def no_answer(self, shard_no: int, to: int) -> None:
        self.sent.pop(shard_no, 0)
        self.drop(self.waiting.settle(shard_no, None, always(to)))

    @rule()
    def expire(self) -> None:
        self.drop(self.waiting.expire(self.now_ns))

    @invariant()
    def each_has_ended_once_or_is_there(self) -> None:
        assert self.offered == self.taken + self.dropped.total() + self.waiting.frames

    @invariant()
    def bounds_hold(self) -> None:
        assert self.waiting.frames <= self.bounds.frames_max
        assert self.waiting.size <= self.bounds.bytes_max

    def teardown(self) -> None:
        self.drop(self.waiting.shut_down())
        assert self.offered == self.taken + self.dropped.total()
        assert self.waiting.frames == self.waiting.size == 0


test_the_books_balance_whatever_happens = Machine.TestCase
