"""The page of one finding: what, where, since when, whose turn, by when; pictures, timeline, what one may do."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.screens.ledger.timeline import PICTURE_PX, Entry, load_pictures, load_timeline
from patrol.v1.findings_pb2 import FindingState, FindingStep, GetFindingRequest

_CLAIMED = (FindingState.FINDING_STATE_RECTIFIED, FindingState.FINDING_STATE_RECHECKING)
ENDED = (FindingState.FINDING_STATE_CLOSED, FindingState.FINDING_STATE_DISMISSED)
_DONE = ("acknowledge", "claim", "close", "dismiss", "supervise", "reopen")


async def show(page: Page) -> Response:
    """Show the page. `pictures=1`: with its pictures at once, for browsers without script."""
    name = names.asked_finding(page.query)
    pictures = forms.choice(page.query, "pictures", ("1",))
    values = await page_values(page, name)
    shots = await load_pictures(page, name) if pictures else None
    done = forms.choice(page.query, "done", _DONE)
    return await page.render("finding.html.jinja", **values, shots=shots, done=done)


async def show_now(page: Page) -> Response:
    """Answer with what an event changes: how the finding stands, and the timeline. `seen`: the event that is known."""
    name = names.asked_finding(page.query)
    seen = forms.number(page.query, "seen")
    finding = await page.call(GetFindingRequest(name=name))
    if finding.number == seen:
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    timeline = await load_timeline(page, name, finding.number)
    values = {"finding": finding, "timeline": timeline, "handed_back": handed_back(timeline.entries)}
    return await page.render("finding_now.html.jinja", **values, side=PICTURE_PX, oob=True)


async def show_actions(page: Page) -> Response:
    """Answer with what the caller may do to the finding as it is now."""
    values = await page_values(page, names.asked_finding(page.query))
    return await page.render("finding_actions.html.jinja", **values)


async def show_pictures(page: Page) -> Response:
    """Answer with the pictures and their ages."""
    name = names.asked_finding(page.query)
    finding, shots = await asyncio.gather(page.call(GetFindingRequest(name=name)), load_pictures(page, name))
    return await page.render("finding_pictures.html.jinja", finding=finding, shots=shots, side=PICTURE_PX)


async def page_values(page: Page, name: str) -> dict[str, Any]:
    """Return what the templates of a finding need. Raises HttpError."""
    finding = await page.call(GetFindingRequest(name=name))
    timeline = await load_timeline(page, name, finding.number)
    return {
        "finding": finding,
        "timeline": timeline,
        "handed_back": handed_back(timeline.entries),
        "actions": allowed_actions(page, finding, timeline.entries),
        "claimed_by": claimed_by(finding, timeline.entries),
        "refused": None,
        "meanwhile": (),
        "side": PICTURE_PX,
        "oob": False,
    }


def allowed_actions(page: Page, finding: Any, entries: Sequence[Entry]) -> Sequence[str]:
    """Return what role and state suggest that the caller may do; the engine decides."""
    if finding.state in ENDED or not page.may("inspector"):
        is_undone = finding.state == FindingState.FINDING_STATE_DISMISSED and page.may("operator")
        return ("reopen",) if is_undone else ()
    allowed = []
    if finding.state not in (*_CLAIMED, FindingState.FINDING_STATE_ACKNOWLEDGED):
        allowed.append("acknowledge")
    if not claimed_by(finding, entries):
        allowed.append("claim")
    if page.may("operator"):
        allowed += [] if finding.supervised else ["supervise"]
        allowed.append("close")
    return (*allowed, "dismiss")


def claimed_by(finding: Any, entries: Sequence[Entry]) -> str:
    """Return the person whose claim is being re-checked; empty if there is none, or the engine itself claimed."""
    if finding.state not in _CLAIMED:
        return ""
    claims = [entry.event for entry in entries if entry.event.step == FindingStep.FINDING_STEP_CLAIMED]
    return str(claims[-1].who) if claims and claims[-1].role else ""


def handed_back(entries: Sequence[Entry]) -> Entry | None:
    """Return the event by which the latest claim failed; None if something happened since, or it did not fail."""
    is_failed = bool(entries) and entries[-1].event.step == FindingStep.FINDING_STEP_RECHECK_FAILED
    return entries[-1] if is_failed else None
