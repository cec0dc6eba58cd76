"""The events of a finding as its page shows them, and its pictures with their ages."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.web.console.page import Page
from engine.web.console.screens.ledger.reasons import own_words
from engine.web.errors import HttpError, code_name
from patrol.v1.findings_pb2 import FindingPicture, FindingStep, GetFindingPictureRequest, ListFindingEventsRequest

PICTURE_PX = 640
"""Longest side of the pictures on a finding's page."""
_PAGE_ROWS = 200
_PAGES = 5
_PICTURE_S = 8.0
_ETAGS_MAX = 3000
_RAISED = (
    FindingStep.FINDING_STEP_FELL_OVERDUE,
    FindingStep.FINDING_STEP_ESCALATED,
    FindingStep.FINDING_STEP_SUPERVISED,
)
_PICTURES = (
    ("evidence", FindingPicture.FINDING_PICTURE_EVIDENCE),
    ("baseline", FindingPicture.FINDING_PICTURE_BASELINE),
    ("last_good", FindingPicture.FINDING_PICTURE_LAST_GOOD),
)


@dataclass(frozen=True)
class Entry:
    """An event. `why`: in the page's language if the engine wrote it. `is_raised`: it makes the finding more urgent."""

    event: Any
    number: int
    why: str
    is_raised: bool


@dataclass(frozen=True)
class Timeline:
    """Events, oldest first. `left_out`: how many later ones there are."""

    entries: Sequence[Entry]
    left_out: int

    def after(self, number: int) -> Sequence[Entry]:
        """Return the events after one of this number."""
        return [entry for entry in self.entries if entry.number > number]


@dataclass(frozen=True)
class Shot:
    """A picture of a finding. `which`: evidence, baseline or last_good. `picture`: its facts; None if there is none.

    `why`: why there is none, as the engine says it. `later`: there may be one when it is asked for again.
    """

    which: str
    picture: Any
    why: str = ""
    later: bool = False


async def load_timeline(page: Page, name: str, number: int) -> Timeline:
    """Return the events of a finding, at most the first 1,000. `number`: of its latest event. Raises HttpError."""
    request = ListFindingEventsRequest(parent=name, page_size=_PAGE_ROWS)
    entries: list[Entry] = []
    for _ in range(_PAGES):
        reply = await page.call(request)
        entries += [_entry(page, event) for event in reply.events]
        request.page_token = reply.next_page_token
        if not request.page_token:
            return Timeline(entries, 0)
    return Timeline(entries, max(0, number - len(entries)))


def _entry(page: Page, event: Any) -> Entry:
    why = event.why if event.role else own_words(page, event.why)
    return Entry(event, int(event.name.rpartition("/")[2]), why, event.step in _RAISED)


_etags: OrderedDict[tuple[str, str], str] = OrderedDict()
"""Etags of pictures that were asked for: with one, the engine tells a picture's age without rendering it once more.
Whether the caller may see it, it decides each time."""


async def load_pictures(page: Page, name: str) -> Sequence[Shot]:
    """Return the pictures of a finding; one that is missing says why."""
    return await asyncio.gather(*(_shot(page, name, which, value) for which, value in _PICTURES))


async def _shot(page: Page, name: str, which: str, value: Any) -> Shot:
    request = GetFindingPictureRequest(
        name=name, picture=value, side_px_max=PICTURE_PX, if_none_match=_etags.get((name, which), "")
    )
    try:
        picture = await page.call(request, _PICTURE_S)
    except HttpError as error:
        if error.http == 401:
            raise
        later = code_name(error.status) in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")
        return Shot(which, None, str(error), later)
    _etags[name, which] = picture.etag
    if len(_etags) > _ETAGS_MAX:
        _etags.popitem(last=False)
    return Shot(which, picture)
