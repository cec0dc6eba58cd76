"""GetThumbnail and BatchGetThumbnails of PatrolService."""

import asyncio

from engine.errors import IntegrityError, InvalidArgumentError, NotFoundError, UnavailableError
from engine.model.picture import RenderedPicture
from engine.serve.access.interceptor import Call
from engine.serve.access.not_found import no_camera
from engine.serve.messages.pictures import thumbnail_message
from engine.serve.messages.resource_names import camera_id_of
from patrol.v1 import pictures_pb2

SIDE_PX_MIN, SIDE_PX, SIDE_PX_MAX = 160, 320, 640
REPLY_BYTES_MAX = 3 * 1024 * 1024
"""JPEG bytes of one batch: with the rest of the reply they stay below the 4 MB that gRPC clients take."""


async def thumbnail(request: pictures_pb2.GetThumbnailRequest, call: Call) -> pictures_pb2.Thumbnail:
    """Return a thumbnail. Raises NotFoundError if no picture is kept, and what the hub raises."""
    camera_id, side_px = _checked(request, "")
    picture = await call.hub.thumbnail(camera_id, side_px, request.if_none_match)
    if picture is None:
        if await call.hub.camera(camera_id) is None:
            raise no_camera(camera_id)
        raise NotFoundError(f"no picture of camera {camera_id!r} is kept; record.evidence says whose are")
    return thumbnail_message(picture, camera_id)


async def thumbnails(
    request: pictures_pb2.BatchGetThumbnailsRequest, call: Call
) -> pictures_pb2.BatchGetThumbnailsResponse:
    """Return the thumbnails of several cameras, each with its outcome."""
    checked = [_checked(item, f"requests[{index}].") for index, item in enumerate(request.requests)]
    found = await asyncio.gather(
        *(
            call.hub.thumbnail(camera_id, side_px, item.if_none_match)
            for (camera_id, side_px), item in zip(checked, request.requests, strict=True)
        ),
        return_exceptions=True,
    )
    results, bytes_left = [], REPLY_BYTES_MAX
    for item, (camera_id, _), picture in zip(request.requests, checked, found, strict=True):
        outcome = _outcome(picture)
        if isinstance(picture, RenderedPicture) and len(picture.jpeg) > bytes_left:
            outcome = pictures_pb2.THUMBNAIL_OUTCOME_LEFT_OUT
        result = pictures_pb2.ThumbnailResult(camera=item.camera, outcome=outcome)
        if isinstance(picture, RenderedPicture) and outcome != pictures_pb2.THUMBNAIL_OUTCOME_LEFT_OUT:
            bytes_left -= len(picture.jpeg)
            result.thumbnail.CopyFrom(thumbnail_message(picture, camera_id))
        results.append(result)
    return pictures_pb2.BatchGetThumbnailsResponse(results=results)


def _outcome(picture: RenderedPicture | BaseException | None) -> pictures_pb2.ThumbnailOutcome:
    """Return the outcome for one camera; raise what is no outcome but an error of the engine."""
    if picture is None:
        return pictures_pb2.THUMBNAIL_OUTCOME_MISSING
    if isinstance(picture, UnavailableError):
        return pictures_pb2.THUMBNAIL_OUTCOME_BUSY
    if isinstance(picture, IntegrityError):
        return pictures_pb2.THUMBNAIL_OUTCOME_DAMAGED
    if isinstance(picture, BaseException):
        raise picture
    if picture.not_modified:
        return pictures_pb2.THUMBNAIL_OUTCOME_NOT_MODIFIED
    return pictures_pb2.THUMBNAIL_OUTCOME_FOUND


def _checked(request: pictures_pb2.GetThumbnailRequest, where: str) -> tuple[str, int]:
    """Return the id of the camera, and the longest side in pixels."""
    side_px = request.side_px_max or SIDE_PX
    if side_px < SIDE_PX_MIN:
        raise InvalidArgumentError(
            f"{where}side_px_max", f"{side_px}; allowed: {SIDE_PX_MIN} to {SIDE_PX_MAX}, or 0 for {SIDE_PX}"
        )
    return camera_id_of(request.camera, f"{where}camera"), side_px
