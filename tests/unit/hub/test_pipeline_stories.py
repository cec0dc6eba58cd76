"""What the pipeline tells the stories and the log of a camera's trouble, over a real database and writer."""

from structlog.testing import capture_logs

from engine.clock import monotonic_ns, wall_ns
from engine.model.keyframe import Codec, Keyframe
from engine.model.stories.story import CameraStory, StoryStep
from engine.model.verdict import UnknownReason
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitTimings
from engine.runtime.log_events import QUARANTINED
from engine.worker.wire import Failed, Result
from tests.unit.hub.test_pipeline import Running, arrive, measured, running

__all__ = ["running"]

TIMINGS = VisitTimings(1_000_000, 0, 5_000_000, 10)


def fail(running: Running, visit_id: int, reason: FailureReason = FailureReason.REFUSED) -> None:
    running.hub.state.pipeline.visit_failed(VisitFailure("a", visit_id, reason, "nothing listens", TIMINGS))


def story(running: Running, camera_id: str = "a") -> CameraStory:
    assert running.hub.writer.flush(10)
    return running.hub.state.pipeline._outlets.stories.story(camera_id)


def test_a_camera_that_fails_is_told_of_with_the_places_of_its_verdicts(running: Running) -> None:
    fail(running, 1)
    fail(running, 2)
    told = story(running)
    assert told.open
    steps = {number: [event.step for event in told.events if event.visit_id == number] for number in (1, 2)}
    assert steps == {
        1: [StoryStep.ORDERED, StoryStep.CONNECTED, StoryStep.FAILED, StoryStep.JUDGED],
        2: [StoryStep.CONNECTED, StoryStep.FAILED, StoryStep.JUDGED, StoryStep.ANNOUNCED],
    }
    logged = {row.verdict.visit_id: row.seq for row in running.store.history.after(0, 10)}
    assert [event.seq for event in told.events if event.step is StoryStep.JUDGED] == [logged[1], logged[2]]


def test_the_log_has_trouble_when_it_begins_and_when_it_changes_and_no_more(running: Running) -> None:
    with capture_logs() as lines:
        fail(running, 1)
        fail(running, 2)
        fail(running, 3, FailureReason.DNS)
        running.hub.state.pipeline.measured("w", measured("a", 4, arrive(running.hub, "a", 4)))
        fail(running, 5, FailureReason.DNS)
    trouble = [line for line in lines if line["event"] == "trouble"]
    assert [(line["visit_id"], line["reason"]) for line in trouble] == [(1, "refused"), (3, "dns"), (5, "dns")]
    assert {"camera_id", "region", "visit_id", "state", "kinds", "reason", "detail"} <= set(trouble[0])


def test_a_keyframe_that_gives_no_picture_and_one_that_is_superseded_are_told_of(running: Running) -> None:
    hub = running.hub
    job = arrive(hub, "a", 1)
    hub.state.pipeline.measured("w", Result(job, Failed(UnknownReason.DAMAGED, "a slice is missing"), b""))
    for visit_id in (2, 3):
        waiting = Keyframe("a", visit_id, Codec.H264, b"payload", wall_ns(), None, FeedKind.RTSP, TIMINGS)
        hub.state.pipeline.arrived(waiting, monotonic_ns())
    told = story(running)
    by_visit = [(event.visit_id, event.step, event.reason) for event in told.events]
    assert (1, StoryStep.JUDGED, "unknown") in by_visit
    assert not any(step is StoryStep.SCORED for _, step, _ in by_visit)
    assert (2, StoryStep.KEYFRAME, "h264") in by_visit
    assert (2, StoryStep.DROPPED, "superseded") in by_visit


def test_a_camera_that_is_well_leaves_nothing(running: Running) -> None:
    for visit_id in (1, 2, 3):
        running.hub.state.pipeline.measured("w", measured("b", visit_id, arrive(running.hub, "b", visit_id)))
    assert story(running, "b") == CameraStory("b")


def test_a_keyframe_that_is_quarantined_is_logged_with_its_place_and_told_of(running: Running) -> None:
    hub = running.hub
    arrive(hub, "a", 1)
    with capture_logs() as lines:
        for worker, successor in (("w", "w2"), ("w2", "w3")):
            hub.state.pipeline.worker_lost(worker, monotonic_ns())
            hub.state.workers.worker_ready(successor, 8)
            hub.state.workers.intake.hand_out(monotonic_ns())
    (line,) = [line for line in lines if line["event"] == "keyframe quarantined"]
    assert set(line) == {"event", "log_level", *QUARANTINED.fields}
    assert (line["camera_id"], line["visit_id"]) == ("a", 1)
    told = [(event.step, event.reason, event.detail) for event in story(running).events]
    assert (StoryStep.JUDGED, "unknown", told[-1][2]) == told[-1]
    assert "quarantined" in told[-1][2]
