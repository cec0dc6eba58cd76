"""A gRPC channel to an engine: makes calls and streams, and turns their errors into CallError."""

import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from engine.errors import ConfigError, ErrorReason, PatrolError, Resource
from engine.serve.messages.error_reasons import RESOURCE_TYPE_PREFIX

_MESSAGE_BYTES_MAX = 64 * 1024 * 1024
_RECONNECT_MS_MAX = 2_000
"""An engine that restarts is back in seconds; by default gRPC would wait up to two minutes before it tries again."""
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # of the pings that measure the link; by default a minute
    ("grpc.http2.max_pings_without_data", 0),  # a watch may hear nothing for long; by default gRPC pings twice
)
"""Without it a watch whose link was cut without a word notices it after a minute or never. The server allows a ping
every 10 s."""


class CallError(PatrolError):
    """Raised when a call ends with another status than OK. `status`: its name (UNAVAILABLE, NOT_FOUND, ...).

    `reason`: an ErrorReason; a text if the engine is newer than this client, empty if the error is not the engine's.
    `violations`: of an INVALID_ARGUMENT, each field that is wrong, and what is wrong with it. `retry_s`: after how many
    seconds the call may be retried; None: a retry does not help. `resource`: what does not exist, exists already, or
    is in a state that does not allow the call; None if the error names nothing. `metadata`: of ErrorInfo; docs/api.md
    has the keys of each reason.
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
        resource: Resource | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=_known(reason), resource=resource, metadata=metadata)
        self.status = status
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A caller's certificate chain and its key, in PEM."""

    chain: bytes
    key: bytes = field(repr=False)


def read_ca(path: Path | None) -> bytes:
    """Return the PEM of a CA's certificate; empty for None. Raises ConfigError if the file holds none."""
    if path is None:
        return b""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--ca {path}: {error.strerror}; give the PEM file of the CA's certificate") from error
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise ConfigError(f"--ca {path}: holds no certificate in PEM; give the file of the CA that signed the engine's")
    return pem


def client_certificate() -> ClientCertificate | None:
    """Return the certificate that PATROL_CLIENT_CERT and PATROL_CLIENT_KEY name; None if they are not set.

    Raises ConfigError if one of them is missing, or a file cannot be read.
    """
    names = [os.environ.get(name, "") for name in ("PATROL_CLIENT_CERT", "PATROL_CLIENT_KEY")]
    if not any(names):
        return None
    if not all(names):
        raise ConfigError("PATROL_CLIENT_CERT, PATROL_CLIENT_KEY: one without the other; set both or neither")
    try:
        chain, key = (Path(name).read_bytes() for name in names)
    except OSError as error:
        raise ConfigError(f"PATROL_CLIENT_*: {error.filename}: {error.strerror}; give readable PEM files") from error
    return ClientCertificate(chain, key)


class Channel:
    """`token`: the secret that `patrol token create` printed. `ca`: PEM of the CA that signed the engine's certificate;
    empty: no TLS. `timeout_s`: of calls that set none. `certificate`: of the caller, for an engine that wants one.
    `grpc_channel`: for the generated stubs."""

    def __init__(
        self, address: str, token: str, ca: bytes, timeout_s: float, certificate: ClientCertificate | None = None
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        options = (
            ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
            ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS_MAX),
            *_KEEPALIVE,
        )
        if ca:
            own = (certificate.key, certificate.chain) if certificate is not None else (None, None)
            self.grpc_channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, *own), options=options)
        else:
            self.grpc_channel = grpc.insecure_channel(address, options=options)

    def close(self) -> None:
        """Close the channel."""
        self.grpc_channel.close()

    def wait_connected(self, timeout_s: float) -> None:
        """Wait until the engine can be reached, or `timeout_s` is over; calls made earlier fail at once."""
        try:
            grpc.channel_ready_future(self.grpc_channel).result(timeout_s)
        except grpc.FutureTimeoutError:
            pass

    def call(self, method: Callable[..., Any], request: Any, timeout_s: float | None = None) -> Any:
        """Make a call and return its reply. Raises CallError.

        `request`: a message, or an iterator of messages if the method takes a stream. A message that the engine refuses
        because calls come too fast is sent again when it says, within the timeout: a loop over many cameras slows down
        instead of failing.
        """
        give_up_s = time.monotonic() + (timeout_s or self._timeout_s)
        while True:
            left_s = max(0.0, give_up_s - time.monotonic())
            try:
                return method(request, timeout=left_s, metadata=self._metadata)
            except grpc.RpcError as error:
                failure = self._error(error)
                too_fast = failure.reason == ErrorReason.RATE_LIMIT_EXCEEDED and isinstance(request, Message)
                wait_s = failure.retry_s or 0.0
                if not too_fast or time.monotonic() + wait_s >= give_up_s:
                    raise failure from error
            time.sleep(wait_s)

    def stream(
        self, method: Callable[..., Any], request: Any, timeout_s: float | None = None
    ) -> Generator[Any, None, None]:
        """Make a call and yield its replies as they come; close the iterator to end the call. Raises CallError."""
        replies = method(request, timeout=timeout_s, metadata=self._metadata)
        try:
            yield from replies
        except grpc.RpcError as error:
            raise self._error(error) from error
        finally:
            replies.cancel()

    def _error(self, error: Any) -> CallError:
        status = error.code().name
        details = rpc_status.from_call(error)
        return _call_error(status, error.details() or "", () if details is None else details.details, self._text)

    def _text(self, status: str, reason: str, details: str) -> str:
        if status == "UNAUTHENTICATED":
            return self._token_text()
        return details or status if reason else self._transport_text(status, details)

    def _token_text(self) -> str:
        if not self._metadata:
            return (
                f"the engine at {self._address} wants a token; pass one with --token or in PATROL_TOKEN "
                "(`patrol token create` makes one)"
            )
        return (
            f"the engine at {self._address} does not accept this token: it is unknown, revoked or expired; pass "
            "another with --token or in PATROL_TOKEN (`patrol token create` makes one)"
        )

    def _transport_text(self, status: str, details: str) -> str:
        """Say what went wrong where the engine itself gave no reason: gRPC did, or something between."""
        engine = f"the engine at {self._address}"
        if status == "UNAVAILABLE":
            return self._unreachable_text(details)
        if status == "DEADLINE_EXCEEDED":
            return f"{engine} did not answer in time; ask for less, or again later"
        if status == "UNIMPLEMENTED":
            return f"{engine} does not know this call: it is older than this program, or no engine; upgrade it"
        if status == "RESOURCE_EXHAUSTED":
            return f"the answer of {engine} is larger than {_MESSAGE_BYTES_MAX >> 20} MiB; ask for less"
        if status == "CANCELLED":
            return f"{engine} ended the call; ask again"
        return f"{engine} ended the call ({status.lower()}: {details}); its log may say more"

    def _unreachable_text(self, details: str) -> str:
        address, lower = self._address, details.lower()
        if "resolv" in lower or "dns" in lower:
            return f"{address}: no machine of this name is known; give HOST:PORT of an engine"
        if any(word in lower for word in ("handshake", "ssl", "tls", "certificate")):
            return (
                f"{address}: the engine's certificate is not signed by the given CA, or it uses no TLS, or it wants a "
                "certificate of the caller; give the CA's certificate, or none, and PATROL_CLIENT_CERT if it wants one"
            )
        if any(word in lower for word in ("socket closed", "connection reset", "broken pipe", "goaway")):
            return (
                f"{address}: the connection was closed; the engine stopped, wants TLS (give its CA's certificate), or "
                "something else listens there"
            )
        return f"no engine answers at {address}; start `patrol run`, or give its address with --server"


def error_of_status(status: status_pb2.Status) -> CallError:
    """Return the error in a google.rpc.Status, such as one row of a batch."""
    name = next((code.name for code in grpc.StatusCode if code.value[0] == status.code), grpc.StatusCode.UNKNOWN.name)
    return _call_error(name, status.message, status.details, lambda code, _, details: details or code)


def _call_error(status: str, message: str, details: Iterable[Any], text: Callable[[str, str, str], str]) -> CallError:
    """Return the error with what its details say. `text(status, reason, message)`: its message for people."""
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry_info, resource_info = error_details_pb2.RetryInfo(), error_details_pb2.ResourceInfo()
    failure = error_details_pb2.PreconditionFailure()
    for detail in details:
        for kind in (info, bad_request, retry_info, resource_info, failure):
            detail.Unpack(kind)
    resource = None
    if resource_info.resource_name:
        resource = Resource(resource_info.resource_type.removeprefix(RESOURCE_TYPE_PREFIX), resource_info.resource_name)
    elif failure.violations:
        resource = Resource("", failure.violations[0].subject)
    delay = retry_info.retry_delay
    return CallError(
        status,
        text(status, info.reason, message),
        reason=_known(info.reason) or info.reason,
        violations=[(violation.field, violation.description) for violation in bad_request.field_violations],
        retry_s=delay.seconds + delay.nanos / 1e9 if retry_info.HasField("retry_delay") else None,
        resource=resource,
        metadata=dict(info.metadata),
    )


def _known(reason: str) -> ErrorReason | None:
    """Return the reason as a member; None for one that this version does not know."""
    return ErrorReason(reason) if reason in set(ErrorReason) else None
