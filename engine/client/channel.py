"""One channel to an engine: calls, streams, and what went wrong with them."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from engine.errors import PatrolError

_MESSAGE_BYTES_MAX = 64 * 1024 * 1024
_RECONNECT_MS_MAX = 2_000
"""An engine that is started again is back in seconds; by itself gRPC would wait for up to two minutes to see it."""


class CallError(PatrolError):
    """A call ended with another status than OK; `status` is its name (UNAVAILABLE, NOT_FOUND, ...).

    `reason`: the engine's word for it, in upper case. `violations`: field and what is wrong with it, for each thing
    that an INVALID_ARGUMENT names. `retry_s`: when it may be tried again; None: not by itself. `metadata`: of
    ErrorInfo.
    """

    code = "call"

    def __init__(
        self,
        status: str,
        message: str,
        *,
        reason: str = "",
        violations: Sequence[tuple[str, str]] = (),
        retry_s: float | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_s = retry_s
        self.metadata = metadata or {}


class Channel:
    """`token`: as `patrol token create` has shown it. `ca`: PEM of who signed the certificate; empty: no TLS."""

    def __init__(self, address: str, token: str, ca: bytes, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        options = (
            ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
            ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS_MAX),
        )
        if ca:
            self.raw = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca), options=options)
        else:
            self.raw = grpc.insecure_channel(address, options=options)

    def close(self) -> None:
        """Close it."""
        self.raw.close()

    def wait_connected(self, timeout_s: float) -> None:
        """Until the engine can be reached, or time is up; a call that is made earlier fails at once."""
        try:
            grpc.channel_ready_future(self.raw).result(timeout_s)
        except grpc.FutureTimeoutError:
            pass

    def call(self, method: Callable[..., Any], request: Any, timeout_s: float | None = None) -> Any:
        """The reply; CallError. `request`: a message, or an iterator of them where the method takes a stream."""
        try:
            return method(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._error(error) from error

    def stream(
        self, method: Callable[..., Any], request: Any, timeout_s: float | None = None
    ) -> Generator[Any, None, None]:
        """The replies as they come; close the iterator to end. CallError."""
        replies = method(request, timeout=timeout_s, metadata=self._metadata)
        try:
            yield from replies
        except grpc.RpcError as error:
            raise self._error(error) from error
        finally:
            replies.cancel()

    def _error(self, error: Any) -> CallError:
        status = error.code().name
        if status == "UNAVAILABLE" and "failed to connect" in (error.details() or ""):
            return CallError(
                status, f"no engine answers at {self._address}; start `patrol run`, or give its address with --server"
            )
        info, violations, retry_s = _details(error)
        return CallError(
            status,
            error.details() or status,
            reason=info.reason,
            violations=violations,
            retry_s=retry_s,
            metadata=dict(info.metadata),
        )


def _details(error: Any) -> tuple[error_details_pb2.ErrorInfo, list[tuple[str, str]], float | None]:
    """Of google.rpc in the status of a call."""
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    status = rpc_status.from_call(error)
    for detail in () if status is None else status.details:
        for message in (info, bad, retry):
            detail.Unpack(message)
    delay = retry.retry_delay
    violations = [(one.field, one.description) for one in bad.field_violations]
    return info, violations, delay.seconds + delay.nanos / 1e9 if retry.HasField("retry_delay") else None
