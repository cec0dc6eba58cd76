"""Errors as gRPC statuses with the details of AIP-193: ErrorInfo always, BadRequest, RetryInfo where they apply."""

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
"""Whose words the reasons in ErrorInfo are."""
_DETAIL_BYTES_MAX = 4096
"""Of all that a reply says is wrong: it travels as a header, coded in base 64, and clients refuse more than 8 KiB."""
_MESSAGE_CHARS_MAX = 500
_RETRY_S = 1
_NAMELESS = "it took too long; ask for less at once, or again later"
"""Said of errors that carry no words: those of time."""


class TooSlowError(PatrolError):
    """The watcher did not read as fast as there was news. `resume_token`: where it can go on."""

    code = "too_slow"

    def __init__(self, message: str, resume_token: str = "") -> None:
        super().__init__(message)
        self.resume_token = resume_token


class TooManyError(PatrolError):
    """As many are served as may be."""

    code = "too_many"


class LostError(PatrolError):
    """What a resume token points to is no longer kept, or never was."""

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
    """The code an error ends a call with."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def status_of(error: BaseException, method: str) -> status_pb2.Status:
    """The status an error ends a call of `method` with. What is not ours to tell is not told."""
    code = status_code(error)
    told = code is not grpc.StatusCode.INTERNAL
    message = (str(error) or _NAMELESS) if told else "internal error; the engine's log says more"
    reason = error.code if told and isinstance(error, PatrolError) else code.name
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
    left = _DETAIL_BYTES_MAX
    for number, (field, description) in enumerate(violations):
        left -= len(field.encode()) + len(description.encode())
        if left < 0 and number:
            more = f"and {len(violations) - number} more; mend these first"
            request.field_violations.add(field=field, description=more)
            break
        request.field_violations.add(field=field, description=description[:_DETAIL_BYTES_MAX])
    return request


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
