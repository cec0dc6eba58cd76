"""A story goes over gRPC and comes back the same."""

from engine.model.stories.story import CameraStory, StoryEvent, StoryStep
from engine.serve.messages.stories import story_message, story_of
from patrol.v1 import stories_pb2


def test_every_step_of_a_story_comes_back_as_it_was() -> None:
    events = tuple(
        StoryEvent(step, 1_795_000_000_123_456_789 + place, place, place * 3, "why", "in words", place * 2)
        for place, step in enumerate(StoryStep)
    )
    for story in (CameraStory("a/b%", events, True, 7, 1_795_000_000_000_000_001), CameraStory("a")):
        assert story_of(story_message(story)) == story


def test_every_number_of_the_message_is_a_step() -> None:
    names = {name.removeprefix("STORY_STEP_").lower() for name in stories_pb2.StoryStep.DESCRIPTOR.values_by_name}
    assert names == {"unspecified", *StoryStep}
    newer = stories_pb2.CameraStory(camera="cameras/a", events=[stories_pb2.StoryEvent(step=99)])  # type: ignore[arg-type]
    assert story_of(newer).events == ()
