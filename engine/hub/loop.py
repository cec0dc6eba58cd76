"""The hub's one thread: waits on its sockets, feeds the pure cores, does what they say."""

import os
import queue
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from engine.clock import monotonic_ns, ns, seconds, wall_ns
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.errors import WireError
from engine.feed import wire
from engine.feed.intake import Dropped, Intake
from engine.hub.findings_service import FindingsService
from engine.hub.judging import Judging
from engine.hub.kpi_service import KpiService
from engine.hub.micro_batch import MicroBatch
from engine.hub.registry import Registry
from engine.hub.render_jobs import FIRST_JOB_ID, RenderJobs
from engine.hub.visits import Visits
from engine.metrics import Metrics
from engine.model.keyframe import DropReason, Keyframe
from engine.model.measurement import Measurement
from engine.model.picture import RenderedPicture
from engine.model.verdict import PublishedVerdict, Verdict
from engine.model.visit import FeedKind
from engine.runtime.control import BEGUN, GO, LOST, RELOAD, REPLACE, STOP, Control
from engine.runtime.log import logger
from engine.runtime.transport import Channel, Frame, Poller
from engine.serve.streams.broadcast import Broadcast
from engine.storage.evidence.quarantine import Quarantine
from engine.storage.writer.writer import Writer
from engine.worker import wire as jobs

Answer = TypeVar("Answer")

_GAUGE_INTERVAL_NS = 1_000_000_000
_WAIT_MS_MAX = 100
_RATE_WINDOW_S = 10
_MESSAGES_A_TURN = 64
"""Messages taken from one socket before the others have their turn."""


class Hub:
    """Wires cores to sockets. Everything here runs in one thread; other threads come in through `ask`."""

    def __init__(
        self,
        settings: Settings,
        control: Control,
        feed: Channel,
        work: Channel,
        gateways: Channel | None,
        registry: Registry,
        visits: Visits,
        judging: Judging,
        findings: FindingsService,
        quarantine: Quarantine,
        writer: Writer,
        watch: Broadcast[PublishedVerdict],
        metrics: Metrics,
        kpis: KpiService,
    ) -> None:
        self._settings = settings
        self._control = control
        self._feed, self._work, self._gateways = feed, work, gateways
        self._registry = registry
        self._visits = visits
        self._judging = judging
        self._findings = findings
        self._quarantine = quarantine
        self._writer = writer
        self._watch = watch
        self._metrics = metrics
        self._kpis = kpis
        limits = settings.intake
        self._intake = Intake(limits.queue_frames_max, limits.queue_bytes_max, ns(limits.stale_after_s))
        self._renders = RenderJobs()
        self._gather = MicroBatch()
        self._workers: deque[str] = deque()
        self._questions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller = Poller()
        self._gateways_watched = False
        self._last_push_id = 0
        self._next_gauges_ns = 0
        self._rate: deque[tuple[int, int]] = deque(maxlen=_RATE_WINDOW_S + 1)
        self._stopping = self._may_begin = self._begun = False
        self._on_go: Callable[[], None] = lambda: None
        self._on_reload: Callable[[str], None] = lambda _: None

    def ask(self, question: Callable[[], Answer]) -> "Future[Answer]":
        """Run `question` in the hub's thread; from any thread."""
        answer: Future[Answer] = Future()

        def run() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(question())
            except Exception as error:  # noqa: BLE001 (it goes to who asked)
                answer.set_exception(error)

        self._questions.put(run)
        self._wake()
        return answer

    def run(self, on_go: Callable[[], None], on_reload: Callable[[str], None]) -> None:
        """Until STOP. `on_go` is called when every process is ready; visits begin then. `on_reload`: of a file."""
        self._on_go, self._on_reload = on_go, on_reload
        for name, source in (("feed", self._feed), ("work", self._work)):
            self._poller.watch(name, source)
        self._poller.watch("control", self._control.descriptor)
        self._poller.watch("wake", self._wake_read)
        while not self._stopping:
            self._turn()
        self._judge_gathered()
        for dropped in self._intake.shut_down():
            self._metrics.dropped(dropped.reason)
        self._intake.check_invariants()
        self._visits.check_invariants()
        self._findings.check_invariants()

    def configure(self, settings: Settings, calendar: Calendar) -> None:
        """New settings, as one event; in the hub's thread."""
        self._settings = settings
        limits = settings.intake
        self._intake.resize(limits.queue_frames_max, limits.queue_bytes_max, ns(limits.stale_after_s))
        self._judging.settings = settings
        self._writer.configure(settings.record)
        self._findings.configure(settings)
        self._visits.configure(settings, calendar, monotonic_ns())
        self._kpis.configure(calendar.timezone, settings.record.kpi_days)

    def _turn(self) -> None:
        stirred = self._poller.wait(self._wait_ms())
        now_ns = monotonic_ns()
        if "control" in stirred:
            self._hear_supervisor()
        if "wake" in stirred:
            os.read(self._wake_read, 65_536)
            self._judge_gathered()  # who asks is told of all that was seen before
            self._answer_questions()
        self._take("feed", self._feed, self._on_feeder, stirred)
        self._take("work", self._work, self._on_worker, stirred)
        self._judge_due()
        if self._gateways is not None:
            self._take("gateways", self._gateways, self._on_gateway, stirred)
        if self._may_begin and not self._begun and self._workers:
            self._begin()
            now_ns = monotonic_ns()  # a province takes a second, and the scheduler's time must not go back
        if self._begun:
            self._findings.advance(wall_ns())
        self._visits.advance(now_ns, self._intake_room())
        self._hand_out(monotonic_ns())
        self._watch_gateways()
        if now_ns >= self._next_gauges_ns:
            self._next_gauges_ns = now_ns + _GAUGE_INTERVAL_NS
            self._each_second(now_ns)

    def _wait_ms(self) -> int:
        wakeups_ns = [one for one in (self._visits.next_wakeup_ns(), self._gather.until_ns) if one is not None]
        if not wakeups_ns:
            return _WAIT_MS_MAX
        # Rounded up: a turn that comes a moment early would find nothing to do and spin.
        left_ms = -(-(min(wakeups_ns) - monotonic_ns()) // 1_000_000)
        return max(0, min(_WAIT_MS_MAX, left_ms))

    def _take(self, name: str, channel: Channel, on_message: Callable[[list[Frame]], None], stirred: set[str]) -> None:
        if name not in stirred:
            return
        for _ in range(_MESSAGES_A_TURN):
            frames = channel.receive()
            if frames is None:
                return
            try:
                on_message(frames)
            except WireError as error:
                self._metrics.dropped(error.reason)
                logger().warning("message refused", socket=name, reason=error.reason, detail=str(error))
            if name == "gateways" and not self._intake.has_room:
                return

    def _on_feeder(self, frames: list[Frame]) -> None:
        name, rest = bytes(frames[0]).decode(errors="replace"), frames[1:]
        tag = rest[0] if rest else b""
        now_ns = monotonic_ns()
        if tag == wire.KEYFRAME:
            keyframe = wire.unpack_keyframe(rest, self._settings.intake.payload_bytes_max, wall_ns())
            if self._visits.brought(keyframe, now_ns):
                self._offer(keyframe, now_ns)
            else:
                self._metrics.dropped(DropReason.UNKNOWN_VISIT)
        elif tag == wire.FAILED:
            failure = self._visits.failed(wire.unpack_failure(rest), now_ns)
            if failure is not None:
                self._catch_up(failure.camera_id)
                self._judging.failed(failure)
        elif tag == wire.STATUS:
            self._visits.heartbeat(name, wire.unpack_status(rest), now_ns)
        else:
            raise WireError(DropReason.MALFORMED, f"feeder {name} sent a message that is none of PK1, VF1, FS1")

    def _on_gateway(self, frames: list[Frame]) -> None:
        keyframe = wire.unpack_keyframe(frames, self._settings.intake.payload_bytes_max, wall_ns())
        if keyframe.camera_id not in self._registry.cameras:
            raise WireError(
                DropReason.UNKNOWN_CAMERA, f"camera {keyframe.camera_id!r} is not in the registry; import it first"
            )
        # A gateway's word on who made the visit counts for nothing: it gets an id of ours.
        self._last_push_id = max(self._last_push_id + 1, wall_ns())
        pushed = Keyframe(
            keyframe.camera_id,
            self._last_push_id,
            keyframe.codec,
            keyframe.payload,
            keyframe.arrival_wall_ns,
            keyframe.stream_time_ns,
            FeedKind.GATEWAY,
            keyframe.timings,
        )
        now_ns = monotonic_ns()
        self._visits.arrived(pushed.camera_id, now_ns)
        self._offer(pushed, now_ns)

    def _on_worker(self, frames: list[Frame]) -> None:
        name, rest = bytes(frames[0]).decode(errors="replace"), frames[1:]
        if rest and rest[0] == jobs.READY:
            self._intake.worker_ready(name, int(bytes(rest[1])))
            self._workers.append(name)
            return
        result = jobs.unpack_result(rest)
        if result.job_id >= FIRST_JOB_ID:
            if not isinstance(result.outcome, Measurement):
                self._renders.finished(result.job_id, result.outcome)
            return
        keyframe = self._intake.finished(name, result.job_id)
        if keyframe is None:
            return  # a worker that was given up answers late; its frame went out again
        if isinstance(result.outcome, Measurement):
            self._gather.add(keyframe, result.outcome, monotonic_ns())
            self._judge_due()
        elif isinstance(result.outcome, jobs.Failed):
            self._catch_up(keyframe.camera_id)
            self._judged(self._judging.undecoded(keyframe, result.outcome))

    def _judge_due(self) -> None:
        if self._gather.due(monotonic_ns(), self._intake.held_frames):
            self._hand_out(monotonic_ns())  # workers go on meanwhile
            self._judge_gathered()

    def _catch_up(self, camera_id: str) -> None:
        """What is said of a camera's visits is said in their order."""
        if self._gather.holds(camera_id):
            self._judge_gathered()

    def _judge_gathered(self) -> None:
        for verdict in self._judging.measured(self._gather.take()):
            self._judged(verdict)

    def _judged(self, verdict: Verdict | None) -> None:
        if verdict is not None:
            self._visits.judged(verdict, monotonic_ns())

    def _offer(self, keyframe: Keyframe, now_ns: int) -> None:
        self._end(self._intake.offer(keyframe, now_ns))

    def _hand_out(self, now_ns: int) -> None:
        out, dropped = self._intake.hand_out(now_ns)
        self._end(dropped)
        for job in out:
            self._metrics.stage("queue", seconds(job.waited_ns))
            if not self._work.send(jobs.pack_job(job.job_id, job.keyframe), job.worker.encode()):
                self._worker_lost(job.worker, job.job_id)

    def _end(self, dropped: list[Dropped]) -> None:
        for end in dropped:
            self._metrics.dropped(end.reason)
            if end.reason == DropReason.QUARANTINED:
                path = self._quarantine.keep(end.keyframe, "two workers died over it")
                logger().error("keyframe quarantined", camera_id=end.keyframe.camera_id, file=str(path))
                self._catch_up(end.keyframe.camera_id)
                self._judged(self._judging.quarantined(end.keyframe))

    def _worker_lost(self, name: str, unreached: int | None = None) -> None:
        if name in self._workers:
            self._workers.remove(name)
        self._renders.worker_lost(name)
        self._end(self._intake.worker_lost(name, unreached))

    def render(
        self, keyframe: Keyframe, side_px_max: int, annotate: Verdict | None = None
    ) -> "Future[RenderedPicture]":
        """Have a worker make a JPEG of a keyframe, with tiles, scores and a verdict drawn in if one is given; in the
        hub's thread."""
        answer: Future[RenderedPicture] = Future()
        if not self._workers:
            raise WireError(DropReason.SHUTDOWN, "no worker is ready to render; ask again in a second")
        self._workers.rotate(1)
        worker = self._workers[0]
        job_id = self._renders.begin(worker, answer)
        job = jobs.pack_job(job_id, keyframe, render=True, side_px_max=side_px_max, annotate=annotate)
        self._work.send(job, worker.encode())
        return answer

    def _hear_supervisor(self) -> None:
        for word, *rest in self._control.heard():
            if word == STOP:
                self._stopping = True
            elif word == GO:
                self._may_begin = True
            elif word == RELOAD:
                self._on_reload(rest[0])
            elif word == LOST:
                kind, name, reason = rest
                if kind == "worker":
                    self._metrics.worker_restarted(reason)
                    self._worker_lost(name)
                else:
                    self._metrics.feeder_restarted(kind, reason)
                    self._visits.feeder_lost(name, monotonic_ns())

    def _begin(self) -> None:
        """Only now are the stored cameras due: a visit before workers and feeders stand would be wasted."""
        self._begun = True
        now_ns = monotonic_ns()
        self._visits.clock(wall_ns() - now_ns, now_ns)
        self._visits.put(list(self._registry.cameras.values()), now_ns)
        self._on_go()
        self._control.say(BEGUN)

    def _answer_questions(self) -> None:
        while not self._questions.empty():
            self._questions.get()()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            pass  # wake-ups enough are in the pipe

    def _intake_room(self) -> int:
        """Frames that may still come before the queue is half full; the other half is for gateways."""
        return self._settings.intake.queue_frames_max // 2 - self._intake.waiting_frames

    def _watch_gateways(self) -> None:
        """A full intake leaves gateways' messages in their sockets, so that they feel it."""
        if self._gateways is None or self._gateways_watched == self._intake.has_room:
            return
        self._gateways_watched = self._intake.has_room
        if self._gateways_watched:
            self._poller.watch("gateways", self._gateways)
        else:
            self._poller.ignore(self._gateways)

    def _each_second(self, now_ns: int) -> None:
        self._rate.append((now_ns, self._judging.checks_total))
        self._metrics.queue(
            self._intake.waiting_frames, self._intake.waiting_bytes, seconds(self._intake.oldest_age_ns(now_ns))
        )
        self._metrics.cameras(self._registry.counts)
        # Read together: after a long turn `now_ns` is of the past, and would look like a jump.
        self._visits.clock(wall_ns() - monotonic_ns(), now_ns)
        self._metrics.flow(self._visits.in_flight, len(self._workers), self._watch.watchers)
        self._metrics.scheduler(self._visits.status(now_ns))
        self._findings.measure()
        self._metrics.stored(*self._writer.take_counts())
        self._kpis.periods(self._visits.take_periods())
        for worker in self._intake.overdue_workers(now_ns, ns(self._settings.worker.job_timeout_s)):
            self._control.say(REPLACE, worker, "job_timeout")
        for feeder in self._visits.silent_feeders(now_ns):
            self._control.say(REPLACE, feeder, "silent")

    def facts(self) -> dict[str, Any]:
        """What GetStatus says of the flow; in the hub's thread."""
        return {
            "frames_waiting": self._intake.waiting_frames,
            "workers_ready": len(self._workers),
            "checks_total": self._judging.checks_total,
            "checks_per_s": self._checks_per_s(),
        }

    def _checks_per_s(self) -> float:
        if len(self._rate) < 2:
            return 0.0
        (from_ns, before), (to_ns, after) = self._rate[0], self._rate[-1]
        return (after - before) / seconds(to_ns - from_ns)
