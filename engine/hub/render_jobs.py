"""Pictures that callers asked for, rendered by workers between two measurements. Pure but for the futures it fills."""

from concurrent.futures import Future
from dataclasses import dataclass

from engine.errors import IntegrityError, UnavailableError
from engine.model.keyframe import Keyframe
from engine.model.picture import RenderedPicture
from engine.worker.wire import Failed

RENDERS_MAX = 32
"""Renders asked for and not answered; a caller beyond is told to come again."""
FIRST_JOB_ID = 1 << 62
"""Measuring counts its jobs from 1; the two never meet."""


@dataclass(slots=True)
class _RenderJob:
    worker: str
    answer: "Future[RenderedPicture]"


class RenderJobs:
    """Render jobs in flight."""

    def __init__(self) -> None:
        self._jobs: dict[int, _RenderJob] = {}
        self._next = FIRST_JOB_ID

    def begin(self, worker: str, answer: "Future[RenderedPicture]") -> int:
        """A job id for a render that goes to `worker`; raises UnavailableError if too many are under way."""
        if len(self._jobs) >= RENDERS_MAX:
            raise UnavailableError(
                f"{RENDERS_MAX} pictures are being rendered, which is the most; ask again in a second"
            )
        job_id = self._next
        self._next += 1
        self._jobs[job_id] = _RenderJob(worker, answer)
        return job_id

    def finished(self, job_id: int, outcome: RenderedPicture | Failed) -> None:
        """Hand the worker's answer to the caller: the picture, or IntegrityError if the keyframe gives none."""
        render = self._jobs.pop(job_id, None)
        if render is None or render.answer.cancelled():
            return
        if isinstance(outcome, RenderedPicture):
            render.answer.set_result(outcome)
        else:
            render.answer.set_exception(IntegrityError(f"the kept keyframe gives no picture: {outcome.detail}"))

    def worker_lost(self, worker: str) -> None:
        """Fail the renders of a worker that ended with UnavailableError: the caller may ask again."""
        for job_id in [job_id for job_id, render in self._jobs.items() if render.worker == worker]:
            render = self._jobs.pop(job_id)
            if not render.answer.cancelled():
                render.answer.set_exception(UnavailableError("the worker that rendered the picture ended; ask again"))


def stamped(picture: RenderedPicture, keyframe: Keyframe) -> RenderedPicture:
    """The picture, with the visit it shows."""
    return RenderedPicture(picture.jpeg, picture.width, picture.height, keyframe.visit_id, keyframe.arrival_wall_ns)
