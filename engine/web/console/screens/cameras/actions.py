"""What may be done to a camera: change its registry row, pause it, have its baseline learnt anew, delete it.

Each is asked of the engine at once, so that the audit log has the attempt as what it is, also if it is refused.
"""

from datetime import datetime
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.screens.cameras import form
from engine.web.errors import HttpError
from patrol.v1.cameras_pb2 import DeleteCameraRequest, GetCameraRequest, ResetBaselineRequest, UpdateCameraRequest
from patrol.v1.scheduler_pb2 import PausePatrolRequest, PauseScope, ResumePatrolRequest

DONE = ("saved", "paused", "resumed", "reset")
"""What the page of a camera says after an action."""
_REASON_CHARS_MAX = 200
_MINUTE = "%Y-%m-%dT%H:%M"


async def edit(page: Page) -> Response:
    """Show the form of a camera's registry row."""
    camera = await page.call(GetCameraRequest(name=names.asked_camera(page.query)))
    values = form.values_of(camera)
    return await _form(page, camera.name, values, values, {})


async def save(page: Page) -> Response:
    """Change the fields that the user has changed; a wrong one is said beside its field."""
    name = names.asked_camera(page.form)
    values = form.sent(page.form)
    paths = form.changed(page.form, values)
    if paths:
        request = UpdateCameraRequest(
            camera=form.message(name, values),
            update_mask=FieldMask(paths=paths),
            request_id=forms.text(page.form, "request_id", 64),
        )
        try:
            await page.call(request)
        except HttpError as error:
            before = {field: forms.text(page.form, f"was_{field}", 2100) for field in form.FIELDS}
            return await _form(page, name, values, before, form.problems(error))
    else:
        await known(page, name)
    return page.go_to("/camera", id=names.camera_id(name), done="saved")


async def pause(page: Page) -> Response:
    """Stop visiting the camera, until a time or until it is resumed."""
    name = names.asked_camera(page.form)
    reason = forms.text(page.form, "reason", _REASON_CHARS_MAX)
    if not reason:
        raise InvalidArgumentError("reason", "is empty; say why, so that others know")
    request = PausePatrolRequest(scope=PauseScope(camera=name), reason=reason)
    end = forms.text(page.form, "end", 20)
    if end:
        request.end_time.CopyFrom(_moment(page, end))
    await page.call(request)
    return page.go_to("/camera", id=names.camera_id(name), done="paused")


async def resume(page: Page) -> Response:
    """End the camera's pause."""
    name = names.asked_camera(page.form)
    await page.call(ResumePatrolRequest(scope=PauseScope(camera=name)))
    return page.go_to("/camera", id=names.camera_id(name), done="resumed")


async def ask_reset(page: Page) -> Response:
    """Ask whether the usual picture is to be learnt anew."""
    return await _ask(page, "camera_reset.html.jinja")


async def reset(page: Page) -> Response:
    """Have the usual picture learnt anew."""
    name = names.asked_camera(page.form)
    reply = await page.call(ResetBaselineRequest(names=[name]))
    if reply.missing:
        await known(page, name)  # says so
    return page.go_to("/camera", id=names.camera_id(name), done="reset")


async def ask_delete(page: Page) -> Response:
    """Ask for the camera's id, so that nobody deletes another one by mistake."""
    return await _ask(page, "camera_delete.html.jinja")


async def delete(page: Page) -> Response:
    """Delete the camera and everything that is stored about it, if its id was typed."""
    name = names.asked_camera(page.form)
    if forms.text(page.form, "typed", 64) != names.camera_id(name):
        raise InvalidArgumentError("typed", "is not this camera's id; type it exactly as it is shown")
    await page.call(DeleteCameraRequest(name=name))
    return page.go_to("/registry", deleted=names.camera_id(name))


async def known(page: Page, name: str) -> str:
    """Return the name of a camera that the caller may see. Raises HttpError: another is not found, whatever is done."""
    await page.call(GetCameraRequest(name=name, read_mask=FieldMask(paths=["name"])))
    return name


async def _ask(page: Page, template: str) -> Response:
    name = names.asked_camera(page.query)
    camera = await page.call(GetCameraRequest(name=name))
    return await page.render(template, camera=camera, camera_id=names.camera_id(name))


async def _form(
    page: Page, name: str, values: dict[str, str], before: dict[str, str], problems: dict[str, str]
) -> Response:
    return await page.render(
        "camera_edit.html.jinja",
        400 if problems else 200,
        camera_id=names.camera_id(name),
        values=values,
        before=before,
        problems=problems,
        words=form.words,
    )


def _moment(page: Page, text: str) -> Any:
    """Return a time of the kitchens' zone as a message. Raises InvalidArgumentError."""
    try:
        local = datetime.strptime(text, _MINUTE).replace(tzinfo=page.zone)
    except ValueError:
        raise InvalidArgumentError("end", f"{text!r}; allowed: date and time such as 2026-11-30T18:00") from None
    return Timestamp(seconds=int(local.timestamp()))
