"""Canteen: its cameras as small pictures, the key points that nobody sees, its findings, and whom to call."""

import asyncio
from collections.abc import Sequence
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.type.latlng_pb2 import LatLng
from starlette.responses import Response

from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.screens.cameras import form
from engine.web.console.screens.screen import Action, Screen
from engine.web.errors import HttpError
from patrol.v1.cameras_pb2 import Camera, CameraFilter, KeyPoint, ListCamerasRequest
from patrol.v1.canteens_pb2 import Canteen, CanteenContact, GetCanteenRequest, UpdateCanteenRequest
from patrol.v1.findings_pb2 import FindingFilter, ListFindingsRequest
from patrol.v1.pictures_pb2 import (
    THUMBNAIL_OUTCOME_FOUND,
    THUMBNAIL_OUTCOME_LEFT_OUT,
    BatchGetThumbnailsRequest,
    GetThumbnailRequest,
)
from patrol.v1.verdicts_pb2 import FAULT_SEVERITY_BLIND, VIEW_BASIC, VerdictState

_CAMERAS_MAX = 60
_FINDINGS_MAX = 20
_THUMBNAIL_PX = 320
_NO_PICTURE = (VerdictState.VERDICT_STATE_UNSPECIFIED, VerdictState.VERDICT_STATE_OFFLINE)
_TEXTS = {"address": 300, "contact_name": 100, "contact_phone": 32, "latitude": 20, "longitude": 20}
_DEGREES_MAX = {"latitude": 90.0, "longitude": 180.0}


async def show(page: Page) -> Response:
    """Show a canteen. `?id=CANTEEN`: the site_id of its cameras; without one region and name."""
    name = names.asked_canteen(page.query)
    canteen = await page.call(GetCanteenRequest(name=name))
    cameras, open_findings, findings = await asyncio.gather(
        _cameras(page, canteen),
        page.call(ListFindingsRequest(filter=_findings(canteen, open_only=True), page_size=_FINDINGS_MAX)),
        page.call(ListFindingsRequest(filter=_findings(canteen, open_only=False), page_size=_FINDINGS_MAX)),
    )
    pictures = await _pictures(page, cameras)
    still_open = {finding.name for finding in open_findings.findings}
    return await page.render(
        "canteen.html.jinja",
        canteen=canteen,
        canteen_id=names.canteen_id(name),
        cameras=[(camera, names.camera_id(camera.name), pictures.get(camera.name)) for camera in cameras],
        points=_points(cameras),
        open_findings=open_findings.findings,
        past_findings=[finding for finding in findings.findings if finding.name not in still_open],
        left_out=max(0, canteen.cameras.camera_count - len(cameras)),
        done=forms.choice(page.query, "done", ("saved",)),
    )


async def edit(page: Page) -> Response:
    """Show the form of a canteen's address and contact."""
    name = names.asked_canteen(page.query)
    canteen = await page.call(GetCanteenRequest(name=name))
    has_place = canteen.HasField("location")
    values = {
        "address": canteen.address,
        "contact_name": canteen.contact.name,
        "contact_phone": canteen.contact.phone,
        "latitude": f"{canteen.location.latitude:.6f}" if has_place else "",
        "longitude": f"{canteen.location.longitude:.6f}" if has_place else "",
    }
    return await _form(page, canteen, values, {})


async def save(page: Page) -> Response:
    """Change address, contact and place."""
    name = names.asked_canteen(page.form)
    values = {field: forms.text(page.form, field, chars_max) for field, chars_max in _TEXTS.items()}
    problems = {}
    degrees = {}
    for field, most in _DEGREES_MAX.items():
        try:
            degrees[field] = _degrees(values[field], most)
        except ValueError as error:
            problems[field] = str(error)
    if bool(values["latitude"]) != bool(values["longitude"]):
        problems["longitude"] = "give latitude and longitude, or neither"
    if problems:
        return await _form(page, await page.call(GetCanteenRequest(name=name)), values, problems)
    canteen = Canteen(
        name=name,
        address=values["address"],
        contact=CanteenContact(name=values["contact_name"], phone=values["contact_phone"]),
    )
    if values["latitude"]:
        canteen.location.CopyFrom(LatLng(**degrees))
    request = UpdateCanteenRequest(
        canteen=canteen,
        update_mask=FieldMask(paths=["address", "contact", "location"]),
        request_id=forms.text(page.form, "request_id", 64),
    )
    try:
        await page.call(request)
    except HttpError as error:
        found = form.problems(error)
        named = {_field_of(field): text for field, text in found.items()}
        return await _form(page, await page.call(GetCanteenRequest(name=name)), values, named)
    return page.go_to("/canteen", id=names.canteen_id(name), done="saved")


def is_of(camera: Camera, canteen: Canteen) -> bool:
    """Whether a camera belongs to a canteen."""
    if canteen.site_id:
        return bool(camera.site_id == canteen.site_id)
    return bool(not camera.site_id and camera.site_name == canteen.display_name and camera.region == canteen.region)


async def _cameras(page: Page, canteen: Canteen) -> list[Camera]:
    chosen = (
        CameraFilter(site_id=canteen.site_id)
        if canteen.site_id
        else CameraFilter(region_prefix=canteen.region, query=canteen.display_name[:100])
    )
    reply = await page.call(ListCamerasRequest(filter=chosen, page_size=_CAMERAS_MAX, view=VIEW_BASIC))
    return [camera for camera in reply.cameras if is_of(camera, canteen)]


def _findings(canteen: Canteen, *, open_only: bool) -> FindingFilter:
    if canteen.site_id:
        return FindingFilter(site_id=canteen.site_id, open_only=open_only)
    return FindingFilter(region_prefix=canteen.region, query=canteen.display_name[:100], open_only=open_only)


async def _pictures(page: Page, cameras: Sequence[Camera]) -> dict[str, Any]:
    """Return the time of each camera's latest kept picture, by the camera's name."""
    if not cameras:
        return {}
    requests = [GetThumbnailRequest(camera=camera.name, side_px_max=_THUMBNAIL_PX) for camera in cameras]
    reply = await page.call(BatchGetThumbnailsRequest(requests=requests))
    shown = (THUMBNAIL_OUTCOME_FOUND, THUMBNAIL_OUTCOME_LEFT_OUT)
    return {
        result.camera: result.thumbnail
        for result in reply.results
        if result.outcome in shown and result.HasField("thumbnail")
    }


def _points(cameras: Sequence[Camera]) -> list[tuple[int, int, int, bool, bool]]:
    """Return key points: number, cameras there, cameras that show it now, whether one is required, and whether only
    unknown ones are left. A camera shows its place unless it is offline, blind or disabled."""
    rows = []
    for point in KeyPoint.values()[1:-1]:
        there = [camera for camera in cameras if camera.key_point == point]
        latest = [camera.latest_verdict for camera in there if not camera.disabled]
        seen = [
            verdict
            for verdict in latest
            if verdict.announced not in _NO_PICTURE and verdict.severity != FAULT_SEVERITY_BLIND
        ]
        sure = sum(verdict.announced != VerdictState.VERDICT_STATE_UNKNOWN for verdict in seen)
        rows.append((point, len(there), sure, any(camera.required for camera in there), bool(seen) and not sure))
    return rows


async def _form(page: Page, canteen: Canteen, values: dict[str, str], problems: dict[str, str]) -> Response:
    return await page.render(
        "canteen_edit.html.jinja",
        400 if problems else 200,
        canteen=canteen,
        canteen_id=names.canteen_id(canteen.name),
        values=values,
        problems=problems,
    )


def _field_of(field: str) -> str:
    """Return the form's field for a field of the request."""
    path = field.removeprefix("canteen.")
    return {"contact.name": "contact_name", "contact.phone": "contact_phone"}.get(path, path)


def _degrees(text: str, most: float) -> float:
    """Return an angle. Raises ValueError."""
    if not text:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r}; allowed: degrees such as 38.0428") from None
    if not -most <= value <= most:
        raise ValueError(f"{text}; allowed: {-most:g} to {most:g} degrees")
    return value


SCREEN = Screen(
    "",
    "",
    (
        Action("/canteen", show, "canteen"),
        Action("/canteen/edit", edit, "canteen-edit"),
        Action("/canteen/edit", save, "canteen-save", "POST"),
    ),
)
