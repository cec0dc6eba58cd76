import grpc
import pytest
from google.rpc import error_details_pb2

from engine.errors import IntegrityError, PatrolError, StoreError, UnavailableError, WireError
from engine.serve.status import status_of


@pytest.mark.parametrize(
    ("error", "code", "reason", "retried"),
    [
        (UnavailableError("no worker is ready"), grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", True),
        (StoreError("the database does not answer"), grpc.StatusCode.UNAVAILABLE, "STORE", True),
        (IntegrityError("other bits"), grpc.StatusCode.DATA_LOSS, "INTEGRITY", False),
        (WireError("malformed", "not a Job"), grpc.StatusCode.INTERNAL, "INTERNAL", False),
    ],
)
def test_an_error_has_its_code_its_reason_and_a_retry_only_where_one_helps(
    error: PatrolError, code: grpc.StatusCode, reason: str, retried: bool
) -> None:
    status = status_of(error, "PatrolService/GetPicture")
    assert status.code == code.value[0]
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == reason
    assert any(detail.Unpack(retry) for detail in status.details) is retried
