"""The call that only fronts may make: they pass on what gateways pushed. It is none of patrol.v1."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import grpc
import structlog
from grpc_status import rpc_status

from engine.clock import monotonic_ns, wall_ns
from engine.errors import DeniedError, PatrolError, UnauthenticatedError
from engine.model.access import Actor
from engine.serve.access.audit_trail import AuditTrail, refusal_of
from engine.serve.access.call_limits import CallLimits
from engine.serve.access.forwarded import ForwardedCalls
from engine.serve.access.tokens import TokenCache
from engine.serve.status import status_code, status_of
from engine.serve.streams.response_streams import Context

INTAKE_SERVICE, TAKE_METHOD = "patrol.shard.Intake", "Take"
TAKE_PUSHES = f"/{INTAKE_SERVICE}/{TAKE_METHOD}"
"""PassedOnKeyframes of feed.proto in, KeptKeyframes out."""
_NAME = TAKE_PUSHES.strip("/")
_CALL_S_MAX = 60.0


class FrontsOnly:
    """Lets fronts make the call, which prove themselves, and refuses it to all others, whatever their token."""

    def __init__(self, forwarded: ForwardedCalls, tokens: TokenCache, limits: CallLimits, audit: AuditTrail) -> None:
        self._forwarded = forwarded
        self._tokens = tokens
        self._limits = limits
        self._audit = audit

    def wrap(self, handler: Any) -> Any:
        """Return the handler that reads nothing of what others than fronts send."""

        async def serve(requests: AsyncIterable[bytes], context: Context) -> AsyncIterator[bytes]:
            await self._admit(context)
            async for raw in requests:
                try:
                    async with asyncio.timeout(_CALL_S_MAX):
                        reply: bytes = await handler.unary_unary(raw, context)
                except Exception as error:  # noqa: BLE001 (an error ends its call, and nothing else)
                    if status_code(error) is grpc.StatusCode.INTERNAL:
                        structlog.get_logger().error("call failed", method=_NAME, exc_info=error)
                    await context.abort_with_status(rpc_status.to_status(status_of(error, _NAME)))
                else:
                    yield reply

        return grpc.stream_stream_rpc_method_handler(serve)

    async def _admit(self, context: Context) -> None:
        """End a call that no front makes. The audit log names its caller, if a token says who that is."""
        try:
            self._forwarded.require_front(context.invocation_metadata(), wall_ns())
        except DeniedError as error:
            actor, too_many = self._caller(context)
            refused = too_many or error
            outcome = status_code(refused).name
            await self._audit.refused(actor, _NAME, "", refusal_of(refused), outcome, context.peer())
            await context.abort_with_status(rpc_status.to_status(status_of(refused, _NAME)))

    def _caller(self, context: Context) -> tuple[Actor | None, PatrolError | None]:
        """Return who calls, if a valid token says so, and the error if they call too often."""
        actor, peer, now_ns = None, context.peer(), monotonic_ns()
        try:
            try:
                actor, digest = self._tokens.authenticate(context.invocation_metadata())
                self._limits.check(digest, peer, now_ns)
            except UnauthenticatedError:
                self._limits.check_failed(peer, now_ns)
        except PatrolError as error:
            return actor, error
        return actor, None
