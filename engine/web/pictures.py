"""Pictures by URL: JPEG instead of JSON for callers that prefer it, with ETag: an unchanged one is not sent twice.

A reply that has a field `jpeg` can be asked for as a picture: by the header Accept, or by a path that ends in .jpg.
"""

from typing import Any

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from engine.web.replies import PieceResponse, quality

_ETAGS_CHARS_MAX = 512
"""As in the protos. A caller who names more gets the picture."""


def is_picture(reply: type[Message]) -> bool:
    """Whether replies of this type hold a picture."""
    return "jpeg" in reply.DESCRIPTOR.fields_by_name


def prefers_jpeg(request: Request) -> bool:
    """Whether the caller prefers a picture to JSON. An `<img>` of a browser asks for `image/*`."""
    accepted = request.headers.get("accept", "")
    return quality(accepted, "image/jpeg", "image/*") > quality(accepted, "application/json")


def set_etags(request: Request, message: Any) -> None:
    """Tell the engine which pictures the caller has, so that it need not render them."""
    etags = request.headers.get("if-none-match", "")
    if len(etags) <= _ETAGS_CHARS_MAX:
        message.if_none_match = etags


def jpeg_response(reply: Any) -> Response:
    """Return a picture, or 304 if the caller has it."""
    headers = {
        "ETag": reply.etag,
        "Cache-Control": "private, no-cache",  # keep it, but ask each time whether it is the latest
        "Vary": "Accept, Authorization",
        "Content-Disposition": "inline",
        **(_origin(reply) if "verdict" in reply.DESCRIPTOR.fields_by_name else {}),
    }
    if reply.not_modified:
        return Response(status_code=304, headers=headers)
    return PieceResponse(reply.jpeg, 200, headers, media_type="image/jpeg")


def _origin(reply: Any) -> dict[str, str]:
    """Return the headers that say where a camera's picture came from; a photograph has none."""
    return {
        "Patrol-Verdict": reply.verdict,
        "Patrol-Arrival-Time": reply.arrival_time.ToJsonString(),
        "Last-Modified": reply.arrival_time.ToDatetime().strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }
