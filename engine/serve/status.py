"""Errors as gRPC statuses, with google.rpc details where a program can use them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import structlog
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from engine.errors import (
    CommandError,
    ConflictError,
    ForbiddenError,
    PatrolError,
    RegistryError,
    SourceRefusedError,
    StoreError,
    WireError,
)
from engine.replies import RowProblem
from engine.serve.fanout import TooManyWatchersError, TooSlowError

VIOLATIONS_MAX = 100
"""Bad rows named in one reply, at most."""
_DETAIL_BYTES_MAX = 4096
"""Of all that a reply says is wrong: it travels as a header, coded in base 64, and clients refuse more than 8 KiB."""
_MESSAGE_CHARS_MAX = 500


class InvalidArgumentError(PatrolError):
    """A field of a request is out of bounds."""

    code = "invalid_argument"

    def __init__(self, field: str, description: str, more: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{field}: {description}")
        self.violations = [(field, description), *more]

    @classmethod
    def of_rows(cls, problems: Sequence[RowProblem]) -> "InvalidArgumentError":
        """Bad rows of an import; the first VIOLATIONS_MAX are named."""
        named = [(f"cameras[{p.index}].{p.column}", f"{p.value!r}: {p.message}") for p in problems[:VIOLATIONS_MAX]]
        error = cls(*named[0], more=named[1:])
        if len(problems) > len(named):
            error.args = (f"{error.args[0]} (and {len(problems) - 1} more)",)
        return error


class NotFoundError(PatrolError):
    """There is no such thing."""

    code = "not_found"


_CODES: list[tuple[type[BaseException], grpc.StatusCode]] = [
    (InvalidArgumentError, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (TooSlowError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TooManyWatchersError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (RegistryError, grpc.StatusCode.INVALID_ARGUMENT),
    (SourceRefusedError, grpc.StatusCode.INVALID_ARGUMENT),
    (CommandError, grpc.StatusCode.INVALID_ARGUMENT),
    (ForbiddenError, grpc.StatusCode.PERMISSION_DENIED),
    (ConflictError, grpc.StatusCode.ABORTED),
    (StoreError, grpc.StatusCode.UNAVAILABLE),
    (WireError, grpc.StatusCode.UNAVAILABLE),
    (TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (asyncio.CancelledError, grpc.StatusCode.CANCELLED),
]


def status_code(error: BaseException) -> grpc.StatusCode:
    """The code an error ends a call with."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


async def abort(
    context: "grpc.aio.ServicerContext[Any, Any]", error: BaseException, note: Callable[[grpc.StatusCode], None]
) -> None:
    """End the call; raises, as grpc wants it. What is not ours to tell is logged and not told."""
    code = status_code(error)
    note(code)
    if code is grpc.StatusCode.INTERNAL:
        structlog.get_logger().error("call failed", exc_info=error)
        await context.abort(code, "internal error; the engine's log says more")
    if isinstance(error, InvalidArgumentError):
        await context.abort_with_status(rpc_status.to_status(_bad_request(error)))
    await context.abort(code, str(error))


def _bad_request(error: InvalidArgumentError) -> status_pb2.Status:
    request = error_details_pb2.BadRequest()
    left = _DETAIL_BYTES_MAX
    for number, (field, description) in enumerate(error.violations):
        left -= len(field.encode()) + len(description.encode())
        if left < 0:
            more = f"and {len(error.violations) - number} more; mend these first"
            request.field_violations.add(field=field, description=more)
            break
        request.field_violations.add(field=field, description=description)
    detail = any_pb2.Any()
    detail.Pack(request)
    message = str(error)[:_MESSAGE_CHARS_MAX]
    return status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=message, details=[detail])
