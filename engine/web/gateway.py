"""Answers an HTTP request with a call of patrol.v1: finds the call, reads the request, forwards it, writes the reply.

The engine decides who may do what. The gateway forwards the caller's token and address, and refuses by itself only what
must not reach the engine: requests without a token from elsewhere, bodies that are too large, and too many at once.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from engine.config.web import WebSettings
from engine.errors import InvalidArgumentError
from engine.metrics.web import WebMetrics
from engine.model.access import CALLER_METADATA, PEER_METADATA
from engine.model.trace import TRACEPARENT
from engine.web.admission import Admission, peer_text
from engine.web.channel import EngineChannel
from engine.web.errors import HTTP_STATUS, HttpError, invalid, refusal
from engine.web.json_reader import read_json, read_query, set_path
from engine.web.json_writer import to_json
from engine.web.pictures import is_picture, jpeg_response, prefers_jpeg, set_etags
from engine.web.replies import error_response, json_response, quality
from engine.web.routes import Match, Method, Router, picture_path, takes_files
from engine.web.streams import LineTooLongError, ReplyStream, event_response, line_response, lines_of

BODY_S = 30.0
"""How long a caller may take to send a body."""
STREAM_IN_S = 600.0
"""How long a call that takes a stream may take, as in the engine."""
UPLOAD_BYTES_MAX = 20_100_000
"""Largest JSON body of a call that takes files: three photographs of 5 MB in base64, and the other fields."""
_CALL_S_MAX = 60.0
_REFUSED_S = 2.0
_THREAD_BYTES = 64 * 1024
"""A body or reply that is larger is read or written in a thread, so that others are answered meanwhile."""
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNIT_S = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_TRACEPARENT_CHARS_MAX = 100
LABEL = "patrol_route"
"""Where a request's scope has the name of its call, for metrics and log."""


class Gateway:
    """The ASGI application behind /v1. `closing`: done when the process stops; streams end then."""

    def __init__(
        self,
        settings: WebSettings,
        engine: EngineChannel,
        admission: Admission,
        metrics: WebMetrics,
        closing: "asyncio.Future[None]",
    ) -> None:
        self._closing = closing
        self._settings = settings
        self._engine = engine
        self._admission = admission
        self._metrics = metrics
        self._router = Router()
        self._calls = 0
        self._streams = 0
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        async with AsyncExitStack() as stack:
            try:
                response = await self._answer(request, stack)
            except HttpError as error:
                response = await error_response(request, error)
            except InvalidArgumentError as error:
                response = await error_response(request, invalid(error))
            except ClientDisconnect:
                return
            await response(scope, receive, send)

    async def _answer(self, request: Request, stack: AsyncExitStack) -> Response:
        raw_path = request.scope["raw_path"].decode("latin-1")
        call_path = picture_path(raw_path)
        match = self._match(request, call_path or raw_path)
        method = match.route.method
        as_jpeg = is_picture(method.reply) and (call_path is not None or prefers_jpeg(request))
        request.scope[LABEL] = method.name
        metadata = await self._metadata(request, method)
        if method.streams_out:
            stack.enter_context(self._counted("_streams", self._settings.streams_max))
            message = await self._read(request, match, stack)
            return await self._stream(request, method, message, metadata, stack)
        stack.enter_context(self._counted("_calls", self._settings.calls_max))
        if method.streams_in:
            reply = await self._engine.send(
                method, self._requests(request, method), metadata, _timeout_s(request, STREAM_IN_S, STREAM_IN_S)
            )
        else:
            message = await self._read(request, match, stack)
            if as_jpeg:
                set_etags(request, message)
            timeout_s = _timeout_s(request, self._settings.deadline_s, _CALL_S_MAX)
            reply = await self._engine.call(method, message, metadata, timeout_s)
        if as_jpeg:
            return jpeg_response(reply)
        large = reply.ByteSize() > _THREAD_BYTES
        body = await asyncio.to_thread(to_json, reply) if large else to_json(reply)
        headers = {"Cache-Control": "no-store"}
        if is_picture(method.reply):
            headers["Vary"] = "Accept, Accept-Encoding"
        return await json_response(request, body, headers=headers)

    def _match(self, request: Request, path: str) -> Match:
        verb = "GET" if request.method == "HEAD" else request.method
        match = self._router.match(verb, path)
        if match is not None and not (request.method == "HEAD" and match.route.method.streams_out):
            return match
        verbs = self._router.verbs(path)
        if not verbs:
            raise refusal("NOT_FOUND", "NO_SUCH_PATH", f"{path[:200]!r} is no path of this API; /api lists all paths")
        message = f"{request.method} is not allowed here; allowed: {', '.join(verbs)}"
        raise refusal("UNIMPLEMENTED", "METHOD_NOT_ALLOWED", message, http=405, headers={"Allow": ", ".join(verbs)})

    async def _metadata(self, request: Request, method: Method) -> list[tuple[str, str]]:
        """Return what the engine is told of the caller. Raises HttpError for one who needs a token and has none."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        host, port = request.client or ("", 0)
        has_token = scheme.lower() == "bearer" and bool(token.strip())
        local = self._admission.is_trusted(host, request.headers)
        metadata = [(PEER_METADATA, f"{peer_text(host, port)} http"), (CALLER_METADATA, "local" if local else "remote")]
        if not has_token and not local:
            with self._counted("_calls", self._settings.calls_max):
                # The engine refuses it too, before it reads anything, and writes it to the audit log.
                try:
                    await self._engine.call(method, method.request(), metadata, _REFUSED_S)
                except HttpError as error:
                    if error.http == HTTP_STATUS["RESOURCE_EXHAUSTED"]:
                        raise
            self._admission.check_anonymous(host, request.headers)
        if traceparent := request.headers.get(TRACEPARENT, ""):
            metadata.append((TRACEPARENT, traceparent[:_TRACEPARENT_CHARS_MAX]))
        return [*metadata, ("authorization", f"Bearer {token.strip()}")] if has_token else metadata

    @contextmanager
    def _counted(self, what: str, most: int) -> Iterator[None]:
        """Count a request in flight. Raises HttpError if there are too many."""
        if getattr(self, what) >= most:
            kind = what.removeprefix("_")
            self._metrics.refused(kind)
            message = f"{most} {kind} are under way, which is the most (web.{kind}_max); try again in a second"
            raise refusal("UNAVAILABLE", f"TOO_MANY_{kind.upper()}", message, retry_s=1)
        setattr(self, what, getattr(self, what) + 1)
        self._metrics.in_flight(self._calls, self._streams)
        try:
            yield
        finally:
            setattr(self, what, getattr(self, what) - 1)
            self._metrics.in_flight(self._calls, self._streams)

    async def _read(self, request: Request, match: Match, stack: AsyncExitStack) -> Message:
        """Return the request that the URL and the body make. Raises HttpError and InvalidArgumentError."""
        route = match.route
        message = route.method.request()
        if route.body:
            body = await self._body(request, stack if takes_files(route.method.request) else None)
            target, path = (message, "") if route.body == "*" else (getattr(message, route.body), route.body)
            if body and target is not message:
                target.SetInParent()
            if len(body) > _THREAD_BYTES:
                await asyncio.to_thread(read_json, body, target, path)
            else:
                read_json(body, target, path)
        elif request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            raise InvalidArgumentError("", f"{request.method} takes no body here; put the fields into the query")
        query = request.scope["query_string"].decode("latin-1")
        if route.body == "*" and query:
            raise InvalidArgumentError("", "this call takes no query; put the fields into the JSON body")
        read_query(query, message, {*match.values, *(route.body and [route.body])})
        for field, value in match.values.items():
            set_path(message, field, value)
        return message

    async def _body(self, request: Request, uploads: AsyncExitStack | None = None) -> bytes:
        """Return the JSON body. `uploads`: of a request that may bring files, where its place among them is kept."""
        most, limit = self._settings.body_bytes_max, "web.body_bytes_max"
        if uploads is not None and most < UPLOAD_BYTES_MAX:
            most, limit = UPLOAD_BYTES_MAX, "three photographs"
        body = bytearray()
        async for piece in self._pieces(request, most, BODY_S, limit):
            if uploads is not None and len(body) <= self._settings.body_bytes_max < len(body) + len(piece):
                uploads.enter_context(self._counted("_uploads", self._settings.uploads_max))
            body += piece
        if body and request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _wrong_type(request, "application/json")
        return bytes(body)

    async def _pieces(
        self, request: Request, bytes_max: int, seconds_max: float, key: str
    ) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes. Raises HttpError if it is too large or comes too slowly."""
        message = f"the body has more than {bytes_max} bytes, which is the most ({key}); send less at once"
        too_large = refusal("INVALID_ARGUMENT", "BODY_TOO_LARGE", message, http=413)
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > bytes_max:
            raise too_large
        size = 0
        give_up_s = asyncio.get_running_loop().time() + seconds_max
        pieces = request.stream()
        while True:
            try:
                async with asyncio.timeout_at(give_up_s):
                    piece = await anext(pieces, None)
            except TimeoutError:
                late = f"the body was not complete after {seconds_max:g} s; send less at once"
                raise refusal("DEADLINE_EXCEEDED", "BODY_TOO_SLOW", late, http=408) from None
            if piece is None:
                return
            size += len(piece)
            if size > bytes_max:
                raise too_large
            yield piece

    async def _requests(self, request: Request, method: Method) -> AsyncGenerator[Message, None]:
        """Yield the messages of a call that takes a stream: a JSON body is one message, else each line is one."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            message = method.request()
            await asyncio.to_thread(read_json, await self._body(request), message)
            yield message
            return
        if kind not in ("application/x-ndjson", "application/jsonl"):
            raise _wrong_type(request, "application/json, or application/x-ndjson with a message a line")
        most = self._settings.body_bytes_max
        pieces = self._pieces(request, self._settings.import_bytes_max, STREAM_IN_S, "web.import_bytes_max")
        number = 0
        try:
            async for line in lines_of(pieces, most):
                number += 1
                message = method.request()
                read_json(line, message)
                yield message
        except LineTooLongError:
            too_long = f"line {number + 1} has more than {most} bytes (web.body_bytes_max); send fewer rows a line"
            raise refusal("INVALID_ARGUMENT", "BODY_TOO_LARGE", too_long, http=413) from None
        except InvalidArgumentError as error:
            violations = [(f"line {number}: {field}".rstrip(": "), text) for field, text in error.violations]
            raise InvalidArgumentError(*violations[0], more=violations[1:]) from error

    async def _stream(
        self,
        request: Request,
        method: Method,
        message: Any,
        metadata: list[tuple[str, str]],
        stack: AsyncExitStack,
    ) -> Response:
        accepted = request.headers.get("accept", "")
        as_events = quality(accepted, "text/event-stream") > quality(accepted, "application/x-ndjson")
        last_event_id = request.headers.get("last-event-id", "")
        if as_events and last_event_id and "resume_token" in message.DESCRIPTOR.fields_by_name:
            message.resume_token = last_event_id  # the URL of an EventSource stays that of its first request
            message.ClearField("with_current")
        timeout_s = _timeout_s(request, None, STREAM_IN_S)
        replies = self._engine.stream(method, message, metadata, timeout_s, wait=as_events)
        stream = ReplyStream(replies, self._closing)
        stack.push_async_callback(stream.close)
        await stream.begin(comes_again=as_events)
        return event_response(stream) if as_events else line_response(stream)


def _timeout_s(request: Request, default_s: Any, most_s: float) -> Any:
    """Return the deadline that the header Grpc-Timeout asks for (`5S`, `500m`), or the default."""
    asked = request.headers.get("grpc-timeout")
    if asked is None:
        return default_s
    found = _TIMEOUT.fullmatch(asked)
    if found is None:
        raise InvalidArgumentError(
            "Grpc-Timeout", f"{asked[:20]!r}; allowed: up to 8 digits and one of H, M, S, m, u, n, such as 5S"
        )
    return min(most_s, int(found[1]) * _UNIT_S[found[2]])


def _wrong_type(request: Request, allowed: str) -> HttpError:
    kind = request.headers.get("content-type", "")[:60]
    message = f"Content-Type {kind!r}; allowed: {allowed}"
    return refusal("INVALID_ARGUMENT", "CONTENT_TYPE", message, http=415)
