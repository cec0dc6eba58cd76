"""Wraps every RPC in the same steps: authentication, role, request checks, errors as statuses, metrics, audit log.

A service's method gets the checked request and a Call: the caller, and the hub as that caller may see it.
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

from engine.clock import monotonic_ns, wall_ns
from engine.errors import DeniedError, ErrorReason, InvalidArgumentError, PatrolError, UnauthenticatedError
from engine.metrics import Metrics
from engine.model.access import PEER_METADATA, REFUSED_METADATA, Actor
from engine.model.trace import TRACEPARENT, Span
from engine.serve.access import request_fields
from engine.serve.access.audit_subject import subject_of
from engine.serve.access.audit_trail import NOT_IN_REGION, AuditTrail, actor_of, refusal_of
from engine.serve.access.call_limits import CallLimits
from engine.serve.access.forwarded import Forwarded, ForwardedCalls
from engine.serve.access.fronts_only import TAKE_PUSHES, FrontsOnly
from engine.serve.access.idempotency import ReplyCache
from engine.serve.access.rules import RegionCheck, Rule, rule_of
from engine.serve.access.scoped_hub import ScopedHub
from engine.serve.access.tokens import TokenCache
from engine.serve.status import UnknownMethodError, status_code, status_of
from engine.serve.streams.response_streams import Context, ResponseStreams

_OPEN = "/grpc.health.v1.Health/"
"""Needs no token, so that a load balancer can call it."""
_CALL_S_MAX = 60.0
_STREAM_IN_S_MAX = 600.0
_METHOD_CHARS_MAX = 200


@dataclass(slots=True)
class Call:
    """One call. `hub`: as the caller may see it. `subject`: what the call changes, for the audit log. `audit_id`: of
    its entry there, once its change has begun. `token_digest`: of the caller's token; empty: it needs none. `is_part`:
    another shard notes the change."""

    actor: Actor
    hub: ScopedHub
    context: Context
    subject: str = ""
    audit_id: int = 0
    token_digest: bytes = b""
    is_part: bool = False

    def time_left_s(self) -> float | None:
        """Seconds until the caller's deadline; None if there is none."""
        left: float | None = self.context.time_remaining()
        return left


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method. `scoped_hub(actor)`: the hub as the actor may see it. `limits`: how often who may call.
    `trace(span, traceparent)`: is given the span of each call, and the caller's place in its own trace; None without
    traces. `open_reflection`: reflection needs no token. `forwarded`: reads what fronts say of the calls they pass
    on."""

    def __init__(
        self,
        tokens: TokenCache,
        audit: AuditTrail,
        scoped_hub: Callable[[Actor], ScopedHub],
        metrics: Metrics,
        limits: CallLimits,
        trace: Callable[[Span, str], None] | None = None,
        open_reflection: bool = False,
        forwarded: ForwardedCalls | None = None,
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._trace = trace
        self._audit = audit
        self._scoped_hub = scoped_hub
        self._metrics = metrics
        self._open_reflection = open_reflection
        self._forwarded = forwarded
        self._fronts_only = None if forwarded is None else FrontsOnly(forwarded, tokens, limits, audit)
        self._replies = ReplyCache()
        self._streams = ResponseStreams(tokens.is_valid)
        self._handlers: dict[str, Any] = {}

    async def keep_checking_streams(self) -> None:
        """End streams whose token became invalid or whose caller does not read, until cancelled."""
        await self._streams.keep_checking()

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the wrapped handler of a method; of one that does not exist, a handler that says so."""
        path: str = details.method
        wrapped = self._handlers.get(path)
        if wrapped is None:
            handler = await continuation(details)
            if handler is None:
                return self._unknown_method(path)
            wrapped = self._handlers[path] = self._wrap(path, handler)
        return wrapped

    def _wrap(self, path: str, handler: Any) -> Any:
        if path.startswith(_OPEN):
            return self._wrap_health(path, handler)
        if path == TAKE_PUSHES and self._fronts_only is not None:
            return self._fronts_only.wrap(handler)
        rule = rule_of(path)
        if rule is None:
            return self._wrap_foreign(path, handler)
        method = _Method(path.removeprefix("/patrol.v1."), rule, handler)

        # gRPC recognises an asynchronous method by its being a coroutine function.
        async def stream_unary(requests: AsyncIterable[bytes], context: Context) -> Any:
            return await self._stream_unary(method, requests, context)

        async def unary_stream(raw: bytes, context: Context) -> None:
            await self._unary_stream(method, raw, context)

        async def unary_unary(raw: bytes, context: Context) -> Any:
            return await self._unary_unary(method, raw, context)

        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(stream_unary, response_serializer=handler.response_serializer)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(unary_stream, response_serializer=_serialized)
        return grpc.unary_unary_rpc_method_handler(unary_unary, response_serializer=_serialized)

    def _wrap_foreign(self, path: str, handler: Any) -> Any:
        """Wrap a method of another package: reflection needs a valid token, unless it is open; others do not exist."""
        if not handler.request_streaming or not path.startswith("/grpc.reflection."):
            return self._unknown_method(path)

        async def reflect(requests: Any, context: Context) -> AsyncIterator[Any]:
            await self._admit(path, context, needs_token=not self._open_reflection)
            async for reply in handler.stream_stream(requests, context):
                yield reply

        return grpc.stream_stream_rpc_method_handler(
            reflect,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _wrap_health(self, path: str, handler: Any) -> Any:
        """Wrap a method of the health service, which needs no token."""

        async def serve(request: Any, context: Context) -> Any:
            if (told := _own_metadata(context, REFUSED_METADATA)) is not None:
                self._audit.refused_by_gateway(told)
            await self._admit(path, context, needs_token=False)
            return await (handler.unary_stream or handler.unary_unary)(request, context)

        make = (
            grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
        )
        return make(serve, handler.request_deserializer, handler.response_serializer)

    def _unknown_method(self, path: str) -> Any:
        """Return a handler that ends every call with UNIMPLEMENTED, whatever kind the caller takes the method for."""

        async def end(_: Any, context: Context) -> None:
            await self._admit(path, context, needs_token=False)
            error = UnknownMethodError(path)
            name = path.strip("/").removeprefix("patrol.v1.")
            await context.abort_with_status(rpc_status.to_status(status_of(error, name[:_METHOD_CHARS_MAX])))

        return grpc.stream_stream_rpc_method_handler(end)

    async def _admit(self, path: str, context: Context, *, needs_token: bool) -> None:
        """End a call that is none of patrol.v1 unless its caller may make it now."""
        method = path.strip("/")[:_METHOD_CHARS_MAX]
        try:
            digest = (await self._authenticate(context))[1] if needs_token else b""
            self._limits.check(digest, self._peer(context), monotonic_ns())
        except PatrolError as error:
            await self._refuse(method, context, None, error, status_code(error).name)
            await context.abort_with_status(rpc_status.to_status(status_of(error, method)))

    async def _authenticate(self, context: Context) -> tuple[Actor, bytes]:
        """Return who calls, and the digest of their token.

        Raises UnauthenticatedError, or TooManyCallsError if there are too many such calls from the caller's address.
        """
        try:
            metadata = context.invocation_metadata()
            if self._read_forwarded(context) is not None and not self._tokens.knows(metadata):
                await self._tokens.refresh()  # the front has read of a token that was made a moment ago
            return self._tokens.authenticate(metadata)
        except UnauthenticatedError:
            self._limits.check_failed(self._peer(context), monotonic_ns())
            raise

    def _peer(self, context: Context) -> str:
        """Return the caller's address. On the engine's own socket only the gateway calls, and says for whom; so does a
        front, which proves itself."""
        try:
            forwarded = self._read_forwarded(context)
        except UnauthenticatedError:
            forwarded = None
        peer: str = context.peer() if forwarded is None else forwarded.peer
        return _own_metadata(context, PEER_METADATA) or peer

    def _read_forwarded(self, context: Context) -> Forwarded | None:
        if self._forwarded is None:
            return None
        return self._forwarded.read(context.invocation_metadata(), wall_ns())

    async def _unary_unary(self, method: "_Method", raw: bytes, context: Context) -> Any:
        reply: Any = None
        async with self._authorised(method, context) as (call, _):
            request = method.parse(raw)
            call.subject = subject_of(request)
            await self._begin_change(method, call)

            async def serve() -> Any:
                async with asyncio.timeout(_CALL_S_MAX):
                    return await method.serve(request, call)

            if method.rule.idempotent and request.request_id:
                reply = await self._replies.reply(call.actor.name, method.name, request, serve)
            else:
                reply = await serve()
        return reply

    async def _stream_unary(self, method: "_Method", raws: AsyncIterable[bytes], context: Context) -> Any:
        async with self._authorised(method, context) as (call, _), asyncio.timeout(_STREAM_IN_S_MAX):

            async def requests() -> AsyncIterator[Message]:
                async for raw in raws:
                    yield method.parse(raw)

            await self._begin_change(method, call)
            return await method.serve(requests(), call)

    async def _unary_stream(self, method: "_Method", raw: bytes, context: Context) -> None:
        async with self._authorised(method, context) as (call, digest):
            request = method.parse(raw)
            call.subject = subject_of(request)
            await self._begin_change(method, call)
            await self._streams.write(method.serve(request, call), context, digest)

    @asynccontextmanager
    async def _authorised(self, method: "_Method", context: Context) -> AsyncIterator[tuple[Call, bytes]]:
        """Authenticate and authorise the caller; at the end record status, metric and audit entry of the call.

        Yields the call, and the digest of the caller's token. Errors end the call with a status.
        """
        began_s, began_wall_ns = time.perf_counter(), wall_ns()
        call: Call | None = None
        actor: Actor | None = None
        outcome = "OK"
        try:
            actor, digest = await self._authenticate(context)
            forwarded = self._read_forwarded(context)
            is_part = forwarded is not None and forwarded.is_part
            call = Call(actor, self._scoped_hub(actor), context, token_digest=digest, is_part=is_part)
            self._limits.check(digest, self._peer(context), monotonic_ns())
            self._authorise(method, call)
            yield call, digest
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001 (an error ends its call, and nothing else)
            outcome = status_code(error).name
            if outcome == "INTERNAL":
                structlog.get_logger().error("call failed", method=method.name, exc_info=error)
            if not await self._refuse(method.name, context, call, error, outcome):
                await self._note(method, call, outcome)
            call = None
            await context.abort_with_status(rpc_status.to_status(status_of(error, method.name)))
        finally:
            self._metrics.rpc(f"/{method.name}", outcome, time.perf_counter() - began_s)
            if self._trace is not None:
                parent = "" if actor is None else _metadata(context, TRACEPARENT)
                self._trace(_span(method.name, actor, outcome, began_wall_ns), parent)
            await self._note(method, call, outcome)

    def _authorise(self, method: "_Method", call: Call) -> None:
        """Raise DeniedError if the role of the caller, or its region, does not allow the method."""
        role = method.rule.role
        if not call.actor.role.includes(role):
            raise DeniedError(
                f"{method.name} needs the role {role}, token {call.actor.name!r} has {call.actor.role}; ask an admin "
                "for another token",
                metadata={"role_needed": role, "role": call.actor.role},
            )
        if method.rule.region_check is RegionCheck.ALL_REGIONS:
            call.hub.require_all_regions()

    async def _begin_change(self, method: "_Method", call: Call) -> None:
        """Note a change in the audit log before it is carried out. Raises StoreError if that cannot be done."""
        if method.rule.changes and not call.is_part:
            call.audit_id = await self._audit.begin(call.actor, method.name, call.subject, self._peer(call.context))

    async def _note(self, method: "_Method", call: Call | None, outcome: str) -> None:
        """Write to the audit log, before the call is answered, how its change ended and which pictures it shows."""
        if call is None:
            return
        peer = self._peer(call.context)
        is_hidden = call.hub.hidden and not call.hub.changed
        if is_hidden and call.audit_id:
            await self._audit.refused_change(
                call.actor, method.name, call.subject, NOT_IN_REGION, outcome, peer, call.audit_id
            )
        elif is_hidden:
            await self._audit.refused(call.actor, method.name, call.subject, NOT_IN_REGION, outcome, peer)
        elif method.rule.changes and not call.is_part:
            await self._audit.end(call.actor, method.name, call.subject, outcome, peer, call.audit_id)
        if call.hub.shown:
            await self._audit.shown(call.actor, method.name, call.hub.shown, peer)

    async def _refuse(self, method: str, context: Context, call: Call | None, error: Exception, outcome: str) -> bool:
        """Record a call that was refused; return False if the error is no refusal, or came after a change was begun."""
        reason, peer = refusal_of(error), self._peer(context)
        if not reason:
            return False
        if call is None or not call.audit_id:
            actor, subject = (actor_of(error), "") if call is None else (call.actor, call.subject)
            await self._audit.refused(actor, method, subject, reason, outcome, peer)
        elif call.hub.changed:
            self._audit.count_refused(reason)
            return False
        else:
            await self._audit.refused_change(call.actor, method, call.subject, reason, outcome, peer, call.audit_id)
        return True


class _Method:
    """One method of a service. `name`: such as CameraService/GetCamera. `serve(request, call)`: the service's own."""

    def __init__(self, name: str, rule: Rule, handler: Any) -> None:
        self.name = name
        self.rule = rule
        self._deserialize: Callable[[bytes], Any] = handler.request_deserializer
        self._skip_rows = bool(handler.request_streaming)  # the service reports bad rows; they do not end the call
        self.serve: Callable[[Any, Call], Any] = handler.stream_unary or handler.unary_stream or handler.unary_unary

    def parse(self, raw: bytes) -> Any:
        """Return the request in these bytes, with its fields checked. Raises InvalidArgumentError."""
        try:
            request = self._deserialize(raw)
        except DecodeError as error:
            raise InvalidArgumentError(
                "",
                f"the bytes are no valid request of {self.name}; see its .proto",
                reason=ErrorReason.REQUEST_MALFORMED,
            ) from error
        request_fields.check(request, skip_rows=self._skip_rows)
        return request


def _own_metadata(context: Context, name: str) -> str | None:
    """Return what the HTTP gateway says of its caller under this name; None if it says nothing, or another calls."""
    if not context.peer().startswith("unix:"):
        return None
    return next((str(value) for key, value in context.invocation_metadata() or () if key == name), None)


def _metadata(context: Context, name: str) -> str:
    return next((str(value) for key, value in context.invocation_metadata() or () if key == name), "")


def _span(method: str, actor: Actor | None, outcome: str, began_wall_ns: int) -> Span:
    service, _, name = method.partition("/")
    facts = {"rpc.system": "grpc", "rpc.service": f"patrol.v1.{service}", "rpc.method": name, "patrol.code": outcome}
    if actor is not None:
        facts["patrol.actor"] = actor.name
    error = "" if outcome in ("OK", "CANCELLED") else outcome
    return Span(f"patrol.v1.{method}", began_wall_ns, wall_ns(), facts, error)


def _serialized(reply: Any) -> bytes:
    """Serialise a reply, unless the service did: watches do so once for all watchers, lists of cameras in a thread."""
    return reply if isinstance(reply, bytes) else reply.SerializeToString()
