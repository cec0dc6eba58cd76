"""The wall: cameras as pictures, filtered and ordered, live; with links and pages where the browser has no script."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

import orjson
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from engine.clock import wall_ns
from engine.errors import InvalidArgumentError
from engine.web.console import forms, names
from engine.web.console.camera_rows import camera_row, milliseconds
from engine.web.console.console import Console, Handler
from engine.web.console.live_verdicts import LiveVerdicts, Watched
from engine.web.console.page import Page
from engine.web.console.pictures_ahead import PicturesAhead
from engine.web.console.screens import wall_filter
from engine.web.console.screens.screen import Action, Screen
from engine.web.console.screens.wall_filter import SIZES, WallFilter, read_filter
from engine.web.errors import HttpError
from engine.web.replies import SEND_S, PieceResponse, json_response
from patrol.v1.cameras_pb2 import BatchGetCamerasRequest, Camera, GetCameraRequest, ListCamerasRequest
from patrol.v1.pictures_pb2 import (
    BatchGetThumbnailsRequest,
    BatchGetThumbnailsResponse,
    GetThumbnailRequest,
    Thumbnail,
    ThumbnailOutcome,
)
from patrol.v1.verdicts_pb2 import View

PAGE_CAMERAS = 60
"""Cameras of the page itself."""
LIST_CAMERAS = 200
BATCH_MAX = 100
_BATCHES_MAX = 8
"""Batches of thumbnails at once, of all pages: each has up to 3 MB."""
_TOKEN_CHARS_MAX = 1024
_PING_S = 15


def show(_: Console) -> Handler:
    """Return what shows the first cameras, or those of a page."""
    ahead = PicturesAhead()

    async def handle(page: Page) -> Response:
        return await _show(page, ahead)

    return handle


async def _show(page: Page, ahead: PicturesAhead) -> Response:
    asked = read_filter(page.query)
    token = forms.text(page.query, "page_token", _TOKEN_CHARS_MAX)
    listed = await page.call(_list_request(page, asked, PAGE_CAMERAS, token))
    thumbnails = await _known_thumbnails(page, listed.cameras)
    ahead.begin(page.engine, (camera.name for camera in listed.cameras), SIZES[asked.size])
    rows = [camera_row(camera, page.language, thumbnails.get(camera.name)) for camera in listed.cameras]
    tiles = [
        (row, camera, thumbnails.get(camera.name), page.url("/camera", id=row["id"]))
        for row, camera in zip(rows, listed.cameras, strict=True)
    ]
    site = next((row["site"] for row in rows), asked.site_id) if asked.site_id else ""
    return await page.render(
        "wall.html.jinja",
        asked=asked,
        tiles=tiles,
        total=listed.total_size,
        next_token=listed.next_page_token,
        first=not token,
        site=site,
        choices=wall_filter,
        ages_h=wall_filter.AGES_H,
        is_filtered=not asked.is_empty,
        side=SIZES[asked.size],
        data=orjson.dumps(_module_values(page, asked, rows, listed)).decode() if not token else "",
    )


async def cameras(page: Page) -> Response:
    """Answer a page of the list, or the cameras with these ids, as JSON."""
    ids = page.query.getlist("id")
    if ids:
        _check_batch(ids)
        found = await _cameras_by_id(page, ids)
        return await _json(page, {"rows": [camera_row(camera, page.language) for camera in found]})
    token = forms.text(page.query, "page_token", _TOKEN_CHARS_MAX)
    listed = await page.call(_list_request(page, read_filter(page.query), LIST_CAMERAS, token))
    rows = [camera_row(camera, page.language) for camera in listed.cameras]
    values = {"rows": rows, "next": listed.next_page_token, "total": listed.total_size, "now": wall_ns() // 1_000_000}
    return await _json(page, values)


def thumbnails(_: Console) -> Handler:
    """Return what answers a batch of thumbnails as a list in JSON. Each item has outcome `o`, arrival `t` in ms since
    1970, etag `e`, and the JPEG `j` in base64.

    `?id=..&etag=..` up to BATCH_MAX times; an etag is that of the picture which the page has, or `-`.
    """
    places = asyncio.Semaphore(_BATCHES_MAX)

    async def handle(page: Page) -> Response:
        ids, etags = page.query.getlist("id"), page.query.getlist("etag")
        _check_batch(ids)
        if len(etags) != len(ids):
            raise InvalidArgumentError("etag", f"{len(etags)}; give one for each id, or -")
        side = forms.number(page.query, "side", 320, 160, 640)
        requests = [_thumbnail_request(camera, side, etag) for camera, etag in zip(ids, etags, strict=True)]
        async with places:
            reply = await page.call(BatchGetThumbnailsRequest(requests=requests))
            body = _thumbnails_json(reply)
        headers = {"Cache-Control": "no-store", "Vary": "Cookie"}
        return PieceResponse(body, 200, headers, media_type="application/json")

    return handle


def live(console: Console) -> Handler:
    """Return what answers the stream of verdicts as server-sent events."""
    pages = LiveVerdicts(console.closing, console.metrics)

    async def handle(page: Page) -> Response:
        asked = read_filter(page.query)
        if page.request.method == "HEAD":
            return Response(headers={"Cache-Control": "no-store"}, media_type="text/event-stream")
        after = page.request.headers.get("last-event-id", "") or forms.text(page.query, "after", 256)
        pages.check_room()
        watched = Watched(page.caller.region, asked.region, asked.site_id)
        events = pages.events(watched, page.engine, page.language.code, after[:256])
        return EventSourceResponse(events, ping=_PING_S, send_timeout=SEND_S, headers={"Cache-Control": "no-store"})

    return handle


def _list_request(page: Page, asked: WallFilter, page_size: int, token: str) -> ListCamerasRequest:
    return ListCamerasRequest(
        filter=asked.camera_filter(wall_ns(), page.zone),
        order_by=wall_filter.ORDERS[asked.order][1],
        page_size=page_size,
        page_token=token,
        view=View.VIEW_BASIC,
    )


async def _known_thumbnails(page: Page, listed: Sequence[Camera]) -> dict[str, Thumbnail]:
    """Return when the latest picture of each camera came, without the picture; an empty one where none is kept."""
    requests = [GetThumbnailRequest(camera=camera.name, if_none_match="*") for camera in listed]
    if not requests:
        return {}
    try:
        reply = await page.call(BatchGetThumbnailsRequest(requests=requests))
    except HttpError as error:
        if error.http == 401:
            raise
        return {}  # the list is worth showing without
    missing = ThumbnailOutcome.THUMBNAIL_OUTCOME_MISSING
    return {
        result.camera: result.thumbnail
        for result in reply.results
        if result.HasField("thumbnail") or result.outcome == missing
    }


async def _cameras_by_id(page: Page, ids: Sequence[str]) -> list[Camera]:
    """Return the cameras of these that the registry still has."""
    try:
        request = BatchGetCamerasRequest(names=[names.camera_name(camera) for camera in ids], view=View.VIEW_BASIC)
        return list((await page.call(request)).cameras)
    except HttpError as error:
        if error.http != 404:
            raise
    found = await asyncio.gather(
        *(page.call(GetCameraRequest(name=names.camera_name(camera), view=View.VIEW_BASIC)) for camera in ids),
        return_exceptions=True,
    )
    return [camera for camera in found if isinstance(camera, Camera)]


def _thumbnail_request(camera: str, side: int, etag: str) -> GetThumbnailRequest:
    return GetThumbnailRequest(
        camera=names.camera_name(camera), side_px_max=side, if_none_match="" if etag == "-" else etag
    )


def _thumbnails_json(reply: BatchGetThumbnailsResponse) -> bytes:
    return orjson.dumps(
        [
            {
                "o": ThumbnailOutcome.Name(result.outcome).removeprefix("THUMBNAIL_OUTCOME_").lower(),
                "t": milliseconds(result.thumbnail.arrival_time),
                "e": result.thumbnail.etag,
                "j": base64.b64encode(result.thumbnail.jpeg).decode(),
            }
            for result in reply.results
        ]
    )


def _check_batch(ids: Sequence[str]) -> None:
    if not 0 < len(ids) <= BATCH_MAX:
        raise InvalidArgumentError("id", f"{len(ids)} of them; allowed: 1 to {BATCH_MAX}")


async def _json(page: Page, values: dict[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding, Accept-Language, Cookie"}
    return await json_response(page.request, orjson.dumps(values), headers=headers)


def _module_values(page: Page, asked: WallFilter, rows: list[dict[str, Any]], listed: Any) -> dict[str, Any]:
    """Return what the module begins with."""
    text, fields = page.text, asked.fields()
    watched = {"region": asked.region, "site_id": asked.site_id}
    return {
        "rows": rows,
        "next": listed.next_page_token,
        "total": listed.total_size,
        "now": wall_ns() // 1_000_000,
        "zone": page.zone.key,
        "side": SIZES[asked.size],
        "size": asked.size,
        "filter": {"state": asked.state, "kind": asked.kind, "severity": wall_filter.SEVERITIES.get(asked.severity, 0)},
        "told": asked.is_told_by_verdicts,
        "camera": page.url("/camera") + "?id=",
        "list": page.url("/wall/cameras.json", **fields),
        "pictures": page.url("/wall/thumbnails"),
        "live": page.url("/wall/live", **watched),
        "texts": {
            "count": text("%(first)s–%(last)s of %(total)s cameras"),
            "worse": text("%(number)s cameras became worse: show"),
            "worse_one": text("1 camera became worse: show"),
            "live": text("live"),
            "lost": text("not live: the connection is lost; ages go on"),
            "most": text("the first %(number)s are shown; filters show others"),
            "none": text("no picture kept"),
            "damaged": text("the kept picture is damaged"),
            "waiting": text("picture is on its way"),
            "unseen": text("not visited yet"),
            "since": text("since %(time)s"),
            "picture": text("picture %(time)s"),
            "disabled": text("disabled"),
            "gone": text("no longer in the registry"),
        },
    }


SCREEN = Screen(
    "/wall",
    "Wall",
    (
        Action("/wall", show, "wall", needs_console=True),
        Action("/wall/cameras.json", cameras, "wall-cameras"),
        Action("/wall/thumbnails", thumbnails, "wall-thumbnails", plain=True, needs_console=True),
        Action("/wall/live", live, "wall-live", needs_console=True),
    ),
)
