"""Turns what the hub does with a camera into the events of its story, while the camera is not quietly ok.

A camera that is quietly ok costs a lookup in a dictionary. One that turns not ok gets the events of that visit too: its
keyframe, its failure and its verdict still hold them. What a verdict says is shown once the verdict is committed, and
not before.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.clock import wall_ns
from engine.hub.stories.rings import StoryRings
from engine.model.findings import LoggedEvent, Step
from engine.model.keyframe import DropReason, Keyframe
from engine.model.notice import DeliveryState, Notice
from engine.model.stories import events as story_events
from engine.model.stories.story import CameraStory, StoryEvent
from engine.model.verdict import State, Verdict
from engine.model.visit import VisitFailure, VisitOrder
from engine.storage.db.store import VisitRecord

_OK, _FAULT, _OFFLINE = State.OK, State.FAULT, State.OFFLINE
"""Compared by identity: every verdict comes by, and members are looked up and hashed in Python."""


class StoryCounts(NamedTuple):
    """What the metrics say of the stories. `evicted`: by the bound that was reached, since the last time."""

    open: int
    kept: int
    size: int
    evicted: Counter[str]


class Stories:
    """`published` and `ledger` are for the writer's thread, `attempted`, `story` and `counts` for any, the others for
    the hub's."""

    def __init__(self, rings: StoryRings | None = None) -> None:
        self._rings = rings or StoryRings()
        self._lock = threading.Lock()
        self._uncommitted: set[str] = set()
        """Cameras of which a verdict waits for its commit: `published` passes over all others."""

    def ordered(self, order: VisitOrder, class_name: str) -> None:
        """A visit was ordered."""
        if self._rings.is_open(order.camera_id):
            self._add(order.camera_id, story_events.ordered(order.visit_id, wall_ns(), order.via, class_name))

    def tried_again(self, failure: VisitFailure) -> None:
        """An RTSP visit failed, and FFmpeg tries the same once more."""
        if self._rings.is_open(failure.camera_id):
            self._add(failure.camera_id, *story_events.failure(failure, wall_ns(), "FFmpeg tries once more"))

    def unjudged(self, order: VisitOrder, reason: str) -> None:
        """A visit ended without saying anything of its camera."""
        if self._rings.is_open(order.camera_id):
            self._add(order.camera_id, story_events.unjudged(order.visit_id, reason, wall_ns()))

    def dropped(self, keyframe: Keyframe, reason: DropReason) -> None:
        """A keyframe ended without a measurement."""
        if self._rings.is_open(keyframe.camera_id):
            event = story_events.dropped(keyframe, reason, wall_ns())
            self._add(keyframe.camera_id, *story_events.arrival(keyframe), event)

    def judged(
        self,
        verdict: Verdict,
        before: str,
        changed: bool,
        keyframe: Keyframe | None,
        failure: VisitFailure | None,
        measured_wall_ns: int,
    ) -> bool:
        """A visit has a verdict: open, continue or close the story of its camera.

        `before`: what was announced. `changed`: that has changed, or is the first. `keyframe`, `failure`: what the
        visit brought. `measured_wall_ns`: when the hub had the measurement. Returns whether something else is wrong
        with the camera than at its visit before.
        """
        camera_id, announced = verdict.camera_id, verdict.announced
        well = verdict.state is _OK and announced is not _FAULT and announced is not _OFFLINE
        if well and not self._rings.is_open(camera_id):
            return False
        now_ns = wall_ns()
        events: list[StoryEvent] = []
        is_first = not self._rings.is_open(camera_id)
        if keyframe is not None:
            if is_first:
                arrived_ns, via = keyframe.arrival_wall_ns, keyframe.source
                events += story_events.begun(keyframe.visit_id, keyframe.timings, arrived_ns, via)
            events += story_events.arrival(keyframe)
        elif failure is not None:
            if is_first:
                events += story_events.begun(failure.visit_id, failure.timings, now_ns)
            events += story_events.failure(failure, now_ns)
        measured = story_events.scored(verdict, min(measured_wall_ns, now_ns) or now_ns)
        if measured is not None:
            events.append(measured)
        said = tuple(story_events.conclusion(verdict, changed, now_ns, before))
        with self._lock:
            self._rings.open(camera_id, now_ns)
            self._rings.add(camera_id, events)
            self._rings.wait(camera_id, (verdict.visit_id, verdict.at_wall_ns), said)
            self._uncommitted.add(camera_id)
            is_new = self._rings.trouble(camera_id, _trouble(verdict))
            if well and announced is _OK:
                self._rings.close(camera_id)
        return is_new and verdict.state is not State.OK

    def published(self, records: Sequence[VisitRecord]) -> None:
        """These verdicts are committed."""
        for record in records:
            camera_id = record.verdict.camera_id
            if camera_id in self._uncommitted:
                with self._lock:
                    key = record.verdict.visit_id, record.verdict.at_wall_ns
                    self._rings.stored(camera_id, key, record.seq)
                    if not self._rings.waits(camera_id):
                        self._uncommitted.discard(camera_id)

    def ledger(self, events: Sequence[LoggedEvent]) -> None:
        """These steps of findings are committed. `attempted` tells more of notices than the ledger does."""
        for logged in events:
            camera_id = logged.finding.subject.camera_id
            if logged.event.step is not Step.NOTIFIED and self._rings.is_kept(camera_id):
                self._add(camera_id, story_events.ledger_event(logged.event))

    def attempted(self, notice: Notice, endpoint: str, outcome: str, state: DeliveryState) -> None:
        """A notice was sent to an endpoint: it reached it, is tried again, or is given up. Any thread."""
        if self._rings.cameras:
            camera_id = str(json.loads(notice.body).get("camera_id", ""))
            if self._rings.is_kept(camera_id):
                self._add(camera_id, story_events.attempt(notice, endpoint, outcome, state, wall_ns()))

    def forget(self, camera_ids: Iterable[str]) -> None:
        """Delete the stories of cameras that left the registry."""
        camera_ids = tuple(camera_ids)
        with self._lock:
            self._rings.forget(camera_ids)
            self._uncommitted.difference_update(camera_ids)

    def story(self, camera_id: str) -> CameraStory:
        """Return the story of a camera; an empty one if none is kept."""
        with self._lock:
            return self._rings.story(camera_id)

    def counts(self) -> StoryCounts:
        """Return how many stories there are, what they take, and how many were given up since the last call."""
        with self._lock:
            rings = self._rings
            return StoryCounts(rings.open_cameras, rings.cameras, rings.size, rings.drain_evicted())

    def _add(self, camera_id: str, *events: StoryEvent) -> None:
        with self._lock:
            self._rings.add(camera_id, events)


def _trouble(verdict: Verdict) -> str:
    if verdict.state is State.OK:
        return ""
    return "/".join((verdict.state, *verdict.kinds, verdict.reason))
