"""The way into every service, the same for all: who calls, whether they may, what the request may hold, errors, audit.

A service's method gets the request, checked, and a Call: the caller, and the hub as that caller may see it.
"""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from engine.clock import wall_ns
from engine.errors import DeniedError, InvalidArgumentError, PatrolError, UnauthenticatedError
from engine.metrics import Metrics
from engine.model.access import Actor, AuditEntry
from engine.serve.access import request_fields
from engine.serve.access.audit_subject import subject_of
from engine.serve.access.idempotency import Requests
from engine.serve.access.rules import Reach, Rule, rule_of
from engine.serve.access.scope import Scoped
from engine.serve.access.tokens import Tokens
from engine.serve.port import AccessStore
from engine.serve.status import status_code, status_of
from engine.serve.streams.streams import Context, Streams

_OPEN = "/grpc.health.v1.Health/"
"""A load balancer asks for health without a token."""
_CALL_S_MAX = 60.0
_STREAM_IN_S_MAX = 600.0
_PEER_CHARS_MAX = 64


@dataclass(slots=True)
class Call:
    """One call. `about`: what it is about, for the audit log."""

    actor: Actor
    port: Scoped
    context: Context
    about: str = ""

    def left_s(self) -> float | None:
        """Seconds until the caller's deadline; None without one."""
        left: float | None = self.context.time_remaining()
        return left


class Gate(grpc.aio.ServerInterceptor):
    """Wraps every method. `scoped(actor)`: the hub as they may see it."""

    def __init__(self, tokens: Tokens, book: AccessStore, scoped: Callable[[Actor], Scoped], metrics: Metrics) -> None:
        self._tokens = tokens
        self._book = book
        self._scoped = scoped
        self._metrics = metrics
        self._requests = Requests()
        self._streams = Streams(tokens.holds)
        self._wrapped: dict[str, Any] = {}

    async def keep_streams(self) -> None:
        """A task of the server: ends streams whose token holds no longer, or whose caller does not read."""
        await self._streams.keep_looking()

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """The method's handler with all of this around it; None where there is no such method."""
        path: str = details.method
        wrapped = self._wrapped.get(path)
        if wrapped is None:
            handler = await continuation(details)
            if handler is None or path.startswith(_OPEN):
                return handler
            wrapped = self._wrapped[path] = self._wrap(path, handler)
        return wrapped

    def _wrap(self, path: str, handler: Any) -> Any:
        rule = rule_of(path)
        if rule is None:
            return self._foreign(path, handler)
        method = _Method(path.removeprefix("/patrol.v1."), rule, handler)

        # gRPC tells an asynchronous method by its being a coroutine function.
        async def taken(requests: AsyncIterable[bytes], context: Context) -> Any:
            return await self._taken(method, requests, context)

        async def streamed(raw: bytes, context: Context) -> None:
            await self._streamed(method, raw, context)

        async def answered(raw: bytes, context: Context) -> Any:
            return await self._answered(method, raw, context)

        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(taken, response_serializer=handler.response_serializer)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(streamed, response_serializer=_serialized)
        return grpc.unary_unary_rpc_method_handler(answered, response_serializer=_serialized)

    def _foreign(self, path: str, handler: Any) -> Any:
        """Reflection asks for a token and no more; what else has no rule is refused."""
        if not handler.request_streaming or not path.startswith("/grpc.reflection."):
            return grpc.unary_unary_rpc_method_handler(_refuse)

        async def reflect(requests: Any, context: Context) -> AsyncIterator[Any]:
            try:
                self._tokens.caller(context.invocation_metadata())
            except UnauthenticatedError as error:
                await context.abort_with_status(rpc_status.to_status(status_of(error, path)))
            async for reply in handler.stream_stream(requests, context):
                yield reply

        return grpc.stream_stream_rpc_method_handler(
            reflect,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def _answered(self, method: "_Method", raw: bytes, context: Context) -> Any:
        reply: Any = None
        async with self._entered(method, context) as (call, _):
            request = method.request(raw)
            call.about = subject_of(request)

            async def serve() -> Any:
                async with asyncio.timeout(_CALL_S_MAX):
                    return await method.serve(request, call)

            if method.rule.once and request.request_id:
                reply = await self._requests.once(call.actor.name, method.name, request, serve)
            else:
                reply = await serve()
        return reply

    async def _taken(self, method: "_Method", raws: AsyncIterable[bytes], context: Context) -> Any:
        async with self._entered(method, context) as (call, _), asyncio.timeout(_STREAM_IN_S_MAX):

            async def requests() -> AsyncIterator[Message]:
                async for raw in raws:
                    yield method.request(raw)

            return await method.serve(requests(), call)

    async def _streamed(self, method: "_Method", raw: bytes, context: Context) -> None:
        async with self._entered(method, context) as (call, digest):
            request = method.request(raw)
            call.about = subject_of(request)
            await self._streams.write(method.serve(request, call), context, digest)

    @asynccontextmanager
    async def _entered(self, method: "_Method", context: Context) -> AsyncIterator[tuple[Call, bytes]]:
        """Who calls, and what becomes of the call: status, metric, audit log."""
        began_s = time.perf_counter()
        call: Call | None = None
        outcome = "OK"
        try:
            actor, digest = self._tokens.caller(context.invocation_metadata())
            call = Call(actor, self._scoped(actor), context)
            self._allow(method, call)
            yield call, digest
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001 (whatever a method raises ends its call, and nothing else)
            outcome = status_code(error).name
            if outcome == "INTERNAL":
                structlog.get_logger().error("call failed", method=method.name, exc_info=error)
            await self._note(method, call, outcome)
            call = None
            await context.abort_with_status(rpc_status.to_status(status_of(error, method.name)))
        finally:
            self._metrics.rpc(f"/{method.name}", outcome, time.perf_counter() - began_s)
            await self._note(method, call, outcome)

    def _allow(self, method: "_Method", call: Call) -> None:
        role = method.rule.role
        if not call.actor.role.includes(role):
            raise DeniedError(
                f"{method.name} needs the role {role}, token {call.actor.name!r} has {call.actor.role}; ask an admin "
                "for another token"
            )
        if method.rule.reach is Reach.EVERYBODY:
            call.port.whole()

    async def _note(self, method: "_Method", call: Call | None, outcome: str) -> None:
        """A change goes to the audit log before it is answered. That the log cannot be written does not undo it."""
        if call is None or not method.rule.changes:
            return
        peer = call.context.peer()[:_PEER_CHARS_MAX]
        entry = AuditEntry(wall_ns(), call.actor, method.name, call.about, outcome, peer)
        try:
            await asyncio.shield(asyncio.to_thread(self._book.note, entry))
        except PatrolError as error:
            self._metrics.store_error("audit")
            structlog.get_logger().error("change not in the audit log", method=method.name, detail=str(error))


class _Method:
    """One method of a service. `name`: CameraService/GetCamera."""

    def __init__(self, name: str, rule: Rule, handler: Any) -> None:
        self.name = name
        self.rule = rule
        self._parse: Callable[[bytes], Any] = handler.request_deserializer
        self._rows_apart = bool(handler.request_streaming)  # a bad row of many is named, and ends no call
        self.serve: Callable[[Any, Call], Any] = handler.stream_unary or handler.unary_stream or handler.unary_unary

    def request(self, raw: bytes) -> Any:
        """The request in these bytes, its fields checked. Raises InvalidArgumentError."""
        try:
            request = self._parse(raw)
        except DecodeError as error:
            raise InvalidArgumentError("", f"the bytes are no request of {self.name}; see its .proto") from error
        request_fields.check(request, rows_apart=self._rows_apart)
        return request


async def _refuse(_: Any, context: Context) -> None:
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this method has no rule of who may call it")


def _serialized(reply: Any) -> bytes:
    """Watches hand over what was serialised once for all of them, lists of cameras what was serialised in a thread."""
    return reply if isinstance(reply, bytes) else reply.SerializeToString()
