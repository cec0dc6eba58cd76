"""The hub's thread: it waits on sockets and pipes, and passes what comes to the pipeline, the scheduler and callers."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.clock import monotonic_ns, ns, wall_ns
from engine.config.schema import Settings
from engine.errors import WireError
from engine.feed import wire
from engine.hub.keyframes.gateways import Gateways
from engine.hub.overlay.reader_link import ReaderLink
from engine.hub.reloads import Reloads
from engine.hub.shards.lease import ShardLease
from engine.hub.state import HubState
from engine.metrics import Metrics
from engine.model.keyframe import DropReason
from engine.reader import wire as reader_wire
from engine.runtime.control import (
    BEGUN,
    GO,
    HANDSHAKES,
    LOST,
    RELOAD,
    REPLACE,
    RUNNING,
    STOP,
    TOO_COSTLY,
    VITALS,
    Control,
)
from engine.runtime.log import logger
from engine.runtime.transport import Channel, Frame, Poller
from engine.serve.access.refusals import GRPC_CONNECT, HANDSHAKE, Refusals
from engine.worker import wire as worker_wire

_EACH_SECOND_NS = 1_000_000_000
_WAIT_MS_MAX = 100
_PLANNED_ENDS = ("memory", "recycled")
"""Ends of a worker that say nothing of the keyframes it holds."""
_MESSAGES_A_TURN = 64
"""Messages received from one socket before the others have their turn."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """`feed`: feeders. `work`: workers. `pushes`: keyframes of gateways; None if `intake.listen` is empty. `read`: the
    reader; None if nothing is read."""

    control: Control
    feed: Channel
    work: Channel
    pushes: Channel | None
    read: Channel | None = None


class HubLoop:
    """Waits and dispatches.

    `on_begin` is called once, when visits begin. `refusals`: for the audit log. `lease`: of the hub's shard; None for
    an engine alone. `reader`: None if nothing is read.
    """

    def __init__(
        self,
        sockets: Sockets,
        state: HubState,
        gateways: Gateways,
        metrics: Metrics,
        on_begin: Callable[[], None],
        refusals: Refusals,
        lease: ShardLease | None = None,
        reader: ReaderLink | None = None,
    ) -> None:
        self._reader = reader
        self._refusals = refusals
        self._lease = lease
        self._sockets = sockets
        self._state = state
        self._gateways = gateways
        self._metrics = metrics
        self._on_begin = on_begin
        self._reloads = Reloads(state.calls, state.configuration)
        self._poller = Poller()
        self._gateways_polled = False
        self._next_second_ns = 0
        self._may_begin = self._begun = self._stopping = False

    def run(self) -> None:
        """Run until the supervisor says STOP. Raises AssertionError if orders, keyframes or findings do not add up,
        LeaseLostError if another process may have the shard."""
        self._poller.watch("feed", self._sockets.feed)
        self._poller.watch("work", self._sockets.work)
        self._poller.watch("control", self._sockets.control.descriptor)
        self._poller.watch("calls", self._state.calls.descriptor)
        if self._sockets.read is not None:
            self._poller.watch("read", self._sockets.read)
        while not self._stopping:
            self._turn()
        self._state.pipeline.shut_down()
        self._state.visits.check_invariants()

    @property
    def _settings(self) -> Settings:
        return self._state.configuration.settings

    def _turn(self) -> None:
        state, pipeline = self._state, self._state.pipeline
        self._sockets.control.beat()
        readable = self._poller.wait(self._wait_ms())
        if self._lease is not None:
            self._lease.require()
        now_ns = monotonic_ns()
        if "control" in readable:
            self._receive_control()
        if "calls" in readable:
            pipeline.judge_waiting()  # a caller is answered with everything that was measured before
            state.calls.run_waiting()
        if "feed" in readable:
            self._receive("feed", self._sockets.feed, self._on_feeder)
        if "work" in readable:
            self._receive("work", self._sockets.work, self._on_worker)
        if "read" in readable and self._sockets.read is not None:
            self._receive("read", self._sockets.read, self._on_reader)
        pipeline.judge_due()
        if "gateways" in readable and self._sockets.pushes is not None:
            self._receive("gateways", self._sockets.pushes, self._on_push)
        if self._may_begin and not self._begun and len(state.workers):
            self._begin()
            now_ns = monotonic_ns()  # adding a province takes a second, and the scheduler's time must not go back
        if self._begun and (camera_ids := pipeline.rechecks_due(wall_ns())):
            state.visits.check_now(camera_ids, monotonic_ns())
        state.visits.advance(now_ns, self._intake_room())
        for failure in state.visits.drain_unvisited():
            pipeline.visit_failed(failure)
        pipeline.hand_out(monotonic_ns())
        self._poll_gateways_if_room()
        if now_ns >= self._next_second_ns:
            self._next_second_ns = now_ns + _EACH_SECOND_NS
            self._each_second(now_ns)

    def _wait_ms(self) -> int:
        wakeups_ns = [
            wakeup_ns
            for wakeup_ns in (self._state.visits.next_wakeup_ns(), self._state.pipeline.deadline_ns)
            if wakeup_ns is not None
        ]
        if not wakeups_ns:
            return _WAIT_MS_MAX
        # Rounded up: a turn that comes a moment early would find nothing to do and spin.
        left_ms = -(-(min(wakeups_ns) - monotonic_ns()) // 1_000_000)
        return max(0, min(_WAIT_MS_MAX, left_ms))

    def _receive(self, name: str, channel: Channel, on_message: Callable[[list[Frame]], None]) -> None:
        for _ in range(_MESSAGES_A_TURN):
            frames = channel.receive()
            if frames is None:
                return
            try:
                on_message(frames)
            except WireError as error:
                self._refuse(name, error)
            if name == "gateways" and not self._state.workers.intake.has_room:
                return

    def _refuse(self, name: str, error: WireError) -> None:
        self._metrics.dropped(error.reason)
        logger().warning("message refused", socket=name, reason=error.reason, detail=str(error))

    def _on_feeder(self, frames: list[Frame]) -> None:
        visits = self._state.visits
        name, rest = bytes(frames[0]).decode(errors="replace"), frames[1:]
        tag = rest[0] if rest else b""
        now_ns = monotonic_ns()
        if tag == wire.KEYFRAME:
            keyframe = wire.unpack_keyframe(rest, self._settings.intake.payload_bytes_max, wall_ns())
            if visits.fetched(keyframe, now_ns):
                self._state.pipeline.arrived(keyframe, now_ns)
            else:
                self._metrics.dropped(DropReason.UNKNOWN_VISIT)
        elif tag == wire.DIALOGUE:
            visits.dialogues.add(*wire.unpack_dialogue(rest))
        elif tag == wire.FAILED:
            failure = visits.failed(wire.unpack_failure(rest), now_ns)
            if failure is not None:
                self._state.pipeline.visit_failed(failure)
        elif tag == wire.STATUS:
            status = wire.unpack_status(rest)
            visits.heartbeat(status.name or name, status, now_ns)  # a heartbeat may come by a socket of its own
        else:
            raise WireError(DropReason.MALFORMED, f"feeder {name} sent a message that is none of PK1, VD1, VF1, FS1")

    def _on_push(self, frames: list[Frame]) -> None:
        pushes = self._sockets.pushes
        push = self._gateways.receive(frames, "" if pushes is None else pushes.sender_key)
        if push is not None:
            self._state.pushed(push.keyframe, monotonic_ns())

    def _on_worker(self, frames: list[Frame]) -> None:
        name, rest = bytes(frames[0]).decode(errors="replace"), frames[1:]
        if rest and rest[0] == worker_wire.READY:
            self._state.workers.worker_ready(name, int(bytes(rest[1])))
        else:
            for frames_of_one in worker_wire.split(rest, worker_wire.RESULT_FRAMES):
                try:
                    result = worker_wire.unpack_result(frames_of_one)
                except WireError as error:
                    self._refuse("work", error)  # the others in the message are good
                    continue
                self._state.pipeline.measured(name, result)

    def _on_reader(self, frames: list[Frame]) -> None:
        name, rest = bytes(frames[0]).decode(errors="replace"), frames[1:]
        if self._reader is None:
            return
        if rest and rest[0] == reader_wire.READY:
            self._reader.ready(name)
            return
        try:
            self._reader.finish(reader_wire.unpack_result(rest))
        except WireError:
            self._reader.garbled()
            raise

    def _receive_control(self) -> None:
        for word, *rest in self._sockets.control.receive():
            if word == STOP:
                self._stopping = True
            elif word == GO:
                self._may_begin = True
            elif word == RELOAD:
                self._reloads.begin(rest[0])
            elif word == RUNNING:
                self._state.telemetry.running(rest[0])
            elif word == VITALS:
                restarts, heartbeat_ages_s, confinement = rest
                self._metrics.vitals.restarts(restarts)
                self._metrics.vitals.heartbeats(heartbeat_ages_s)
                self._metrics.vitals.confinement(confinement)
            elif word == HANDSHAKES:
                self._metrics.handshakes_failed("grpc", rest[0])
                self._refusals.add(GRPC_CONNECT, HANDSHAKE, number=rest[0])
            elif word == LOST:
                self._process_lost(*rest)

    def _process_lost(self, kind: str, name: str, reason: str, begun_job: int) -> None:
        if kind == "worker":
            self._metrics.worker_restarted(reason)
            self._receive("work", self._sockets.work, self._on_worker)  # what it finished is not to blame for its end
            self._state.pipeline.worker_lost(
                name,
                monotonic_ns(),
                begun_job,
                blameless=reason in _PLANNED_ENDS,
                too_costly=reason == TOO_COSTLY,
            )
        elif kind == "reader":
            if self._reader is not None:
                self._reader.lost(name, reason)
        else:
            self._metrics.feeder_restarted(kind, reason)
            self._state.visits.feeder_lost(name, monotonic_ns())

    def _begin(self) -> None:
        """Make the stored cameras due. A visit before workers and feeders are ready would be wasted."""
        self._begun = True
        now_ns = monotonic_ns()
        self._state.visits.set_clock(wall_ns() - now_ns, now_ns)
        self._state.visits.upsert(list(self._state.registry.cameras.values()), now_ns)
        self._on_begin()
        self._sockets.control.send(BEGUN)

    def _intake_room(self) -> int:
        """Keyframes that visits may still bring before the queue is half full; the other half is for gateways."""
        return self._settings.intake.queue_frames_max // 2 - self._state.workers.intake.waiting_frames

    def _poll_gateways_if_room(self) -> None:
        """Leave gateways' messages in their sockets while the intake is full, so that the gateways slow down."""
        pushes, has_room = self._sockets.pushes, self._state.workers.intake.has_room
        if pushes is None or self._gateways_polled == has_room:
            return
        self._gateways_polled = has_room
        if has_room:
            self._poller.watch("gateways", pushes)
        else:
            self._poller.ignore(pushes)

    def _each_second(self, now_ns: int) -> None:
        state = self._state
        # Both clocks are read here: after a long turn `now_ns` is old, and would look like a jump of the wall clock.
        state.visits.set_clock(wall_ns() - monotonic_ns(), now_ns)
        pushes = self._sockets.pushes
        self._gateways.each_second(0 if pushes is None else pushes.drain_failed_handshakes())
        state.telemetry.update(now_ns)
        for worker in state.workers.intake.overdue_workers(now_ns, ns(self._settings.worker.job_timeout_s)):
            self._sockets.control.send(REPLACE, worker, "job_timeout")
        for feeder in state.visits.silent_feeders(now_ns):
            self._sockets.control.send(REPLACE, feeder, "silent")
