"""The cameras of the registry as a CSV that an import reads again: piece by piece, without passwords."""

from collections.abc import AsyncGenerator, Sequence

from starlette.responses import Response

from engine.rows.gbt28181 import REGISTRY_COLUMNS
from engine.web.console import names
from engine.web.console.csv_replies import csv_reply, csv_text
from engine.web.console.page import Page
from engine.web.console.screens.cameras import form
from engine.web.console.screens.registry import filtering
from patrol.v1.cameras_pb2 import Camera, CameraFilter, ListCamerasRequest

_PAGE_ROWS = 500
_PAGES_MAX = 2000


async def export(page: Page) -> Response:
    """Send the cameras that match the filter."""
    chosen, _ = filtering.filter_of(page)
    return await csv_reply(_parts(page, chosen), "cameras.csv", page.text("The list ends here, because of an error:"))


def cells_of(camera: Camera) -> list[object]:
    """Return the cells of a camera in the order of the registry's columns."""
    shown = form.values_of(camera)
    cells = {column: shown.get(column, "") for column in REGISTRY_COLUMNS}
    cells |= {"camera_id": names.camera_id(camera.name), "name": camera.display_name}
    flags = {"required": camera.required, "push": camera.push, "enabled": not camera.disabled}
    return [("true" if flags[column] else "false") if column in flags else cells[column] for column in REGISTRY_COLUMNS]


async def _parts(page: Page, chosen: CameraFilter) -> AsyncGenerator[str, None]:
    """Yield the file page by page."""
    rows: list[Sequence[object]] = [REGISTRY_COLUMNS]
    token = ""
    for _ in range(_PAGES_MAX):
        reply = await page.call(_request(chosen, token))
        yield csv_text([*rows, *(cells_of(camera) for camera in reply.cameras)])
        rows, token = [], reply.next_page_token
        if not token:
            return


def _request(chosen: CameraFilter, token: str) -> ListCamerasRequest:
    request = ListCamerasRequest(filter=chosen, page_size=_PAGE_ROWS, page_token=token)
    request.read_mask.paths.extend(["name", *form.FIELDS])
    return request
