"""Reads everything that a reviewer needs to decide on one finding: pictures, figures, history, whom to call."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from engine.web.console import names
from engine.web.console.page import Page
from engine.web.console.review.figures import Comparison, comparisons
from engine.web.errors import HttpError, code_name
from patrol.v1.canteens_pb2 import GetCanteenRequest
from patrol.v1.findings_pb2 import (
    FindingPicture,
    GetFindingPictureRequest,
    ListFindingEventsRequest,
    ListFindingEventsResponse,
)
from patrol.v1.patrol_pb2 import GetVerdictRequest, ListVerdictsRequest
from patrol.v1.verdicts_pb2 import View

VERDICTS = 30
ROWS, COLUMNS = 9, 16
"""The grid of Verdict.tiles."""
_EVENTS = 200
_ANY_ETAG = "*"
"""Makes the engine answer what a picture is without rendering it."""
_PICTURES = {
    "evidence": FindingPicture.FINDING_PICTURE_EVIDENCE,
    "baseline": FindingPicture.FINDING_PICTURE_BASELINE,
    "last_good": FindingPicture.FINDING_PICTURE_LAST_GOOD,
}


@dataclass(frozen=True)
class KeptPicture:
    """`problem`: why it cannot be shown: empty, `absent`, `changed`, or `same` as the one before it."""

    which: str
    problem: str
    verdict: str = ""
    time: Timestamp | None = None


@dataclass(frozen=True)
class Case:
    """A finding with what belongs to it.

    `verdict`: the one on the evidence, None if it is not kept. `verdicts`: the camera's latest, oldest first.
    `history`: the reply with its first events. `canteen`: None if nothing is known of it.
    """

    finding: Any
    pictures: Sequence[KeptPicture]
    verdict: Any
    comparisons: Sequence[Comparison]
    history: Any
    verdicts: Sequence[Any]
    canteen: Any

    @property
    def number(self) -> str:
        """The finding's number."""
        return names.finding_number(self.finding.name)

    @property
    def camera_id(self) -> str:
        """The id of its camera."""
        return names.camera_id(self.finding.camera)

    @property
    def tiles(self) -> Sequence[tuple[int, int]]:
        """Column and row of the tiles where the fault shows."""
        numbers = self.verdict.tiles if self.verdict is not None else ()
        return [(number % COLUMNS, number // COLUMNS) for number in numbers if number < ROWS * COLUMNS]

    def events_after(self, number: int) -> Sequence[Any]:
        """Return the events that happened after the one with this number."""
        return [event for event in self.history.events if int(event.name.rpartition("/")[2]) > number]


async def read_case(page: Page, finding: Any) -> Case:
    """Read what belongs to a finding. What is not kept is absent. Raises HttpError for anything else."""
    site = finding.site_id or f"{finding.region}/{finding.site_name}"
    asked: Mapping[str, Message] = {
        "events": ListFindingEventsRequest(parent=finding.name, page_size=_EVENTS),
        "verdicts": ListVerdictsRequest(parent=finding.camera, page_size=VERDICTS, view=View.VIEW_BASIC),
        "canteen": GetCanteenRequest(name=names.canteen_name(site)),
    }
    several = asyncio.gather(*(_call_if_there(page, request) for request in asked.values()))
    pictures = await asyncio.gather(*(_picture(page, finding.name, which) for which in _PICTURES))
    replies = dict(zip(asked, await several, strict=True))
    verdicts = replies["verdicts"]
    verdict = None
    if pictures[0].verdict:
        verdict = await _call_if_there(page, GetVerdictRequest(name=pictures[0].verdict))
    return Case(
        finding,
        _without_repeats(pictures),
        verdict,
        comparisons(verdict) if verdict is not None else (),
        replies["events"] or ListFindingEventsResponse(),
        list(reversed(verdicts.verdicts)) if verdicts is not None else (),
        replies["canteen"],
    )


async def _picture(page: Page, name: str, which: str) -> KeptPicture:
    request = GetFindingPictureRequest(name=name, picture=_PICTURES[which], if_none_match=_ANY_ETAG)
    try:
        reply = await page.call(request)
    except HttpError as error:
        code = code_name(error.status)
        if code not in ("NOT_FOUND", "DATA_LOSS"):
            raise
        return KeptPicture(which, "absent" if code == "NOT_FOUND" else "changed")
    return KeptPicture(which, "", reply.verdict, reply.arrival_time)


def _without_repeats(pictures: Sequence[KeptPicture]) -> Sequence[KeptPicture]:
    """Return the pictures; the last good one often is the baseline, which is not shown twice."""
    evidence, baseline, good = pictures
    if good.verdict and (good.verdict, good.time) == (baseline.verdict, baseline.time):
        good = KeptPicture(good.which, "same", good.verdict, good.time)
    return evidence, baseline, good


async def _call_if_there(page: Page, request: Message) -> Any:
    """Make a call; None if the engine does not have what it asks for."""
    try:
        return await page.call(request)
    except HttpError as error:
        if code_name(error.status) != "NOT_FOUND":
            raise
        return None
