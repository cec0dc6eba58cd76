"""Keeps the last events of some cameras, within bounds: events of a camera, cameras, bytes in all. Pure.

A story that was closed, because its camera is well again, goes before one that is open; of each, the one to which
nothing was added for longest goes first. Not thread-safe.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from engine.model.stories.events import in_order
from engine.model.stories.story import CameraStory, StoryEvent

EVENTS_MAX = 60
"""Of one camera: the last ten visits or so."""
CAMERAS_MAX = 10_000
BYTES_MAX = 32 * 1024 * 1024
DETAIL_CHARS_MAX = 300
_WAITING_MAX = 4
"""Verdicts of one camera that may wait for their commit; the oldest is forgotten first."""
_EVENT_BYTES = 400
"""Of an event without its detail; a test compares it with what the interpreter allocates."""
_CHAR_BYTES = 2
_STORY_BYTES = 1500

VisitKey = tuple[int, int]
"""Visit id and time of a verdict: visits that never took place share the id 0."""


@dataclass(slots=True)
class _Story:
    since_wall_ns: int
    events: deque[StoryEvent] = field(default_factory=deque)
    waiting: dict[VisitKey, tuple[StoryEvent, ...]] = field(default_factory=dict)
    left_out: int = 0
    size: int = _STORY_BYTES
    trouble: str = ""


class StoryRings:
    """At most `events_max` events of a camera, `cameras_max` cameras, and `bytes_max` bytes in all, as estimated."""

    def __init__(
        self, events_max: int = EVENTS_MAX, cameras_max: int = CAMERAS_MAX, bytes_max: int = BYTES_MAX
    ) -> None:
        self._events_max = events_max
        self._cameras_max = cameras_max
        self._bytes_max = bytes_max
        self._open: OrderedDict[str, _Story] = OrderedDict()
        self._closed: OrderedDict[str, _Story] = OrderedDict()
        self._evicted: Counter[str] = Counter()
        self._size = 0

    def is_open(self, camera_id: str) -> bool:
        """Whether what happens to this camera is added. One lookup in a dictionary: any thread may ask."""
        return camera_id in self._open

    def is_kept(self, camera_id: str) -> bool:
        """Whether there is a story of this camera, open or closed. Any thread may ask."""
        return camera_id in self._open or camera_id in self._closed

    @property
    def size(self) -> int:
        """Bytes that all stories take, estimated."""
        return self._size

    @property
    def cameras(self) -> int:
        """Cameras with a story."""
        return len(self._open) + len(self._closed)

    @property
    def open_cameras(self) -> int:
        """Cameras with an open story."""
        return len(self._open)

    def open(self, camera_id: str, now_wall_ns: int) -> None:
        """Begin a story, or go on with one that was closed. Does nothing if it is open."""
        if camera_id not in self._open:
            story = self._closed.pop(camera_id, None)
            if story is None:
                story = _Story(now_wall_ns)
                self._size += story.size
            self._open[camera_id] = story
            self._make_room()

    def close(self, camera_id: str) -> None:
        """Add no more to a story; it stays until its room is needed. Does nothing if it is not open."""
        story = self._open.pop(camera_id, None)
        if story is not None:
            story.trouble = ""
            self._closed[camera_id] = story

    def forget(self, camera_ids: Iterable[str]) -> None:
        """Delete the stories of cameras that left the registry."""
        for camera_id in camera_ids:
            story = self._open.pop(camera_id, None) or self._closed.pop(camera_id, None)
            if story is not None:
                self._size -= story.size

    def trouble(self, camera_id: str, trouble: str) -> bool:
        """Note what is wrong with a camera at its latest visit; returns whether that differs from the visit before."""
        story = self._open.get(camera_id)
        if story is None or story.trouble == trouble:
            return story is None
        story.trouble = trouble
        return True

    def add(self, camera_id: str, events: Iterable[StoryEvent]) -> None:
        """Add events to a story, open or closed; the oldest of this camera go. Does nothing if there is none."""
        story = self._touched(camera_id)
        if story is None:
            return
        for event in events:
            story.events.append(_bounded(event))
            self._resize(story, _bytes_of(event))
        while len(story.events) > self._events_max:
            self._resize(story, -_bytes_of(story.events.popleft()))
            story.left_out += 1
        self._make_room()

    def wait(self, camera_id: str, key: VisitKey, events: Sequence[StoryEvent]) -> None:
        """Hold the events of a verdict back until `stored` says that it is committed."""
        story = self._touched(camera_id)
        if story is None:
            return
        bounded = tuple(map(_bounded, events))
        self._resize(story, _bytes_of(*bounded) - _bytes_of(*story.waiting.pop(key, ())))
        story.waiting[key] = bounded
        while len(story.waiting) > _WAITING_MAX:
            oldest = story.waiting.pop(next(iter(story.waiting)))
            self._resize(story, -_bytes_of(*oldest))
            story.left_out += len(oldest)
        self._make_room()

    def stored(self, camera_id: str, key: VisitKey, seq: int) -> None:
        """Add the events that wait for this verdict, which has been committed as `seq`.

        Verdicts are committed in their order: an older one that still waits never was, and is left out.
        """
        story = self._open.get(camera_id) or self._closed.get(camera_id)
        if story is None or key not in story.waiting:
            return
        for older in list(story.waiting):
            events = story.waiting.pop(older)
            self._resize(story, -_bytes_of(*events))
            if older == key:
                self.add(camera_id, [replace(event, seq=seq) for event in events])
                return
            story.left_out += len(events)

    def waits(self, camera_id: str) -> bool:
        """Whether a verdict on this camera waits for its commit."""
        story = self._open.get(camera_id) or self._closed.get(camera_id)
        return story is not None and bool(story.waiting)

    def story(self, camera_id: str) -> CameraStory:
        """Return a story, its events in the order in which they happened; an empty one if none is kept."""
        story = self._open.get(camera_id) or self._closed.get(camera_id)
        if story is None:
            return CameraStory(camera_id)
        is_open = camera_id in self._open
        return CameraStory(camera_id, in_order(story.events), is_open, story.left_out, story.since_wall_ns)

    def drain_evicted(self) -> Counter[str]:
        """Return how many stories were given up since the last call, by the bound that was reached."""
        evicted, self._evicted = self._evicted, Counter()
        return evicted

    def _touched(self, camera_id: str) -> _Story | None:
        for stories in (self._open, self._closed):
            story = stories.get(camera_id)
            if story is not None:
                stories.move_to_end(camera_id)
                return story
        return None

    def _resize(self, story: _Story, more: int) -> None:
        story.size += more
        self._size += more

    def _make_room(self) -> None:
        """Give up stories until all bounds are kept; the last one stays, it is bounded by itself."""
        while self.cameras > 1 and (self.cameras > self._cameras_max or self._size > self._bytes_max):
            self._evicted["cameras" if self.cameras > self._cameras_max else "bytes"] += 1
            _, story = (self._closed or self._open).popitem(last=False)
            self._size -= story.size


def _bounded(event: StoryEvent) -> StoryEvent:
    if len(event.detail) <= DETAIL_CHARS_MAX:
        return event
    return replace(event, detail=event.detail[: DETAIL_CHARS_MAX - 1] + "…")


def _bytes_of(*events: StoryEvent) -> int:
    return sum(_EVENT_BYTES + _CHAR_BYTES * min(len(event.detail), DETAIL_CHARS_MAX) for event in events)
