"""Tracks the pictures that callers asked for while workers render them."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from engine.errors import DecodeError, ErrorReason, IntegrityError, UnavailableError
from engine.model.keyframe import Keyframe
from engine.model.picture import RenderedPicture
from engine.worker.wire import Failed

RENDERS_MAX = 32
"""Renders in flight at most; beyond it a caller is refused and may try again."""
TOO_COSTLY = "too_costly"
"""Reason of a job that spent its budget of CPU time."""
FIRST_JOB_ID = 1 << 62
"""Measuring jobs count from 1, render jobs from here; the ranges never meet."""


@dataclass(slots=True)
class _RenderJob:
    worker: str
    answer: "Future[RenderedPicture]"
    refused: Callable[[Failed], Exception]


def _keyframe_damaged(failed: Failed) -> Exception:
    if failed.reason == TOO_COSTLY:
        return IntegrityError("rendering the kept keyframe takes too much CPU time")
    return IntegrityError(f"the kept keyframe gives no picture: {failed.detail}")


def photograph_refused(failed: Failed) -> Exception:
    """Return the error of a caller whose file gives no picture."""
    return DecodeError(failed.reason, failed.detail)


class RenderJobs:
    """Render jobs in flight. Pure but for the futures it completes."""

    def __init__(self) -> None:
        self._jobs: dict[int, _RenderJob] = {}
        self._next = FIRST_JOB_ID

    def start(
        self,
        worker: str,
        answer: "Future[RenderedPicture]",
        refused: Callable[[Failed], Exception] = _keyframe_damaged,
    ) -> int:
        """Return the id of a new job for `worker`. Raises UnavailableError if RENDERS_MAX are in flight.

        `refused`: returns what the future fails with if there is no picture.
        """
        if len(self._jobs) >= RENDERS_MAX:
            raise UnavailableError(
                f"{RENDERS_MAX} pictures are being rendered, which is the most; ask again in a second",
                reason=ErrorReason.WORKER_UNAVAILABLE,
                metadata={"limit": RENDERS_MAX},
            )
        job_id = self._next
        self._next += 1
        self._jobs[job_id] = _RenderJob(worker, answer, refused)
        return job_id

    def finish(self, job_id: int, outcome: RenderedPicture | Failed) -> None:
        """Complete the caller's future: with the picture, or with an error if there is none."""
        job = self._jobs.pop(job_id, None)
        if job is None or job.answer.cancelled():
            return
        if isinstance(outcome, RenderedPicture):
            job.answer.set_result(outcome)
        else:
            job.answer.set_exception(job.refused(outcome))

    def worker_lost(self, worker: str, too_costly_job: int | None = None) -> None:
        """Fail the renders of a worker that ended with UnavailableError: the caller may ask again.

        `too_costly_job`: the job that spent its budget of CPU time; asking again would end another worker.
        """
        for job_id in [job_id for job_id, job in self._jobs.items() if job.worker == worker]:
            job = self._jobs.pop(job_id)
            if job.answer.cancelled():
                continue
            if job_id == too_costly_job:
                job.answer.set_exception(job.refused(Failed(TOO_COSTLY, "decoding it takes too much CPU time")))
            else:
                job.answer.set_exception(
                    UnavailableError(
                        "the worker that rendered the picture ended; ask again", reason=ErrorReason.WORKER_UNAVAILABLE
                    )
                )


def with_visit(picture: RenderedPicture, keyframe: Keyframe) -> RenderedPicture:
    """Return the picture with the visit and arrival time of its keyframe."""
    return RenderedPicture(picture.jpeg, picture.width, picture.height, keyframe.visit_id, keyframe.arrival_wall_ns)
