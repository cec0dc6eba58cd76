"""Turns errors into gRPC statuses with the details of AIP-193: ErrorInfo always, BadRequest and RetryInfo where needed.

Also defines the errors that only the API raises.
"""

import asyncio

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from engine.errors import (
    ConfigError,
    ConflictError,
    DeniedError,
    ExistsError,
    IntegrityError,
    InvalidArgumentError,
    NotFoundError,
    PatrolError,
    RegistryError,
    SourceRefusedError,
    StateError,
    StoreError,
    UnauthenticatedError,
    UnavailableError,
)

DOMAIN = "kitchen-patrol"
"""The domain of the reasons in ErrorInfo."""
_DETAIL_BYTES_MAX = 4096
"""Bytes of all violations in a reply: they travel in a header, in base 64, and clients refuse headers over 8 KiB."""
_MESSAGE_CHARS_MAX = 500
_RETRY_S = 1
_TIMEOUT_MESSAGE = "it took too long; ask for less at once, or again later"
"""The message of errors without one: timeouts."""


class TooSlowError(PatrolError):
    """A watcher did not read as fast as events came. `resume_token`: where it can resume."""

    code = "too_slow"

    def __init__(self, message: str, resume_token: str = "") -> None:
        super().__init__(message)
        self.resume_token = resume_token


class TooManyError(PatrolError):
    """The limit of concurrent watchers is reached."""

    code = "too_many"


class LostError(PatrolError):
    """The place in a resume token is no longer in the log, or never was."""

    code = "lost"


_CODES: list[tuple[type[BaseException], grpc.StatusCode]] = [
    (InvalidArgumentError, grpc.StatusCode.INVALID_ARGUMENT),
    (RegistryError, grpc.StatusCode.INVALID_ARGUMENT),
    (SourceRefusedError, grpc.StatusCode.INVALID_ARGUMENT),
    (ConfigError, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (ExistsError, grpc.StatusCode.ALREADY_EXISTS),
    (StateError, grpc.StatusCode.FAILED_PRECONDITION),
    (ConflictError, grpc.StatusCode.ABORTED),
    (LostError, grpc.StatusCode.OUT_OF_RANGE),
    (DeniedError, grpc.StatusCode.PERMISSION_DENIED),
    (UnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
    (TooSlowError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TooManyError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (StoreError, grpc.StatusCode.UNAVAILABLE),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
    (IntegrityError, grpc.StatusCode.DATA_LOSS),
    (TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (asyncio.CancelledError, grpc.StatusCode.CANCELLED),
]
_RETRIED = (ConflictError, TooManyError, StoreError, UnavailableError)


def status_code(error: BaseException) -> grpc.StatusCode:
    """Return the status code of a call that ends with this error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def status_of(error: BaseException, method: str) -> status_pb2.Status:
    """Return the status of a call of `method` that ends with this error; internal errors disclose nothing."""
    code = status_code(error)
    disclosed = code is not grpc.StatusCode.INTERNAL
    message = (str(error) or _TIMEOUT_MESSAGE) if disclosed else "internal error; the engine's log says more"
    reason = error.code if disclosed and isinstance(error, PatrolError) else code.name
    info = error_details_pb2.ErrorInfo(reason=reason.upper(), domain=DOMAIN, metadata={"method": method})
    details: list[Message] = [info]
    if isinstance(error, InvalidArgumentError):
        details.append(_bad_request(error.violations))
    if isinstance(error, TooSlowError) and error.resume_token:
        info.metadata["resume_token"] = error.resume_token
    if isinstance(error, _RETRIED):
        details.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=_RETRY_S)))
    number: int = code.value[0]
    return status_pb2.Status(code=number, message=message[:_MESSAGE_CHARS_MAX], details=map(_packed, details))


def _bad_request(violations: list[tuple[str, str]]) -> error_details_pb2.BadRequest:
    request = error_details_pb2.BadRequest()
    bytes_left = _DETAIL_BYTES_MAX
    for number, (field, description) in enumerate(violations):
        bytes_left -= len(field.encode()) + len(description.encode())
        if bytes_left < 0 and number:
            more = f"and {len(violations) - number} more; fix these first"
            request.field_violations.add(field=field, description=more)
            break
        request.field_violations.add(field=field, description=description[:_DETAIL_BYTES_MAX])
    return request


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
