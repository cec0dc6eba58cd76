"""Turns errors into gRPC statuses with the details of AIP-193: ErrorInfo always, others where they say something.

RetryInfo only where the very same call can succeed later. Also defines the errors that only the API raises.
"""

import asyncio
from collections.abc import Iterator

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from engine.clock import NS_PER_S
from engine.errors import ERROR_DOMAIN, ErrorReason, InvalidArgumentError, PatrolError
from engine.redact import redact
from engine.serve.messages.error_reasons import REASONS, RESOURCE_TYPE_PREFIX

_DETAIL_BYTES_MAX = 4096
"""Bytes of all violations in a reply: they travel in a header, in base 64, and clients refuse headers over 8 KiB."""
_MESSAGE_CHARS_MAX = 500
_METADATA_CHARS_MAX = 200
_RETRY_S = 1
_TIMEOUT_MESSAGE = "it took too long; ask for less at once, or again later"
"""The message of errors without one: timeouts."""


class TooSlowError(PatrolError):
    """A watcher did not read as fast as events came. `resume_token`: where it can resume."""

    code = "too_slow"
    default_reason = ErrorReason.WATCHER_TOO_SLOW

    def __init__(self, message: str, resume_token: str = "") -> None:
        super().__init__(message, metadata={"resume_token": resume_token} if resume_token else {})


class TooManyError(PatrolError):
    """The limit of concurrent watchers is reached."""

    code = "too_many"
    default_reason = ErrorReason.TOO_MANY_WATCHERS


class TooManyCallsError(PatrolError):
    """A token or an address makes too many calls. `by`: token, address or failed; `setting`: the limit.

    `wait_ns`: after how long the call is allowed.
    """

    code = "too_many_calls"
    default_reason = ErrorReason.RATE_LIMIT_EXCEEDED

    def __init__(self, message: str, by: str, setting: str, wait_ns: int) -> None:
        super().__init__(message, metadata={"by": by})
        self.by = by
        self.setting = setting
        self.wait_ns = wait_ns


class LostError(PatrolError):
    """The place in a resume token is no longer in the log, or never was."""

    code = "lost"
    default_reason = ErrorReason.RESUME_PLACE_LOST


class UnknownMethodError(PatrolError):
    """There is no such method."""

    code = "unknown_method"
    default_reason = ErrorReason.METHOD_UNKNOWN

    def __init__(self, path: str) -> None:
        service = path.strip("/").partition("/")[0]
        super().__init__(
            f"{path[:_METADATA_CHARS_MAX]}: there is no such method; docs/api.md has all", metadata={"service": service}
        )


def status_code(error: BaseException) -> grpc.StatusCode:
    """Return the status code of a call that ends with this error."""
    return grpc.StatusCode[REASONS[_reason(error)].status]


def status_of(error: BaseException, method: str) -> status_pb2.Status:
    """Return the status of a call of `method` that ends with this error; internal errors disclose nothing."""
    code = status_code(error)
    disclosed = code is not grpc.StatusCode.INTERNAL
    message = (redact(str(error)) or _TIMEOUT_MESSAGE) if disclosed else "internal error; the engine's log says more"
    details = _details(error, method) if disclosed else [_error_info(ErrorReason.INTERNAL, method, {})]
    number: int = code.value[0]
    return status_pb2.Status(code=number, message=message[:_MESSAGE_CHARS_MAX], details=map(_packed, details))


def _reason(error: BaseException) -> ErrorReason:
    if isinstance(error, PatrolError):
        return error.error_reason
    if isinstance(error, TimeoutError):
        return ErrorReason.CALL_TIMED_OUT
    return ErrorReason.CALL_CANCELLED if isinstance(error, asyncio.CancelledError) else ErrorReason.INTERNAL


def _details(error: BaseException, method: str) -> Iterator[Message]:
    reason = _reason(error)
    yield _error_info(reason, method, error.metadata if isinstance(error, PatrolError) else {})
    if isinstance(error, InvalidArgumentError):
        yield _bad_request(error.violations)
    if isinstance(error, PatrolError) and error.resource is not None:
        kind, name = error.resource[0], redact(error.resource[1])
        resource_type = f"{RESOURCE_TYPE_PREFIX}{kind}"
        if REASONS[reason].status == "FAILED_PRECONDITION":
            failure = error_details_pb2.PreconditionFailure()
            failure.violations.add(type=reason.value, subject=name, description=redact(str(error))[:_MESSAGE_CHARS_MAX])
            yield failure
        else:
            yield error_details_pb2.ResourceInfo(resource_type=resource_type, resource_name=name)
    setting = "serve.watchers_max" if reason is ErrorReason.TOO_MANY_WATCHERS else ""
    retry_ns = _RETRY_S * NS_PER_S
    if isinstance(error, TooManyCallsError):
        setting, retry_ns = error.setting, error.wait_ns
    if setting:
        quota = error_details_pb2.QuotaFailure()
        quota.violations.add(subject=setting, description=redact(str(error))[:_MESSAGE_CHARS_MAX])
        yield quota
    if REASONS[reason].repeat:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(retry_ns)
        yield error_details_pb2.RetryInfo(retry_delay=delay)


def _error_info(reason: ErrorReason, method: str, metadata: dict[str, str]) -> error_details_pb2.ErrorInfo:
    shown = {key: redact(value)[:_METADATA_CHARS_MAX] for key, value in metadata.items()}
    return error_details_pb2.ErrorInfo(reason=reason.value, domain=ERROR_DOMAIN, metadata={"method": method, **shown})


def _bad_request(violations: list[tuple[str, str]]) -> error_details_pb2.BadRequest:
    request = error_details_pb2.BadRequest()
    bytes_left = _DETAIL_BYTES_MAX
    for number, (field, text) in enumerate(violations):
        description = redact(text)
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
