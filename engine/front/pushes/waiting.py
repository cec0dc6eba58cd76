"""The keyframes of gateways that wait at a front for the engines of their shards. Pure; `now_ns` is monotonic.

Of a camera one keyframe waits, the newest that came. Each shard has a lane of its own, with bounds of its own, so that
one that is away or slow holds up no other; beyond the bounds of all, the lane with most bytes gives way. What is being
sent counts until it is settled. Every keyframe that is offered ends exactly once: settled, or dropped with a reason.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.feed.passed_on import BATCH_BYTES_MAX, BATCH_KEYFRAMES_MAX, Kept
from engine.model.keyframe import DropReason, Push

Drops = Mapping[DropReason, int]
"""How many keyframes were dropped, by reason."""
_EVERYTHING = Kept(no_room=BATCH_KEYFRAMES_MAX)


@dataclass(frozen=True, slots=True)
class Bounds:
    """`shard_frames_max`, `shard_bytes_max`: of one shard. `frames_max`, `bytes_max`: of all. `wait_max_ns`: how long a
    keyframe waits before it is dropped as stale."""

    shard_frames_max: int
    shard_bytes_max: int
    frames_max: int
    bytes_max: int
    wait_max_ns: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    push: Push
    since_ns: int

    @property
    def camera_id(self) -> str:
        return self.push.keyframe.camera_id

    @property
    def size(self) -> int:
        return len(self.push.keyframe.payload)


@dataclass(slots=True)
class _Lane:
    """`waiting`: by camera, the next one first. `sent`: those whose answer is awaited. `size`: bytes of both."""

    waiting: OrderedDict[str, _Waiting] = field(default_factory=OrderedDict)
    sent: list[_Waiting] = field(default_factory=list)
    size: int = 0

    def __len__(self) -> int:
        return len(self.waiting) + len(self.sent)

    def take(self, camera_id: str) -> _Waiting:
        entry = self.waiting.pop(camera_id)
        self.size -= entry.size
        return entry


class WaitingPushes:
    """Not thread-safe."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._lanes: dict[int, _Lane] = {}
        self._shard_of: dict[str, int] = {}
        """The lane in which a keyframe of a camera waits."""

    @property
    def frames(self) -> int:
        """Keyframes that wait or are being sent."""
        return sum(map(len, self._lanes.values()))

    @property
    def size(self) -> int:
        """Their payload bytes."""
        return sum(lane.size for lane in self._lanes.values())

    def oldest_age_ns(self, now_ns: int) -> int:
        """Return how long the keyframe that came first has waited; 0 if none waits."""
        since = [entry.since_ns for lane in self._lanes.values() for entry in lane.waiting.values()]
        return now_ns - min(since, default=now_ns)

    def offer(self, push: Push, shard_no: int, now_ns: int) -> Drops:
        """Have a keyframe wait for the engine of a shard. Returns what it displaces."""
        return self._add(_Waiting(push, now_ns), shard_no)

    def shards(self) -> Sequence[int]:
        """Return the shards for which keyframes wait."""
        return [shard_no for shard_no, lane in self._lanes.items() if lane.waiting]

    def begin(self, shard_no: int) -> Sequence[Push]:
        """Return the next keyframes of a shard, for one message; none while an answer is awaited."""
        lane = self._lanes.get(shard_no)
        if lane is None or lane.sent:
            return ()
        size = 0
        for camera_id, entry in list(lane.waiting.items())[:BATCH_KEYFRAMES_MAX]:
            if lane.sent and size + entry.size > BATCH_BYTES_MAX:
                break
            del lane.waiting[camera_id], self._shard_of[camera_id]
            lane.sent.append(entry)
            size += entry.size
        return [entry.push for entry in lane.sent]

    def settle(self, shard_no: int, kept: Kept | None, shard_of: Callable[[str], int]) -> Drops:
        """Note the answer to what was sent. `kept`: None without one: all of it waits again.

        What waits again does so at the shard that has the camera now, `shard_of(camera_id)`; 0: none does any more.
        """
        lane = self._lanes.get(shard_no, _Lane())
        sent, lane.sent = lane.sent, []
        lane.size -= sum(entry.size for entry in sent)
        unknown, no_room = _EVERYTHING if kept is None else kept
        first_left = max(0, len(sent) - no_room)
        drops: Counter[DropReason] = Counter()
        for entry in reversed(sent[first_left:]):
            drops.update(self._wait_again(entry, shard_of(entry.camera_id), first=True))
        for position in sorted(set(unknown)):
            if position < first_left:
                drops.update(self._wait_again(sent[position], shard_of(sent[position].camera_id), first=False))
        self._forget_if_empty(shard_no)
        return drops

    def expire(self, now_ns: int) -> Drops:
        """Drop what has waited for too long."""
        stale = [
            (shard_no, camera_id)
            for shard_no, lane in self._lanes.items()
            for camera_id, entry in lane.waiting.items()
            if now_ns - entry.since_ns > self._bounds.wait_max_ns
        ]
        for shard_no, camera_id in stale:
            self._drop(shard_no, camera_id)
        return Counter({DropReason.STALE: len(stale)}) if stale else {}

    def shut_down(self) -> Drops:
        """Drop everything."""
        frames = self.frames
        self._lanes.clear()
        self._shard_of.clear()
        return Counter({DropReason.SHUTDOWN: frames}) if frames else {}

    def _wait_again(self, entry: _Waiting, shard_no: int, *, first: bool) -> Drops:
        """Have a keyframe wait again: before all others, or at the end."""
        if not shard_no:
            return {DropReason.NO_SHARD: 1}
        if entry.camera_id in self._shard_of:  # a newer one came meanwhile
            return {DropReason.SUPERSEDED: 1}
        return self._add(entry, shard_no, first=first)

    def _add(self, entry: _Waiting, shard_no: int, *, first: bool = False) -> Drops:
        drops: Counter[DropReason] = Counter()
        camera_id, before = entry.camera_id, self._shard_of.get(entry.camera_id)
        lane = self._lanes.setdefault(shard_no, _Lane())
        if before == shard_no:
            # The camera keeps its place: one that pushes often must not move itself to the end for ever.
            lane.size -= lane.waiting[camera_id].size
            drops[DropReason.SUPERSEDED] += 1
        elif before is not None:
            self._drop(before, camera_id)
            drops[DropReason.SUPERSEDED] += 1
        lane.waiting[camera_id] = entry
        if first:
            lane.waiting.move_to_end(camera_id, last=False)
        lane.size += entry.size
        self._shard_of[camera_id] = shard_no
        bounds = self._bounds
        while lane.waiting and (len(lane) > bounds.shard_frames_max or lane.size > bounds.shard_bytes_max):
            self._drop(shard_no, next(iter(lane.waiting)))
            drops[DropReason.QUEUE_FULL] += 1
        while (self.frames > bounds.frames_max or self.size > bounds.bytes_max) and (waiting := self.shards()):
            largest = max(waiting, key=lambda number: self._lanes[number].size)
            self._drop(largest, next(iter(self._lanes[largest].waiting)))
            drops[DropReason.QUEUE_FULL] += 1
        return drops

    def _drop(self, shard_no: int, camera_id: str) -> None:
        self._lanes[shard_no].take(camera_id)
        del self._shard_of[camera_id]
        self._forget_if_empty(shard_no)

    def _forget_if_empty(self, shard_no: int) -> None:
        lane = self._lanes.get(shard_no)
        if lane is not None and not len(lane):
            del self._lanes[shard_no]
