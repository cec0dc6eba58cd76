"""Queues keyframes until a worker is free. Pure: events in, hand-outs and drops out; `now_ns` is monotonic.

The newest frame of a camera replaces an older one that waits. A worker gets as many frames as it has credit. A frame is
held until its measurement is back. If its worker dies, the frame goes to the front of the queue once more; if that
worker dies over it too, it is quarantined. A frame that spent its budget of CPU time is not tried again. So every
accepted frame ends exactly once: measured, dropped with a reason, or quarantined.

Frames of cameras that are not proven wait in a lane of their own: they may hold some of the workers only, so that
those that end their workers never end all at once.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from engine.model.keyframe import DropReason, Keyframe

AHEAD_FRAMES, AHEAD_BYTES_MAX = 2, 256 * 1024
"""A worker that holds AHEAD_FRAMES gets more only up to so many bytes in all: small pictures take it a millisecond
each, and go together, while large ones would wait behind each other although newer ones come."""
MAX_ATTEMPTS = 2
"""A frame is quarantined when this many workers have died with it."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A frame that ended without a measurement."""

    keyframe: Keyframe
    reason: DropReason


@dataclass(frozen=True, slots=True)
class HandOut:
    """A frame to send to a worker under a job id. `waited_ns`: how long it was queued."""

    worker: str
    job_id: int
    keyframe: Keyframe
    waited_ns: int


@dataclass(slots=True)
class _Waiting:
    keyframe: Keyframe
    since_ns: int
    attempts_left: int = MAX_ATTEMPTS


@dataclass(slots=True)
class _Held:
    waiting: _Waiting
    worker: str
    since_ns: int
    proven: bool


@dataclass(slots=True)
class _Worker:
    credit: int
    jobs: set[int] = field(default_factory=set)
    payload_bytes: int = 0
    unproven: int = 0
    """Jobs of cameras that were not proven when they were handed out."""
    reachable: bool = True

    def free(self, payload_bytes: int) -> int:
        """Return how many frames it may still get, 0 if not even one with so many bytes."""
        if len(self.jobs) >= AHEAD_FRAMES and self.payload_bytes + payload_bytes > AHEAD_BYTES_MAX:
            return 0
        return self.credit - len(self.jobs) if self.reachable else 0


class Trust(Protocol):
    """Which cameras are proven, and how many workers the others may hold."""

    def is_proven(self, camera_id: str) -> bool:
        """Return whether the camera's pictures ended no worker so far."""

    def workers_for_unproven(self, workers: int, now_ns: int) -> int:
        """Return how many of this many workers that are ready may hold frames of cameras that are not proven."""


class TrustAll:
    """Takes every camera for proven."""

    def is_proven(self, camera_id: str) -> bool:
        """Return True."""
        return True

    def workers_for_unproven(self, workers: int, now_ns: int) -> int:
        """Return all."""
        return workers


@dataclass(slots=True)
class _Lane:
    """Frames that wait, the next one first: `retries`, then `waiting`, by camera."""

    waiting: OrderedDict[str, _Waiting] = field(default_factory=OrderedDict)
    retries: deque[_Waiting] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self.waiting) + len(self.retries)

    def __iter__(self) -> Iterator[_Waiting]:
        yield from self.retries
        yield from self.waiting.values()

    def head(self) -> _Waiting | None:
        return next(iter(self), None)

    def pop(self) -> _Waiting:
        return self.retries.popleft() if self.retries else self.waiting.popitem(last=False)[1]


class Intake:
    """The queue before the workers, and the frames that workers hold."""

    def __init__(self, frames_max: int, bytes_max: int, stale_after_ns: int, trust: Trust | None = None) -> None:
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._stale_after_ns = stale_after_ns
        self._trust = trust or TrustAll()
        self._lanes = {True: _Lane(), False: _Lane()}
        """Frames that wait, by whether their camera was proven when they came."""
        self._waiting_bytes = 0
        self._workers: OrderedDict[str, _Worker] = OrderedDict()
        self._held: dict[int, _Held] = {}
        self._next_job_id = 1
        self.accepted_total = 0
        self.ended_total = 0

    def resize(self, frames_max: int, bytes_max: int, stale_after_ns: int) -> None:
        """Replace the bounds; frames beyond them are dropped at the next offer."""
        self._frames_max, self._bytes_max, self._stale_after_ns = frames_max, bytes_max, stale_after_ns

    @property
    def waiting_frames(self) -> int:
        """Frames that wait for a worker."""
        return sum(map(len, self._lanes.values()))

    @property
    def waiting_bytes(self) -> int:
        """Payload bytes of the frames that wait."""
        return self._waiting_bytes

    @property
    def held_frames(self) -> int:
        """Frames that workers hold."""
        return len(self._held)

    @property
    def has_room(self) -> bool:
        """Whether no bound is reached. Where one is, messages of gateways are left to wait in their sockets."""
        return self.waiting_frames < self._frames_max and self._waiting_bytes < self._bytes_max

    def oldest_age_ns(self, now_ns: int) -> int:
        """Return how long the frame at the head of a lane has waited; 0 if none waits."""
        return max((now_ns - head.since_ns for lane in self._lanes.values() if (head := lane.head())), default=0)

    def offer(self, keyframe: Keyframe, now_ns: int) -> list[Dropped]:
        """Queue a frame. Returns the frames it displaces: the camera's older one, or the longest waiting if full."""
        self.accepted_total += 1
        dropped: list[Dropped] = []
        entry = _Waiting(keyframe, now_ns)
        lane = self._lane_of(keyframe.camera_id)
        if lane is not None:
            # The camera keeps its place: one that pushes often must not move itself to the end for ever.
            older = lane.waiting[keyframe.camera_id]
            self._waiting_bytes -= len(older.keyframe.payload)
            dropped.append(self._end(older, DropReason.SUPERSEDED))
        else:
            lane = self._lanes[self._trust.is_proven(keyframe.camera_id)]
        lane.waiting[keyframe.camera_id] = entry
        self._waiting_bytes += len(keyframe.payload)
        while self.waiting_frames > self._frames_max or self._waiting_bytes > self._bytes_max:
            lanes = [lane for lane in self._lanes.values() if lane.waiting]
            if sum(len(lane.waiting) for lane in lanes) <= 1:
                break
            longest = min(lanes, key=lambda lane: next(iter(lane.waiting.values())).since_ns)
            dropped.append(self._drop(longest, DropReason.QUEUE_FULL))
        return dropped

    def worker_ready(self, worker: str, credit: int) -> None:
        """Register a worker that holds up to `credit` frames at a time."""
        self._workers[worker] = _Worker(credit)

    def worker_lost(
        self,
        worker: str,
        now_ns: int,
        *,
        at_fault: int | None = None,
        blameless: bool = False,
        too_costly: bool = False,
    ) -> list[Dropped]:
        """Remove a worker that died. Its frames wait again, in front; returns the one that ends instead.

        To blame is the frame of the job `at_fault`, without it the oldest, as a worker goes through its frames in
        order; none if all are `blameless`. It ends as QUARANTINED if it has no attempt left, and as TOO_COSTLY if it
        spent its budget (`too_costly`).
        """
        gone = self._workers.pop(worker, None)
        if gone is None:
            return []
        ended: list[Dropped] = []
        to_blame = None
        if not blameless:
            to_blame = at_fault if at_fault in gone.jobs else min(gone.jobs, default=None)
        for job_id in sorted(gone.jobs, reverse=True):
            entry = self._held.pop(job_id).waiting
            entry.attempts_left -= job_id == to_blame
            if job_id == to_blame and too_costly:
                ended.append(self._end(entry, DropReason.TOO_COSTLY))
            elif entry.attempts_left > 0:
                self._wait_again(entry, now_ns)
            else:
                ended.append(self._end(entry, DropReason.QUARANTINED))
        return ended

    def withdraw(self, camera_id: str) -> Keyframe | None:
        """Take the camera's frame out of the queue and return it; None if none waits. The caller ends it."""
        lane = self._lane_of(camera_id)
        if lane is None:
            return None
        entry = lane.waiting.pop(camera_id)
        self._waiting_bytes -= len(entry.keyframe.payload)
        self.ended_total += 1
        return entry.keyframe

    def unreached(self, worker: str, job_id: int, now_ns: int) -> None:
        """Take back a frame that could not be sent. The worker gets no other: word of its end is under way."""
        self._workers[worker].reachable = False
        self._wait_again(self._release(job_id).waiting, now_ns)

    def hand_out(self, now_ns: int) -> tuple[list[HandOut], list[Dropped]]:
        """Return the frames that workers have credit for, the longest waiting first, and those that are too old."""
        hand_outs: list[HandOut] = []
        dropped: list[Dropped] = []
        while (found := self._next(now_ns)) is not None:
            lane, worker, proven = found
            entry = lane.pop()
            self._waiting_bytes -= len(entry.keyframe.payload)
            if now_ns - entry.since_ns > self._stale_after_ns:
                dropped.append(self._end(entry, DropReason.STALE))
                continue
            job_id = self._next_job_id
            self._next_job_id += 1
            self._held[job_id] = _Held(entry, worker, now_ns, proven)
            self._workers[worker].jobs.add(job_id)
            self._workers[worker].payload_bytes += len(entry.keyframe.payload)
            self._workers[worker].unproven += not proven
            hand_outs.append(HandOut(worker, job_id, entry.keyframe, now_ns - entry.since_ns))
        return hand_outs, dropped

    def held_by(self, job_id: int) -> str:
        """Return the camera of a frame that a worker holds; empty if there is no such job."""
        held = self._held.get(job_id)
        return "" if held is None else held.waiting.keyframe.camera_id

    def finished(self, worker: str, job_id: int) -> Keyframe | None:
        """Release the frame of a finished job and return it; None if the worker does not hold that job."""
        held = self._held.get(job_id)
        if held is None or held.worker != worker:
            return None
        self._release(job_id)
        self.ended_total += 1
        return held.waiting.keyframe

    def overdue_workers(self, now_ns: int, timeout_ns: int) -> set[str]:
        """Return the workers that have held their oldest job longer than `timeout_ns` times the frames they hold."""
        late: set[str] = set()
        for name, worker in self._workers.items():
            if worker.jobs:
                oldest = self._held[min(worker.jobs)]
                if now_ns - oldest.since_ns > timeout_ns * len(worker.jobs):
                    late.add(name)
        return late

    def shut_down(self) -> list[Dropped]:
        """Drop every frame that waits or is held, as SHUTDOWN."""
        entries = [*self._lanes[True], *self._lanes[False], *(held.waiting for held in self._held.values())]
        self._lanes = {True: _Lane(), False: _Lane()}
        self._held.clear()
        self._waiting_bytes = 0
        for worker in self._workers.values():
            worker.jobs.clear()
            worker.payload_bytes = worker.unproven = 0
        return [self._end(entry, DropReason.SHUTDOWN) for entry in entries]

    def check_invariants(self) -> None:
        """Raise AssertionError if frames, bytes or credits do not add up."""
        present = self.waiting_frames + self.held_frames
        if self.accepted_total != self.ended_total + present:
            raise AssertionError(
                f"{self.accepted_total} frames accepted, {self.ended_total} ended, but {present} present"
            )
        entries = [*self._lanes[True], *self._lanes[False]]
        size = sum(len(entry.keyframe.payload) for entry in entries)
        if size != self._waiting_bytes:
            raise AssertionError(f"{size} bytes wait, but {self._waiting_bytes} are counted")
        for name, worker in self._workers.items():
            if len(worker.jobs) > worker.credit:
                raise AssertionError(f"worker {name} holds {len(worker.jobs)} frames on a credit of {worker.credit}")
            held_bytes = sum(len(self._held[job_id].waiting.keyframe.payload) for job_id in worker.jobs)
            if held_bytes != worker.payload_bytes:
                raise AssertionError(f"worker {name} holds {held_bytes} bytes, but {worker.payload_bytes} are counted")
            unproven = sum(not self._held[job_id].proven for job_id in worker.jobs)
            if unproven != worker.unproven:
                raise AssertionError(f"worker {name} holds {unproven} unproven frames, but {worker.unproven} count")

    def _wait_again(self, entry: _Waiting, now_ns: int) -> None:
        """Put a frame in front. Its wait begins anew: it is not stale because a worker held it long."""
        entry.since_ns = now_ns
        self._lanes[self._trust.is_proven(entry.keyframe.camera_id)].retries.appendleft(entry)
        self._waiting_bytes += len(entry.keyframe.payload)

    def _lane_of(self, camera_id: str) -> _Lane | None:
        """Return the lane in which a frame of this camera waits, retries aside."""
        return next((lane for lane in self._lanes.values() if camera_id in lane.waiting), None)

    def _drop(self, lane: _Lane, reason: DropReason) -> Dropped:
        entry = lane.waiting.popitem(last=False)[1]
        self._waiting_bytes -= len(entry.keyframe.payload)
        return self._end(entry, reason)

    def _release(self, job_id: int) -> _Held:
        """Take a job from the worker that holds it."""
        held = self._held.pop(job_id)
        worker = self._workers[held.worker]
        worker.jobs.discard(job_id)
        worker.payload_bytes -= len(held.waiting.keyframe.payload)
        worker.unproven -= not held.proven
        return held

    def _end(self, entry: _Waiting, reason: DropReason) -> Dropped:
        self.ended_total += 1
        return Dropped(entry.keyframe, reason)

    def _next(self, now_ns: int) -> tuple[_Lane, str, bool] | None:
        """Return the lane whose head is next, the worker for it, and whether its camera is proven; None if no head can
        be handed out. Retries go first, then the frame that has waited longest."""
        lanes = [
            (not lane.retries, head.since_ns, lane, head) for lane in self._lanes.values() if (head := lane.head())
        ]
        for _, _, lane, head in sorted(lanes, key=lambda found: found[:2]):
            proven = self._trust.is_proven(head.keyframe.camera_id)
            size = len(head.keyframe.payload)
            worker = self._for_proven(size) if proven else self._for_unproven(size, now_ns)
            if worker is not None:
                return lane, worker, proven
        return None

    def _for_proven(self, size: int) -> str | None:
        """Return the least busy worker that takes so many bytes, one without unproven frames if there is."""
        free = [
            (not worker.unproven, room, name)
            for name, worker in self._workers.items()
            if (room := worker.free(size)) > 0
        ]
        return max(free, key=lambda found: found[:2])[2] if free else None

    def _for_unproven(self, size: int, now_ns: int) -> str | None:
        """Return the least busy of the workers that may hold unproven frames; None if none of them takes so many
        bytes."""
        free = {name: room for name, worker in self._workers.items() if (room := worker.free(size)) > 0}
        holding = sum(worker.unproven > 0 for worker in self._workers.values())
        if holding >= self._trust.workers_for_unproven(len(self._workers), now_ns):
            free = {name: room for name, room in free.items() if self._workers[name].unproven}
        return max(free, key=lambda name: free[name], default=None)
