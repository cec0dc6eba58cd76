"""Registry: the cameras as a table, one more camera, and where platforms and the engine disagree."""

from typing import Any

from starlette.responses import Response

from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.screens.cameras import form
from engine.web.console.screens.cameras.camera import canteen_of
from engine.web.console.screens.registry import export, filtering, importing
from engine.web.console.screens.screen import Action, Screen
from engine.web.errors import HttpError
from patrol.v1.cameras_pb2 import Camera, CameraFilter, CreateCameraRequest, ListCamerasRequest
from patrol.v1.verdicts_pb2 import VIEW_BASIC

_PAGE_ROWS = 100
FILE_BYTES_MAX = 20 * 1024 * 1024


async def show(page: Page) -> Response:
    """Show the cameras that match the filter."""
    chosen, query = filtering.filter_of(page)
    reply = await page.call(_request(page, chosen))
    return await page.render(
        "registry.html.jinja",
        cameras=_rows(reply.cameras),
        next_token=reply.next_page_token,
        total=reply.total_size,
        query=query,
        points=form.words("key_point"),
        deleted=forms.text(page.query, "deleted", 64),
    )


async def disagreement(page: Page) -> Response:
    """Show the cameras of which a platform claims something else than the engine sees."""
    chosen, query = filtering.filter_of(page)
    chosen.platform_disagrees = True
    reply = await page.call(_request(page, chosen))
    return await page.render(
        "registry_disagreement.html.jinja",
        cameras=_rows(reply.cameras),
        next_token=reply.next_page_token,
        total=reply.total_size,
        query=query,
    )


async def add(page: Page) -> Response:
    """Show an empty form for one more camera."""
    values = form.values_of(Camera())
    return await _form(page, "", values, {})


async def create(page: Page) -> Response:
    """Add a camera; what is wrong is said beside its field."""
    camera_id = forms.text(page.form, "camera_id", 64)
    values = form.sent(page.form)
    if not camera_id:
        return await _form(page, "", values, {"camera_id": "is missing; allowed: 1 to 64 printable characters"})
    request = CreateCameraRequest(
        camera_id=camera_id,
        camera=form.message("", values),
        request_id=forms.text(page.form, "request_id", 64),
    )
    try:
        camera = await page.call(request)
    except HttpError as error:
        found = form.problems(error)
        if error.http == 409:
            found = {"camera_id": error.status.message}
        return await _form(page, camera_id, values, found)
    return page.go_to("/camera", id=names.camera_id(camera.name))


def _request(page: Page, chosen: CameraFilter) -> ListCamerasRequest:
    token = forms.text(page.query, "page_token", 1024)
    return ListCamerasRequest(filter=chosen, page_size=_PAGE_ROWS, page_token=token, view=VIEW_BASIC)


def _rows(cameras: Any) -> list[tuple[Any, str, str]]:
    return [(camera, names.camera_id(camera.name), canteen_of(camera)) for camera in cameras]


async def _form(page: Page, camera_id: str, values: dict[str, str], problems: dict[str, str]) -> Response:
    return await page.render(
        "registry_add.html.jinja",
        400 if problems else 200,
        camera_id=camera_id,
        values=values,
        problems=problems,
        words=form.words,
    )


SCREEN = Screen(
    "/registry",
    "Registry",
    (
        Action("/registry", show, "registry"),
        Action("/registry/disagreement", disagreement, "registry-disagreement"),
        Action("/registry/export.csv", export.export, "registry-export"),
        Action("/registry/add", add, "registry-add"),
        Action("/registry/add", create, "registry-create", "POST"),
        Action("/registry/import", importing.show, "registry-import"),
        Action(
            "/registry/import",
            importing.check,
            "registry-import-check",
            "POST",
            needs_console=True,
            form_bytes_max=FILE_BYTES_MAX,
            files_max=1,
        ),
        Action("/registry/import/rows", importing.rows, "registry-import-rows", needs_console=True),
        Action("/registry/import/apply", importing.apply, "registry-import-apply", "POST", needs_console=True),
    ),
)
