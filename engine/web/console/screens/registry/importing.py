"""Imports a CSV of cameras: first every bad row is shown where it stands, then the good ones are stored."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from starlette.datastructures import UploadFile
from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.console import Console, Handler
from engine.web.console.page import Page
from engine.web.console.screens.registry.rows import (
    Found,
    GoodRow,
    Problem,
    file_rows,
    good_rows,
    shown_cell,
    told_by_engine,
)
from engine.web.console.screens.registry.uploads import Upload, Uploads, packed
from engine.web.errors import refusal
from patrol.v1.cameras_pb2 import ImportCamerasRequest, ImportCamerasResponse, ImportOptions

ShownRow = tuple[int, dict[str, str], list[Problem]]
"""Line, cells by column, what is wrong."""
IMPORT_S = 120.0
_BATCH_ROWS = 500
_PAGE_ROWS = 50
_NAME_CHARS_MAX = 100
_uploads: WeakKeyDictionary[Console, Uploads] = WeakKeyDictionary()


async def show(page: Page) -> Response:
    """Show the form that takes a file."""
    return await page.render("registry_import.html.jinja", may=page.may("operator"))


def check(console: Console) -> Handler:
    """Return the handler that takes a file, checks all of it, and stores nothing."""
    uploads = _uploads.setdefault(console, Uploads())

    async def handle(page: Page) -> Response:
        file = page.form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise InvalidArgumentError("file", "no file was chosen; choose a CSV")
        data = await file.read()
        found = Found()
        reply = await _send(page, data, found, validate_only=True)
        upload = Upload(
            owner=_owner(page),
            name=file.filename[:_NAME_CHARS_MAX],
            packed=await asyncio.to_thread(packed, data),
            began_s=monotonic(),
            found=found,
            counts=(reply.added, reply.changed, reply.unchanged),
        )
        uploads.keep(upload)
        return page.go_to("/registry/import/rows", upload=upload.key)

    return handle


def rows(console: Console) -> Handler:
    """Return the handler that shows what a check has found: counts, and a page of the rows with what is wrong in them.

    `?upload=KEY&all=1&from=LINE`: all rows instead of the bad ones, from a line on.
    """
    uploads = _uploads.setdefault(console, Uploads())

    async def handle(page: Page) -> Response:
        upload = _kept(uploads, page, page.query)
        with_all = bool(forms.text(page.query, "all", 1)) or not upload.found.problems
        first = forms.number(page.query, "from", 0)
        columns, shown, more = await asyncio.to_thread(_page_of_rows, upload, with_all, first)
        return await page.render(
            "registry_rows.html.jinja",
            upload=upload,
            columns=columns,
            rows=shown,
            more=more,
            with_all=with_all,
            good=upload.found.rows - len(upload.found.bad_lines),
        )

    return handle


def apply(console: Console) -> Handler:
    """Return the handler that stores the rows of a file that was checked."""
    uploads = _uploads.setdefault(console, Uploads())

    async def handle(page: Page) -> Response:
        upload = _kept(uploads, page, page.form)
        keep_good = bool(forms.text(page.form, "keep_good", 1))
        if upload.found.problems and not keep_good:
            message = "rows of the file are bad; mend the file and check it again, or say that the others are stored"
            raise InvalidArgumentError("keep_good", message)
        found = Found()
        reply = await _send(page, upload.data(), found, validate_only=False)
        uploads.forget(upload.key)
        return await page.render("registry_imported.html.jinja", upload=upload, reply=reply, found=found)

    return handle


async def _send(page: Page, data: bytes, found: Found, *, validate_only: bool) -> ImportCamerasResponse:
    """Send the good rows; what the engine finds wrong with them is in `found`. Raises HttpError."""
    good = good_rows(data, found)
    first = await _next_batch(good)
    if not found.rows:
        raise InvalidArgumentError("file", "the file has no row below its header; choose another file")
    if not first:
        return ImportCamerasResponse()
    sent: list[tuple[int, dict[str, str]]] = []

    async def requests() -> AsyncGenerator[ImportCamerasRequest, None]:
        batch = first
        while batch:
            sent.extend((row.line, row.given) for row in batch)
            options = ImportOptions(keep_good=True, validate_only=validate_only)
            yield ImportCamerasRequest(options=options, cameras=[row.camera for row in batch])
            batch = await _next_batch(good)

    reply: ImportCamerasResponse = await page.engine.send(requests(), ImportCamerasRequest, IMPORT_S)
    for problem in reply.problems:
        if problem.index < len(sent):
            found.add(told_by_engine(problem, *sent[problem.index]))
    return reply


async def _next_batch(good: Iterator[GoodRow]) -> list[GoodRow]:
    """Read on in a thread, so that other pages are answered meanwhile. Raises InvalidArgumentError."""
    return await asyncio.to_thread(lambda: list(islice(good, _BATCH_ROWS)))


def _page_of_rows(upload: Upload, with_all: bool, first: int) -> tuple[list[str], list[ShownRow], int]:
    """Return the columns of the file, a page of its rows from a line on, and the line of the next page; 0: none."""
    problems: dict[int, list[Problem]] = {}
    for problem in upload.found.problems:
        problems.setdefault(problem.line, []).append(problem)
    columns: dict[str, None] = {}
    shown: list[ShownRow] = []
    for row in file_rows(upload.data()):
        if row.line < first or not (with_all or row.line in problems):
            continue
        if len(shown) >= _PAGE_ROWS:
            return list(columns), shown, row.line
        columns.update(dict.fromkeys(row.cells))
        cells = {column: shown_cell(column, cell) for column, cell in row.cells.items()}
        shown.append((row.line, cells, problems.get(row.line, [])))
    return list(columns), shown, 0


def _kept(uploads: Uploads, page: Page, fields: Any) -> Upload:
    upload = uploads.find(forms.text(fields, "upload", 64), _owner(page), monotonic())
    if upload is None:
        message = "the file is no longer kept: too long ago, or the console was started anew; choose it once more"
        raise refusal("NOT_FOUND", "RESOURCE_NOT_FOUND", message)
    return upload


def _owner(page: Page) -> str:
    return page.session.token if page.session else ""
