"""The cameras of the registry as a CSV that an import reads again: piece by piece, without passwords."""

import io
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response, StreamingResponse

from engine.csv_cells import CsvWriter
from engine.rows.gbt28181 import REGISTRY_COLUMNS
from engine.web.console import names
from engine.web.console.page import Page
from engine.web.console.screens.cameras import form
from engine.web.console.screens.registry import filtering
from patrol.v1.cameras_pb2 import Camera, CameraFilter, ListCamerasRequest

_PAGE_ROWS = 500
_PAGES_MAX = 2000
_MARK = "\ufeff"
"""Without it Excel takes the file for GBK."""


async def export(page: Page) -> Response:
    """Send the cameras that match the filter."""
    chosen, _ = filtering.filter_of(page)
    first = await page.call(_request(chosen, ""))  # an error is a page, and not the middle of a file
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="cameras.csv"'}
    return StreamingResponse(_pieces(page, chosen, first), media_type="text/csv; charset=utf-8", headers=headers)


def cells_of(camera: Camera) -> list[object]:
    """Return the cells of a camera in the order of the registry's columns."""
    shown = form.values_of(camera)
    cells = {column: shown.get(column, "") for column in REGISTRY_COLUMNS}
    cells |= {"camera_id": names.camera_id(camera.name), "name": camera.display_name}
    flags = {"required": camera.required, "push": camera.push, "enabled": not camera.disabled}
    return [("true" if flags[column] else "false") if column in flags else cells[column] for column in REGISTRY_COLUMNS]


async def _pieces(page: Page, chosen: CameraFilter, reply: Any) -> AsyncGenerator[bytes, None]:
    head = _text([REGISTRY_COLUMNS])
    yield (_MARK + head).encode()
    for _ in range(_PAGES_MAX):
        yield _text(cells_of(camera) for camera in reply.cameras).encode()
        if not reply.next_page_token:
            return
        reply = await page.call(_request(chosen, reply.next_page_token))


def _text(rows: Any) -> str:
    file = io.StringIO()
    CsvWriter(file).rows(rows)
    return file.getvalue()


def _request(chosen: CameraFilter, token: str) -> ListCamerasRequest:
    request = ListCamerasRequest(filter=chosen, page_size=_PAGE_ROWS, page_token=token)
    request.read_mask.paths.extend(["name", *form.FIELDS])
    return request
