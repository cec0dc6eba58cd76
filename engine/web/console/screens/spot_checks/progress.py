"""How far a draw is: of each canteen, how many cameras were visited since, what they show, and new findings."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.web.console.names import canteen_name
from engine.web.console.page import Page
from engine.web.errors import HttpError, code_name
from patrol.v1.cameras_pb2 import CameraFilter, ListCamerasRequest
from patrol.v1.canteens_pb2 import GetCanteenRequest
from patrol.v1.findings_pb2 import FindingFilter, ListFindingsRequest
from patrol.v1.verdicts_pb2 import VerdictState

_CALLS_AT_ONCE = 8
_CAMERAS_MAX = 200
_FINDINGS_MAX = 100


@dataclass(frozen=True)
class Visited:
    """A drawn canteen. `active`: cameras that are not disabled. `seen`: of those, visited since the draw. `faults`,
    `unclear` (unknown or offline): of those seen. `findings`: opened since. `left_out`: cameras beyond the first 200,
    which nothing here counts. `cameras`, `canteen` (address, contact), `open_findings`: only for paper.
    """

    drawn: Any
    active: int
    seen: int
    faults: int
    unclear: int
    disabled: int
    findings: int
    left_out: int
    cameras: Sequence[Any] = ()
    canteen: Any = None
    open_findings: Sequence[Any] = ()

    @property
    def stratum(self) -> tuple[str, int, bool]:
        """What the canteen was drawn among."""
        return self.drawn.county, self.drawn.kind, self.drawn.with_findings

    @property
    def is_nameless(self) -> bool:
        """Whether the registry has no id for the canteen: its id is then made of region and name."""
        return _is_nameless(self.drawn)


async def progress(page: Page, canteens: Sequence[Any], since: Any, *, for_paper: bool) -> Sequence[Visited]:
    """Return how far each canteen is. `since`: when they were drawn. Raises HttpError."""
    turns = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def one(drawn: Any) -> Visited:
        async with turns:
            return await _visited(page, drawn, since, for_paper)

    return await asyncio.gather(*map(one, canteens))


async def _visited(page: Page, drawn: Any, since: Any, for_paper: bool) -> Visited:
    nameless = _is_nameless(drawn)
    chosen = {"site_id": drawn.site_id}
    if nameless:
        chosen = {"region_prefix": drawn.county, "query": drawn.site_name[:100]}
    listed = await page.call(ListCamerasRequest(filter=CameraFilter(**chosen), page_size=_CAMERAS_MAX))
    cameras = [camera for camera in listed.cameras if not nameless or _is_of(camera, drawn)]
    new = await _findings(page, FindingFilter(open_start_time=since, **chosen), drawn, nameless)
    active = [camera for camera in cameras if not camera.disabled]
    seen = [camera for camera in active if _is_after(camera.latest_verdict.visit_time, since)]
    states = [camera.latest_verdict.state for camera in seen]
    canteen: Any = None
    open_findings: Sequence[Any] = ()
    if for_paper:
        canteen = await _canteen(page, drawn)
        open_findings = await _findings(page, FindingFilter(open_only=True, **chosen), drawn, nameless)
    faults = states.count(VerdictState.VERDICT_STATE_FAULT)
    return Visited(
        drawn=drawn,
        active=len(active),
        seen=len(seen),
        faults=faults,
        unclear=len(states) - faults - states.count(VerdictState.VERDICT_STATE_OK),
        disabled=len(cameras) - len(active),
        findings=len(new),
        left_out=max(0, listed.total_size - len(listed.cameras)),
        cameras=cameras if for_paper else (),
        canteen=canteen,
        open_findings=open_findings,
    )


async def _findings(page: Page, wanted: FindingFilter, drawn: Any, nameless: bool) -> Sequence[Any]:
    reply = await page.call(ListFindingsRequest(filter=wanted, page_size=_FINDINGS_MAX))
    return [finding for finding in reply.findings if not nameless or _is_of(finding, drawn)]


async def _canteen(page: Page, drawn: Any) -> Any:
    """Return address and contact; None if nobody stored any."""
    try:
        return await page.call(GetCanteenRequest(name=canteen_name(drawn.site_id)))
    except HttpError as error:
        if code_name(error.status) != "NOT_FOUND":
            raise
        return None


def _is_nameless(drawn: Any) -> bool:
    return bool(drawn.site_id == f"{drawn.county}/{drawn.site_name}")


def _is_of(item: Any, drawn: Any) -> bool:
    return not item.site_id and (item.region, item.site_name) == (drawn.county, drawn.site_name)


def _is_after(time: Any, since: Any) -> bool:
    return (time.seconds, time.nanos) >= (since.seconds, since.nanos)
