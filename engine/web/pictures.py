"""Pictures by URL: JPEG instead of JSON for callers that prefer it, with ETag: an unchanged one is not sent twice.

A reply that has a field `jpeg` can be asked for as a picture: by the header Accept, or by a path that ends in .jpg.
"""

import hashlib
import re
from typing import Any

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from engine.web.replies import PieceResponse, quality

_PATHS = (
    (re.compile(r"(/v1/cameras/[^/]+)/picture\.jpg"), r"\1/verdicts/latest:picture"),
    (re.compile(r"(/v1/cameras/[^/]+/verdicts/[^/:]+)\.jpg"), r"\1:picture"),
)


def real_path(raw_path: str) -> str:
    """Return the path of the call that a path which ends in .jpg means; any other path as it is."""
    for pattern, replacement in _PATHS:
        if pattern.fullmatch(raw_path):
            return pattern.sub(replacement, raw_path)
    return raw_path


def wants_jpeg(request: Request, raw_path: str, reply: type[Message]) -> bool:
    """Whether a reply of this type is to be sent as a picture. An `<img>` of a browser asks for `image/*`."""
    if "jpeg" not in reply.DESCRIPTOR.fields_by_name:
        return False
    accepted = request.headers.get("accept", "")
    picture, json = quality(accepted, "image/jpeg", "image/*"), quality(accepted, "application/json")
    return real_path(raw_path) != raw_path or picture > json


def jpeg_response(request: Request, reply: Any) -> Response:
    """Return a picture, or 304 if the caller has it."""
    etag = f'"{hashlib.blake2b(reply.jpeg, digest_size=12).hexdigest()}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",  # keep it, but ask each time whether it is the latest
        "Vary": "Accept, Authorization",
        "Content-Disposition": "inline",
        "Patrol-Verdict": reply.verdict,
        "Patrol-Arrival-Time": reply.arrival_time.ToJsonString(),
        "Last-Modified": _http_date(reply.arrival_time),
    }
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return PieceResponse(reply.jpeg, 200, headers, media_type="image/jpeg")


def _matches(if_none_match: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags


def _http_date(time: Any) -> str:
    return str(time.ToDatetime().strftime("%a, %d %b %Y %H:%M:%S GMT"))
