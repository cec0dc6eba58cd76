"""Camera: its picture now, what is announced and why, its history, findings, plan and story, and what may be done."""

import asyncio
from collections import Counter
from typing import Any

from starlette.responses import Response

from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.screens.cameras import actions, check, figures
from engine.web.console.screens.screen import Action, Screen
from engine.web.errors import HttpError, code_name
from patrol.v1.cameras_pb2 import CameraFilter, GetCameraRequest, ListCamerasRequest
from patrol.v1.findings_pb2 import FindingFilter, ListFindingsRequest
from patrol.v1.patrol_pb2 import ListVerdictsRequest
from patrol.v1.pictures_pb2 import GetThumbnailRequest
from patrol.v1.scheduler_pb2 import GetCameraPlanRequest
from patrol.v1.stories_pb2 import GetCameraStoryRequest
from patrol.v1.verdicts_pb2 import VIEW_BASIC, VerdictState

_HISTORY = 100
_FINDINGS = 20
_SMALLEST_PX = 160
_NO_PICTURE = ("NOT_FOUND", "UNAVAILABLE", "DATA_LOSS", "FAILED_PRECONDITION")
_STATES = (
    VerdictState.VERDICT_STATE_OFFLINE,
    VerdictState.VERDICT_STATE_FAULT,
    VerdictState.VERDICT_STATE_UNKNOWN,
    VerdictState.VERDICT_STATE_OK,
)


async def show(page: Page) -> Response:
    """Show a camera. `?id=CAMERA`; `&checked=OUTCOME` after a check without script, `&done=WHAT` after an action."""
    name = names.asked_camera(page.query)
    now, verdicts, plan, story, open_findings, findings = await asyncio.gather(
        _now(page, name),
        page.call(ListVerdictsRequest(parent=name, page_size=_HISTORY, view=VIEW_BASIC)),
        page.call(GetCameraPlanRequest(camera=name)),
        page.call(GetCameraStoryRequest(camera=name)),
        page.call(ListFindingsRequest(filter=FindingFilter(camera=name, open_only=True), page_size=_FINDINGS)),
        page.call(ListFindingsRequest(filter=FindingFilter(camera=name), page_size=_FINDINGS)),
    )
    still_open = {finding.name for finding in open_findings.findings}
    return await page.render(
        "camera.html.jinja",
        **now,
        verdicts=list(reversed(verdicts.verdicts)),
        counts=_counts(verdicts.verdicts),
        plan=plan,
        story=story,
        open_findings=open_findings,
        past_findings=[finding for finding in findings.findings if finding.name not in still_open],
        findings_total=findings.total_size,
        checked=forms.choice(page.query, "checked", check.OUTCOMES),
        done=forms.choice(page.query, "done", actions.DONE),
    )


async def show_now(page: Page) -> Response:
    """Show the part of the page with the picture and the announced state; it refreshes by itself."""
    return await page.render("camera_now.html.jinja", **await _now(page, names.asked_camera(page.query)))


async def _now(page: Page, name: str) -> dict[str, Any]:
    camera, picture = await asyncio.gather(page.call(GetCameraRequest(name=name)), _picture(page, name))
    return {
        "camera": camera,
        "camera_id": names.camera_id(name),
        "canteen": canteen_of(camera),
        "picture": picture,
        "verdict": camera.latest_verdict if camera.HasField("latest_verdict") else None,
        "disagrees": await _disagrees(page, camera),
    }


def canteen_of(camera: Any) -> str:
    """Return what names the camera's canteen in a URL; empty if it belongs to none."""
    if camera.site_id:
        return str(camera.site_id)
    return f"{camera.region}/{camera.site_name}" if camera.site_name else ""


async def _picture(page: Page, name: str) -> Any:
    """Return age and verdict of the latest kept picture; None if there is none, or it cannot be shown now."""
    try:
        return await page.call(GetThumbnailRequest(camera=name, side_px_max=_SMALLEST_PX))
    except HttpError as error:
        if code_name(error.status) not in _NO_PICTURE:
            raise
        return None


async def _disagrees(page: Page, camera: Any) -> bool:
    """Whether the engine says that the platform's claim is not what it sees."""
    if not camera.platform_status:
        return False
    chosen = CameraFilter(query=names.camera_id(camera.name), platform_disagrees=True)
    found = await page.call(ListCamerasRequest(filter=chosen, page_size=_FINDINGS))
    return any(other.name == camera.name for other in found.cameras)


def _counts(verdicts: Any) -> list[tuple[int, int]]:
    """Return how often each state was found, the worst first; those that were not found are left out."""
    counts = Counter(verdict.state for verdict in verdicts)
    return [(state, counts[state]) for state in _STATES if counts[state]]


SCREEN = Screen(
    "",
    "",
    (
        Action("/camera", show, "camera"),
        Action("/camera/now", show_now, "camera-now"),
        Action("/camera/figures", figures.show, "camera-figures"),
        Action("/camera/figures.json", figures.data, "camera-figures-data", plain=True),
        Action("/camera/check", check.check, "camera-check", "POST", needs_console=True),
        Action("/camera/edit", actions.edit, "camera-edit"),
        Action("/camera/edit", actions.save, "camera-save", "POST"),
        Action("/camera/pause", actions.pause, "camera-pause", "POST"),
        Action("/camera/resume", actions.resume, "camera-resume", "POST"),
        Action("/camera/reset", actions.ask_reset, "camera-ask-reset"),
        Action("/camera/reset", actions.reset, "camera-reset", "POST"),
        Action("/camera/delete", actions.ask_delete, "camera-ask-delete"),
        Action("/camera/delete", actions.delete, "camera-delete", "POST"),
    ),
)
