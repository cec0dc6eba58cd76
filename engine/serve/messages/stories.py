"""Converts stories of cameras to messages of patrol.v1 and back. Pure."""

from engine.model.stories.story import CameraStory, StoryEvent, StoryStep
from engine.serve.messages.convert import timestamp, wall_ns_of
from engine.serve.messages.resource_names import (
    camera_id_of,
    camera_name,
    number_of,
    numbered_name,
    verdict_ids_of,
    verdict_name,
)
from patrol.v1 import stories_pb2

_STEP_NUMBER = {step: getattr(stories_pb2, f"STORY_STEP_{step.name}") for step in StoryStep}
_STEP = {number: step for step, number in _STEP_NUMBER.items()}


def story_message(story: CameraStory) -> stories_pb2.CameraStory:
    """Return a story as a message."""
    return stories_pb2.CameraStory(
        camera=camera_name(story.camera_id),
        events=[_event_message(event, story.camera_id) for event in story.events],
        open=story.open,
        events_left_out=story.left_out,
        start_time=timestamp(story.kept_since_wall_ns),
    )


def story_of(message: stories_pb2.CameraStory) -> CameraStory:
    """Return the story in a message; events of a step that is not known here are left out."""
    return CameraStory(
        camera_id=camera_id_of(message.camera, "camera"),
        events=tuple(_event_of(event) for event in message.events if event.step in _STEP),
        open=message.open,
        left_out=message.events_left_out,
        kept_since_wall_ns=wall_ns_of(message.start_time),
    )


def _event_message(event: StoryEvent, camera_id: str) -> stories_pb2.StoryEvent:
    return stories_pb2.StoryEvent(
        step=_STEP_NUMBER[event.step],
        event_time=timestamp(event.at_wall_ns),
        verdict=verdict_name(camera_id, event.visit_id) if event.visit_id else "",
        sequence=event.seq,
        reason=event.reason,
        detail=event.detail,
        finding=numbered_name("findings", event.finding_id) if event.finding_id else "",
    )


def _event_of(message: stories_pb2.StoryEvent) -> StoryEvent:
    return StoryEvent(
        step=_STEP[message.step],
        at_wall_ns=wall_ns_of(message.event_time),
        visit_id=verdict_ids_of(message.verdict)[1] if message.verdict else 0,
        seq=message.sequence,
        reason=message.reason,
        detail=message.detail,
        finding_id=number_of(message.finding),
    )
