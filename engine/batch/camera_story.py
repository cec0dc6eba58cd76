"""Tells the story of a camera: as the engine keeps it in memory, or from the verdict log and the ledger."""

from dataclasses import replace
from itertools import islice

from engine.batch.camera_access import CameraAccess
from engine.model.findings import LedgerEvent
from engine.model.stories.events import of_history
from engine.model.stories.story import CameraStory

_FINDINGS_MAX = 20
"""The newest findings of a camera whose steps are told."""


def story_of(cameras: CameraAccess, camera_id: str, visits: int) -> CameraStory:
    """Return the last `visits` visits of the story that the engine keeps; without one, what is stored of as many.

    Raises what `cameras` raises.
    """
    told = cameras.story(camera_id)
    if told.events:
        return _last(told, visits)
    logged = list(islice(cameras.logged(camera_id), visits + 1))
    older = logged[visits].verdict if len(logged) > visits else None
    verdicts = logged[:visits][::-1]
    first_ns = verdicts[0].verdict.at_wall_ns if verdicts else 0
    steps: list[LedgerEvent] = []
    for finding in cameras.findings(camera_id, open_only=False)[:_FINDINGS_MAX]:
        if finding.changed_wall_ns >= first_ns:
            steps += cameras.finding_events(finding.finding_id)
    return CameraStory(camera_id, of_history(verdicts, steps, older))


def _last(told: CameraStory, visits: int) -> CameraStory:
    """Return the story from the first event of its last visits on. Events without a visit count as one."""
    wanted = list(dict.fromkeys(event.visit_id for event in reversed(told.events) if not event.finding_id))[:visits]
    places = [place for place, event in enumerate(told.events) if event.visit_id in wanted and not event.finding_id]
    first = min(places, default=0)
    return replace(told, events=told.events[first:], left_out=told.left_out + first)
