"""The replies of the gateway: JSON, with gzip where it helps, in pieces that a slow reader cannot keep waiting."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from engine.web.errors import HttpError

SEND_S = 30.0
"""A caller that reads nothing for so long is cut."""
_PIECE_BYTES = 64 * 1024
_GZIP_BYTES_MIN = 1400
_GZIP_LEVEL = 3
"""A page of 1,000 cameras shrinks to a tenth in 4 ms; level 6 takes three times as long for a quarter less."""


class PieceResponse(Response):
    """A response whose body goes out piece by piece, each within SEND_S: else a slow reader's body stays in memory."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del receive
        body = bytes(self.body)
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        async with asyncio.timeout(SEND_S):
            await send(start)
        if scope["method"] == "HEAD":
            body = b""
        for begin in range(0, max(1, len(body)), _PIECE_BYTES):
            piece, more = body[begin : begin + _PIECE_BYTES], begin + _PIECE_BYTES < len(body)
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": piece, "more_body": more})


class StreamReply(Response):
    """Pieces as they come, each sent within SEND_S, until they end or the caller leaves; then `pieces` is closed."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(headers=dict(headers), media_type=media_type)
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._pieces.aclose()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._pieces:
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def json_response(
    request: Request, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return JSON, compressed if the caller takes gzip and it is worth it."""
    all_headers = {"Vary": "Accept-Encoding", **(headers or {})}
    if len(body) >= _GZIP_BYTES_MIN and takes_gzip(request.headers.get("accept-encoding", "")):
        body = await asyncio.to_thread(gzip.compress, body, _GZIP_LEVEL, mtime=0)
        all_headers["Content-Encoding"] = "gzip"
    return PieceResponse(body, status, all_headers, media_type="application/json")


async def error_response(request: Request, error: HttpError) -> Response:
    """Return an error as JSON."""
    return await json_response(request, error.body(), error.http, error.headers)


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    return quality(accepted, "gzip") > 0


def quality(accepted: str, *names: str) -> float:
    """Return the largest q that a header such as Accept gives to one of the names; 0 if it names none."""
    best = 0.0
    for item in accepted.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name in names:
            best = max(best, _q(parameters))
    return best


def _q(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
