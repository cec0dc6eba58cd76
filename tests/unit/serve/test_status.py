"""Errors as gRPC statuses: every reason has a row, and the details say what a program needs."""

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from engine.errors import (
    ConflictError,
    ErrorReason,
    IntegrityError,
    InvalidArgumentError,
    NotFoundError,
    PatrolError,
    Resource,
    StateError,
    StoreError,
    UnavailableError,
    WireError,
)
from engine.serve.messages.error_reasons import REASONS
from engine.serve.status import (
    TooManyCallsError,
    TooManyError,
    TooSlowError,
    UnknownMethodError,
    status_code,
    status_of,
)

METHOD = "PatrolService/GetPicture"


def unpacked(status: status_pb2.Status, kind: type[Message]) -> Any:
    """The detail of this kind; None if there is none."""
    for detail in status.details:
        message: Message = kind()
        if detail.Unpack(message):
            return message
    return None


@pytest.mark.parametrize(
    ("error", "code", "reason", "retried"),
    [
        (UnavailableError("no worker is ready"), grpc.StatusCode.UNAVAILABLE, "TEMPORARILY_UNAVAILABLE", True),
        (StoreError("the database does not answer"), grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", True),
        (
            StoreError("refused", reason=ErrorReason.DATABASE_REFUSED),
            grpc.StatusCode.UNAVAILABLE,
            "DATABASE_REFUSED",
            False,
        ),
        (ConflictError("stale"), grpc.StatusCode.ABORTED, "CHANGED_MEANWHILE", False),
        (ConflictError("drawn", reason=ErrorReason.DRAW_UNDER_WAY), grpc.StatusCode.ABORTED, "DRAW_UNDER_WAY", True),
        (
            InvalidArgumentError("request_id", "reused", reason=ErrorReason.REQUEST_ID_REUSED),
            grpc.StatusCode.INVALID_ARGUMENT,
            "REQUEST_ID_REUSED",
            False,
        ),
        (TooManyError("256 watch"), grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS", True),
        (TooManyCallsError("often", "token", "x", 1), grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", True),
        (TooSlowError("slow"), grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHER_TOO_SLOW", False),
        (IntegrityError("other bits"), grpc.StatusCode.DATA_LOSS, "EVIDENCE_DAMAGED", False),
        (UnknownMethodError("/a.B/C"), grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN", False),
        (WireError("malformed", "not a Job"), grpc.StatusCode.INTERNAL, "INTERNAL", False),
        (TimeoutError(), grpc.StatusCode.DEADLINE_EXCEEDED, "CALL_TIMED_OUT", False),
        (RuntimeError("secret"), grpc.StatusCode.INTERNAL, "INTERNAL", False),
    ],
)
def test_an_error_has_its_code_its_reason_and_a_retry_only_where_one_helps(
    error: Exception, code: grpc.StatusCode, reason: str, retried: bool
) -> None:
    status = status_of(error, METHOD)
    assert status.code == code.value[0]
    info = unpacked(status, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain, info.metadata["method"]) == (reason, "kitchen-patrol", METHOD)
    assert (unpacked(status, error_details_pb2.RetryInfo) is not None) is retried
    assert "secret" not in str(status)


def test_every_reason_has_a_row_with_a_status_that_grpc_knows() -> None:
    assert set(REASONS) == set(ErrorReason)
    for reason, row in REASONS.items():
        assert reason.value == reason.name
        assert row.status in grpc.StatusCode.__members__
        assert row.meaning.endswith(".")
    # A repeat of the same call never cures what the caller sent.
    assert not [reason for reason, row in REASONS.items() if row.repeat and row.status == "INVALID_ARGUMENT"]


def test_metadata_has_only_the_keys_that_the_table_names_and_is_bounded() -> None:
    error = ConflictError("x", reason=ErrorReason.FINDING_CHANGED, metadata={"number": 7, "state": "s" * 900})
    info = unpacked(status_of(error, METHOD), error_details_pb2.ErrorInfo)
    assert info.metadata["number"] == "7"
    assert len(info.metadata["state"]) == 200
    assert set(info.metadata) - {"method"} <= set(REASONS[ErrorReason.FINDING_CHANGED].metadata)


def test_what_is_not_found_is_named_and_a_state_is_a_precondition() -> None:
    camera = Resource("Camera", "cameras/c1")
    status = status_of(NotFoundError("no", reason=ErrorReason.CAMERA_NOT_FOUND, resource=camera), METHOD)
    resource = unpacked(status, error_details_pb2.ResourceInfo)
    assert (resource.resource_type, resource.resource_name) == ("patrol.internal/Camera", "cameras/c1")
    assert unpacked(status, error_details_pb2.PreconditionFailure) is None

    error = StateError("is closed", reason=ErrorReason.FINDING_ENDED, resource=Resource("Finding", "findings/1"))
    status = status_of(error, METHOD)
    (violation,) = unpacked(status, error_details_pb2.PreconditionFailure).violations
    assert (violation.type, violation.subject) == ("FINDING_ENDED", "findings/1")
    assert unpacked(status, error_details_pb2.ResourceInfo) is None


def test_a_quota_is_named() -> None:
    (violation,) = unpacked(status_of(TooManyError("256 watch"), METHOD), error_details_pb2.QuotaFailure).violations
    assert violation.subject == "serve.watchers_max"


def test_who_calls_too_often_is_told_the_setting_and_how_long_to_wait() -> None:
    status = status_of(TooManyCallsError("too often", "failed", "serve.failed_calls_per_s_max", 1_250_000_000), METHOD)
    (violation,) = unpacked(status, error_details_pb2.QuotaFailure).violations
    assert violation.subject == "serve.failed_calls_per_s_max"
    assert unpacked(status, error_details_pb2.RetryInfo).retry_delay.ToNanoseconds() == 1_250_000_000
    assert unpacked(status, error_details_pb2.ErrorInfo).metadata["by"] == "failed"


def test_an_error_that_the_api_does_not_know_is_internal() -> None:
    assert status_code(PatrolError("x")) is grpc.StatusCode.INTERNAL
