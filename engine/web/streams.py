"""Streams of replies over HTTP: server-sent events for browsers, or one JSON object a line.

A caller that does not read is cut after SEND_S. Meanwhile gRPC holds the engine back, which cuts a watch that falls too
far behind; either way the caller resumes with its last resume token.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from engine.web.errors import HttpError, code_name
from engine.web.json_writer import to_json
from engine.web.replies import SEND_S, StreamReply

FIRST_REPLY_S = 1.0
"""How long a stream waits for its first reply, or for the error that it begins with, before it says 200."""
_PING_S = 15.0
_RETRY_MS = 1000
_COME_AGAIN = ("UNAVAILABLE", "CANCELLED", "RESOURCE_EXHAUSTED")
"""Ends of a watch after which it resumes. The stream just ends: a browser's EventSource then connects again."""


class ReplyStream:
    """Replies of a call, with the first one fetched ahead: an error at the beginning becomes an HTTP status.

    `closing`: done when the process stops; the stream ends then.
    """

    def __init__(self, replies: AsyncGenerator[Any, None], closing: "asyncio.Future[None]") -> None:
        self._replies = replies
        self._closing = closing
        self._next: asyncio.Future[Any] = asyncio.ensure_future(anext(replies, None))

    async def begin(self, *, comes_again: bool) -> None:
        """Wait for the first reply, at most FIRST_REPLY_S. Raises HttpError if the call has failed by then.

        `comes_again`: the caller connects again when the stream ends, but not after an error: an engine that is away
        raises none then.
        """
        await asyncio.wait({self._next}, timeout=FIRST_REPLY_S)
        if not self._next.done():
            return
        try:
            self._next.result()
        except HttpError as error:
            if not comes_again or code_name(error.status) != "UNAVAILABLE":
                raise

    async def all(self) -> AsyncGenerator[Any, None]:
        """Yield the replies; raises HttpError."""
        try:
            while True:
                await asyncio.wait({self._next, self._closing}, return_when=asyncio.FIRST_COMPLETED)
                reply = self._next.result() if self._next.done() else None
                if reply is None:
                    return
                yield reply
                self._next = asyncio.ensure_future(anext(self._replies, None))
        finally:
            await self.close()

    async def close(self) -> None:
        """End the call. A second time does nothing."""
        self._next.cancel()
        with contextlib.suppress(asyncio.CancelledError, HttpError):
            await self._next
        await self._replies.aclose()


def event_response(stream: ReplyStream) -> Response:
    """Return the replies as server-sent events. `id` is the resume token; an error is an event `failure`."""
    return EventSourceResponse(
        _events(stream),
        ping=_PING_S,
        send_timeout=SEND_S,
        headers={"Cache-Control": "no-store", "Vary": "Accept"},
    )


def line_response(stream: ReplyStream) -> Response:
    """Return the replies as lines of JSON. An error on the way is a last line `{"error": ...}`."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}
    return StreamReply(_lines(stream), "application/x-ndjson", headers)


async def _events(stream: ReplyStream) -> AsyncGenerator[ServerSentEvent, None]:
    yield ServerSentEvent(comment="patrol", retry=_RETRY_MS)
    try:
        async for reply in stream.all():
            # A message without a token, such as one of a snapshot, leaves the browser's last id as it is.
            yield ServerSentEvent(to_json(reply).decode(), id=getattr(reply, "resume_token", "") or None)
    except HttpError as error:
        if code_name(error.status) not in _COME_AGAIN:
            yield ServerSentEvent(error.body().decode(), event="failure")


async def _lines(stream: ReplyStream) -> AsyncGenerator[bytes, None]:
    try:
        async for reply in stream.all():
            yield to_json(reply) + b"\n"
    except HttpError as error:
        yield error.body() + b"\n"


class LineTooLongError(Exception):
    """Raised when a line of a body is longer than allowed."""


async def lines_of(pieces: AsyncIterator[bytes], line_bytes_max: int) -> AsyncGenerator[bytes, None]:
    """Cut a body into its lines, without empty ones. Raises LineTooLongError."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if len(line) > line_bytes_max:
                raise LineTooLongError
            if line.strip():
                yield line
        if len(rest) > line_bytes_max:
            raise LineTooLongError
    if rest.strip():
        yield rest
