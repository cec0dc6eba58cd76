from concurrent.futures import Future

import pytest

from engine.errors import DecodeError, IntegrityError, UnavailableError
from engine.hub.keyframes.render_jobs import RENDERS_MAX, RenderJobs, photograph_refused
from engine.model.picture import RenderedPicture
from engine.worker.wire import Failed

PICTURE = RenderedPicture(b"jpeg", 4, 2, 1, 1)


def test_a_picture_reaches_the_caller() -> None:
    jobs, answer = RenderJobs(), Future[RenderedPicture]()
    jobs.finish(jobs.start("w1", answer), PICTURE)
    assert answer.result(0) is PICTURE


def test_a_keyframe_that_gives_no_picture_is_data_loss() -> None:
    jobs, answer = RenderJobs(), Future[RenderedPicture]()
    jobs.finish(jobs.start("w1", answer), Failed("damaged", "no picture"))
    with pytest.raises(IntegrityError, match="gives no picture"):
        answer.result(0)


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_callers_file_that_gives_no_picture_is_the_callers_error(is_lost: bool) -> None:
    jobs, answer = RenderJobs(), Future[RenderedPicture]()
    number = jobs.start("w1", answer, photograph_refused)
    if is_lost:
        jobs.worker_lost("w1", too_costly_job=number)
    else:
        jobs.finish(number, Failed("too_costly", "300 scans"))
    with pytest.raises(DecodeError) as caught:
        answer.result(0)
    assert caught.value.reason == "too_costly"


def test_renders_of_a_lost_worker_may_be_tried_again() -> None:
    jobs, lost, other = RenderJobs(), Future[RenderedPicture](), Future[RenderedPicture]()
    cancelled = Future[RenderedPicture]()
    cancelled.cancel()
    number = jobs.start("w1", lost)
    jobs.start("w1", cancelled)
    jobs.start("w2", other)
    jobs.worker_lost("w1")
    with pytest.raises(UnavailableError, match="ask again"):
        lost.result(0)
    assert not other.done()
    jobs.finish(number, PICTURE)


def test_too_many_renders_may_be_tried_again() -> None:
    jobs = RenderJobs()
    for _ in range(RENDERS_MAX):
        jobs.start("w1", Future[RenderedPicture]())
    with pytest.raises(UnavailableError, match=f"{RENDERS_MAX} pictures"):
        jobs.start("w1", Future[RenderedPicture]())


def test_a_render_that_spent_its_budget_is_not_to_be_asked_for_again() -> None:
    jobs, costly, other = RenderJobs(), Future[RenderedPicture](), Future[RenderedPicture]()
    number = jobs.start("w1", costly)
    jobs.start("w1", other)
    jobs.worker_lost("w1", too_costly_job=number)
    with pytest.raises(IntegrityError, match="too much CPU time"):
        costly.result(0)
    with pytest.raises(UnavailableError, match="ask again"):
        other.result(0)
