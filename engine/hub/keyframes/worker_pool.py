"""Hands keyframes from the intake to the workers, and render jobs between them."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from engine.clock import ns, seconds
from engine.config.intake import IntakeSettings
from engine.errors import ErrorReason, UnavailableError
from engine.feed.intake import Dropped, HandOut, Intake
from engine.hub.keyframes.proven_cameras import ProvenCameras
from engine.hub.keyframes.render_jobs import FIRST_JOB_ID, RenderJobs, photograph_refused
from engine.metrics import Metrics
from engine.model.active_area import ActiveArea
from engine.model.camera import CameraStream
from engine.model.keyframe import Keyframe
from engine.model.measurement import Measurement
from engine.model.picture import RenderedPicture
from engine.model.verdict import UnknownReason, Verdict
from engine.runtime.transport import Channel
from engine.worker import wire


class WorkerPool:
    """The workers that are ready, with the intake before them. For the hub's thread.

    `cameras`: returns how many cameras the registry has. `known_area(camera_id, stream)`: the active area of a camera's
    pictures, None if it is not known.
    """

    def __init__(
        self,
        settings: IntakeSettings,
        channel: Channel,
        metrics: Metrics,
        cameras: Callable[[], int],
        known_area: Callable[[str, CameraStream], ActiveArea | None] = lambda _camera_id, _stream: None,
    ) -> None:
        self.proven = ProvenCameras(cameras)
        bounds = settings.queue_frames_max, settings.queue_bytes_max, ns(settings.stale_after_s)
        self.intake = Intake(*bounds, self.proven)
        self._channel = channel
        self._metrics = metrics
        self._known_area = known_area
        self._renders = RenderJobs()
        self._ready: deque[str] = deque()
        self._under_way: dict[str, dict[int, None]] = {}
        """Ids of the jobs that a worker was sent, in order, by its name. It works on the first."""

    def __len__(self) -> int:
        """Workers that are ready."""
        return len(self._ready)

    def configure(self, settings: IntakeSettings) -> None:
        """Apply new bounds to the intake."""
        self.intake.resize(settings.queue_frames_max, settings.queue_bytes_max, ns(settings.stale_after_s))

    def worker_ready(self, name: str, credit: int) -> None:
        """Add a worker that takes `credit` keyframes at a time."""
        self.intake.worker_ready(name, credit)
        self._ready.append(name)
        self._under_way[name] = {}

    def worker_lost(
        self, name: str, now_ns: int, begun_job: int = 0, *, blameless: bool = False, too_costly: bool = False
    ) -> list[Dropped]:
        """Remove a worker. Its keyframes wait again; returns the one that ends because the worker died over it.

        `begun_job`: the job that it began last; without it the oldest one is at fault. `blameless`: it was made to end,
        whatever it held. `too_costly`: what it worked on spent its budget of CPU time.
        """
        self._not_ready(name)
        jobs = self._under_way.pop(name, {})
        at_fault = begun_job if begun_job in jobs else next(iter(jobs), None)
        self._renders.worker_lost(name, too_costly_job=at_fault if too_costly else None)
        rendered = at_fault is not None and at_fault >= FIRST_JOB_ID
        if at_fault is not None and not blameless and (camera_id := self.intake.held_by(at_fault)):
            self.proven.ended_worker(camera_id, now_ns)
        return self.intake.worker_lost(
            name, now_ns, at_fault=at_fault, blameless=blameless or rendered, too_costly=too_costly
        )

    def hand_out(self, now_ns: int) -> list[Dropped]:
        """Send keyframes to workers that have credit; returns keyframes that ended instead."""
        jobs, dropped = self.intake.hand_out(now_ns)
        by_worker: dict[str, list[HandOut]] = {}
        for job in jobs:
            self._metrics.stage("queue", seconds(job.waited_ns))
            by_worker.setdefault(job.worker, []).append(job)
        for worker, handed in by_worker.items():
            self._send(worker, handed, now_ns)
        return dropped

    def _send(self, worker: str, jobs: Sequence[HandOut], now_ns: int) -> None:
        """Send a worker jobs in one message; take them back if it cannot be reached."""
        known_area = self._known_area
        messages = [
            wire.pack_job(job.job_id, job.keyframe, known_area=known_area(job.keyframe.camera_id, job.keyframe.stream))
            for job in jobs
        ]
        if self._channel.send(wire.joined(messages), worker.encode()):
            self._under_way[worker].update((job.job_id, None) for job in jobs)
            return
        self._not_ready(worker)
        for job in reversed(jobs):  # each goes to the front of the queue
            self.intake.unreached(worker, job.job_id, now_ns)

    def finish(self, name: str, result: wire.Result) -> Keyframe | None:
        """Take a worker's result. Returns the measured keyframe; None for a render, or from a worker given up."""
        self._under_way.get(name, {}).pop(result.job_id, None)
        if result.job_id < FIRST_JOB_ID:
            keyframe = self.intake.finished(name, result.job_id)
            if keyframe is not None and not _gave_up(result):
                self.proven.finished(keyframe.camera_id)
            return keyframe
        if not isinstance(result.outcome, Measurement):
            self._renders.finish(result.job_id, result.outcome)
        return None

    def render(
        self, keyframe: Keyframe, side_px_max: int, annotate: Verdict | None = None, camera_name: str = ""
    ) -> "Future[RenderedPicture]":
        """Have a worker render a keyframe as JPEG; with `annotate`, its tiles, scores, this verdict and the camera's
        name are drawn in.

        Raises UnavailableError if no worker is ready or too many renders are in flight. The future fails with
        UnavailableError if the worker ends, with IntegrityError if the keyframe gives no picture.
        """
        answer: Future[RenderedPicture] = Future()
        worker = self._next_worker()
        job_id = self._renders.start(worker, answer)
        job = wire.pack_job(
            job_id, keyframe, render=True, side_px_max=side_px_max, annotate=annotate, camera_name=camera_name
        )
        if self._channel.send(job, worker.encode()):
            self._under_way[worker][job_id] = None
        return answer

    def make_photograph(self, payload: bytes, side_px_max: int) -> "Future[RenderedPicture]":
        """Have a worker make a JPEG, without metadata, of a file that a caller sent.

        Raises and fails as `render`, but with DecodeError if the file gives no picture.
        """
        answer: Future[RenderedPicture] = Future()
        worker = self._next_worker()
        job_id = self._renders.start(worker, answer, photograph_refused)
        job = wire.PhotographJob(job_id, side_px_max, payload)
        if self._channel.send(wire.pack_photograph(job), worker.encode()):
            self._under_way[worker][job_id] = None
        return answer

    def _next_worker(self) -> str:
        """Return the worker whose turn it is. Raises UnavailableError if none is ready."""
        if not self._ready:
            raise UnavailableError(
                "no worker is ready to render; ask again in a second", reason=ErrorReason.WORKER_UNAVAILABLE
            )
        self._ready.rotate(1)
        return self._ready[0]

    def _not_ready(self, name: str) -> None:
        if name in self._ready:
            self._ready.remove(name)


def _gave_up(result: wire.Result) -> bool:
    """Whether the worker did not decode the picture, because it would have cost too much."""
    return isinstance(result.outcome, wire.Failed) and result.outcome.reason == UnknownReason.TOO_COSTLY
