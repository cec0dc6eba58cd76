"""Errors in HTTP: the google.rpc.Status of a call as JSON, with the HTTP status that belongs to its code. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from google.protobuf import any_pb2, json_format
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from engine.errors import ERROR_DOMAIN, ErrorReason, InvalidArgumentError, PatrolError

HTTP_STATUS = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}
"""The mapping of google/rpc/code.proto."""


class HttpError(PatrolError):
    """Raised when a request ends with an error. `status`: what the caller is told; `http`: the HTTP status.

    `headers`: of the reply, beside those that the status itself brings.
    """

    code = "http"

    def __init__(self, status: status_pb2.Status, http: int = 0, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status.message)
        self.status = status
        self.http = http or HTTP_STATUS.get(code_name(status), 500)
        self.headers = {**_headers(status), **(headers or {})}

    def body(self) -> bytes:
        """Return the JSON of the reply."""
        return error_json(self.status, self.http)


def refusal(
    code: str,
    reason: str,
    message: str,
    *,
    http: int = 0,
    violations: Sequence[tuple[str, str]] = (),
    retry_s: int = 0,
    headers: Mapping[str, str] | None = None,
) -> HttpError:
    """Return an error of the gateway's own, in the form of the engine's. `code`: of gRPC, such as NOT_FOUND.

    `violations`: field and what is wrong with it. `retry_s`: after how long a repeat can succeed; 0: it cannot.
    """
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=ERROR_DOMAIN)]
    if violations:
        named = (error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in violations)
        details.append(error_details_pb2.BadRequest(field_violations=named))
    if retry_s:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.seconds = retry_s
        details.append(retry)
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code_pb2.Code.Value(code), message=message, details=packed)
    return HttpError(status, http, headers)


def invalid(error: InvalidArgumentError) -> HttpError:
    """Return the error of a request whose fields the gateway cannot read."""
    malformed = not error.violations[0][0]  # no field: the request as a whole
    reason = ErrorReason.REQUEST_MALFORMED if malformed else error.error_reason
    return refusal("INVALID_ARGUMENT", reason, str(error), violations=error.violations)


def code_name(status: status_pb2.Status) -> str:
    """Return the name of a status's code, such as NOT_FOUND."""
    return str(code_pb2.Code.Name(status.code)) if status.code in code_pb2.Code.values() else "UNKNOWN"


def error_json(status: status_pb2.Status, http: int) -> bytes:
    """Return a status as the JSON of AIP-193."""
    error: dict[str, Any] = {"code": http, "message": status.message, "status": code_name(status)}
    details = [json_format.MessageToDict(detail) for detail in status.details if _known(detail)]
    return orjson.dumps({"error": error | ({"details": details} if details else {})})


def _known(detail: Any) -> bool:
    """Whether a detail is of a type that this process can write as JSON."""
    name: str = detail.TypeName()
    return name.startswith("google.rpc.")


def _headers(status: status_pb2.Status) -> dict[str, str]:
    headers = {}
    if code_name(status) == "UNAUTHENTICATED":
        headers["WWW-Authenticate"] = 'Bearer realm="kitchen-patrol"'
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) and detail.Unpack(retry):
            whole_s = retry.retry_delay.seconds + (retry.retry_delay.nanos > 0)
            headers["Retry-After"] = str(max(1, whole_s))
    return headers
