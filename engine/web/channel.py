"""The connection to the engine: makes its calls, and turns their errors into HttpError. The gateway's door to gRPC."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from typing import Any, cast

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from engine.errors import ErrorReason
from engine.model.access import REFUSED_METADATA
from engine.web.errors import HttpError, refusal
from engine.web.routes import Method

Metadata = Sequence[tuple[str, str]]
_MESSAGE_BYTES_MAX = 64 * 1024 * 1024
_RECONNECT_MS_MAX = 2_000
_HEALTH_S = 2.0
_WRITE_FAILED = "Internal error from Core"
_STATUS_POLL_S = 0.02
_STATUS_POLLS = 50
_OPTIONS = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS_MAX),
)


class EngineChannel:
    """`address`: host:port, or unix:PATH. `ca`: PEM of the CA that signed the engine's certificate; empty: no TLS.
    `own`: key and certificate chain of this process in PEM, for an engine that wants them.

    Open it in the event loop that uses it.
    """

    def __init__(self, address: str, ca: bytes = b"", own: tuple[bytes, bytes] | None = None) -> None:
        self._address = address
        if ca:
            credentials = grpc.ssl_channel_credentials(ca, *(own or (None, None)))
            self._channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
        else:
            self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    async def close(self) -> None:
        """End all calls, and the connection."""
        await self._channel.close()

    async def is_serving(self) -> bool:
        """Whether the engine answers and says that it serves."""
        try:
            reply = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_S)
        except grpc.aio.AioRpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    async def tell_refused(self, reason: str, host: str, number: int) -> None:
        """Tell the engine how many callers were refused for a reason, from this address (empty: from several)."""
        told = ((REFUSED_METADATA, f"{number} {reason} {host}"),)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._health.Check(health_pb2.HealthCheckRequest(), metadata=told, timeout=_HEALTH_S)

    async def call(self, method: Method, request: Message, metadata: Metadata, timeout_s: float) -> Any:
        """Make a call and return its reply. Raises HttpError."""
        call = self._channel.unary_unary(
            method.path, request_serializer=_serialized, response_deserializer=method.reply.FromString
        )
        try:
            return await call(request, metadata=tuple(metadata), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error

    async def send(self, method: Method, requests: AsyncIterator[Message], metadata: Metadata, timeout_s: float) -> Any:
        """Make a call that takes a stream, and return its reply. Raises HttpError, and what `requests` raises."""
        make = self._channel.stream_unary(
            method.path, request_serializer=_serialized, response_deserializer=method.reply.FromString
        )
        call = make(metadata=tuple(metadata), timeout=timeout_s)
        ends: list[grpc.aio.AioRpcError] = []
        call.add_done_callback(lambda ended: ends.append(_end_now(ended)))
        try:
            async for request in requests:
                await call.write(request)
            await call.done_writing()
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError) as error:
            raise self._error(await _first_end(call, ends)) from error  # the engine ended it before it read all
        except BaseException:
            call.cancel()
            raise
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise self._error(await _first_end(call, ends)) from error

    async def stream(
        self, method: Method, request: Message, metadata: Metadata, timeout_s: float | None, *, wait: bool
    ) -> AsyncGenerator[Any, None]:
        """Make a call and yield its replies; close the generator to end the call. Raises HttpError.

        `wait`: while the engine is away, wait for it instead of failing.
        """
        make = self._channel.unary_stream(
            method.path, request_serializer=_serialized, response_deserializer=method.reply.FromString
        )
        call = make(request, metadata=tuple(metadata), timeout=timeout_s, wait_for_ready=wait)
        try:
            async for reply in call:
                yield reply
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error
        finally:
            call.cancel()

    def _error(self, error: grpc.aio.AioRpcError) -> HttpError:
        status = rpc_status.from_call(cast(grpc.Call, error))
        if status is not None:
            return HttpError(status)
        code, message = error.code().name, error.details() or error.code().name
        if code == "UNAVAILABLE":
            message = "the engine does not answer; it starts, or is away: try again, and see the log of `patrol run`"
            return refusal(code, ErrorReason.TEMPORARILY_UNAVAILABLE, message, retry_s=1)
        if code == "DEADLINE_EXCEEDED":
            message = "it took longer than the deadline; ask for less at once, or send a longer header Grpc-Timeout"
            return refusal(code, ErrorReason.CALL_TIMED_OUT, message)
        number: int = error.code().value[0]
        return HttpError(status_pb2.Status(code=number, message=message))


async def _first_end(call: Any, ends: Sequence[grpc.aio.AioRpcError]) -> grpc.aio.AioRpcError:
    """Return how the engine ended a call to which we wrote. gRPC also says that a write failed, before the status or
    over it. `ends`: what it said so far, the first first; more may come."""
    for _ in range(_STATUS_POLLS):
        for end in ends:
            if end.details() != _WRITE_FAILED:
                return end
        if await call.details() != _WRITE_FAILED:
            break
        await asyncio.sleep(_STATUS_POLL_S)
    return _end_now(call)


def _end_now(call: Any) -> grpc.aio.AioRpcError:
    """Return the status of a call that has ended: a later one may take its place before anybody can await it."""
    initial, trailing = _result_of(call.initial_metadata()), _result_of(call.trailing_metadata())
    return grpc.aio.AioRpcError(_result_of(call.code()), initial, trailing, _result_of(call.details()))


def _result_of(ready: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine returns that has nothing to wait for."""
    try:
        ready.send(None)
    except StopIteration as end:
        return end.value
    ready.close()
    raise RuntimeError("gRPC waits for the status of a call that has ended")


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()
