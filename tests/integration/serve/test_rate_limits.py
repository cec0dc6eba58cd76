"""Callers that call too often, over gRPC and HTTP: they are told how long to wait, and others notice nothing."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf import empty_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.model.access import ANONYMOUS, AuditEntry, AuditQuery, Role, TokenOrder
from engine.storage.db.store import Store
from patrol.v1 import patrol_pb2, patrol_pb2_grpc
from tests.support.serve.served import FakeHub, RunningServer, serving
from tests.support.web.gateway import caller, gateway, reason

BAD = "kp_no"


@contextmanager
def engine(folder: Path, **settings: Any) -> Iterator[tuple[RunningServer, str, str]]:
    """Serve with two tokens and these limits; yields their secrets."""
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    good, other = (
        store.access.create_token(TokenOrder(name, Role.ADMIN), "test", wall_ns())[1] for name in ("console", "batch")
    )
    with serving(folder, hub=FakeHub(store), own_socket=folder / "api", calls_burst_s=1, **settings) as served:
        yield served, good, other
    store.close()


def call(address: str, secret: str, times: int) -> list[grpc.RpcError | None]:
    """Ask for the status again and again, over one connection; return the errors."""
    outcomes: list[grpc.RpcError | None] = []
    with grpc.insecure_channel(address) as channel:
        stub = patrol_pb2_grpc.PatrolServiceStub(channel)
        for _ in range(times):
            try:
                stub.GetStatus(
                    patrol_pb2.GetStatusRequest(), timeout=20, metadata=(("authorization", f"Bearer {secret}"),)
                )
                outcomes.append(None)
            except grpc.RpcError as error:
                outcomes.append(error)
    return outcomes


def codes(outcomes: list[grpc.RpcError | None]) -> Counter[str]:
    return Counter("OK" if error is None else error.code().name for error in outcomes)


def entries(served: RunningServer) -> list[AuditEntry]:
    served.server.stop(0.5)
    return list(served.hub.store.access.entries(AuditQuery())[::-1])


def refused(served: RunningServer, why: str) -> float:
    line = next(
        line
        for line in served.metrics.render().decode().splitlines()
        if line.startswith(f'patrol_calls_refused_total{{reason="{why}"}}')
    )
    return float(line.rpartition(" ")[2])


def test_a_token_that_calls_too_often_is_told_how_long_to_wait(tmp_path: Path) -> None:
    with engine(tmp_path, token_calls_per_s_max=2) as (served, good, other):
        outcomes = call(served.address, good, 40)
        assert codes(outcomes)["OK"] < 40
        assert codes(call(served.address, other, 2)) == {"OK": 2}, "another token of the same address is not touched"
        errors = [error for error in outcomes if error is not None]
        status = rpc_status.from_call(cast(grpc.Call, errors[0]))
        assert status is not None
        retry, quota, info = (
            error_details_pb2.RetryInfo(), error_details_pb2.QuotaFailure(), error_details_pb2.ErrorInfo(),
        )  # fmt: skip
        for detail in status.details:
            for kind in (retry, quota, info):
                detail.Unpack(kind)
        assert errors[0].code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (info.reason, info.metadata["by"]) == ("RATE_LIMIT_EXCEEDED", "token")
        assert 0 < retry.retry_delay.ToNanoseconds() <= 500_000_000
        assert quota.violations[0].subject == "serve.token_calls_per_s_max"
        assert refused(served, "rate_token") == len(errors)
        told = [(entry.actor.name, entry.resource, entry.outcome) for entry in entries(served)]
    assert told[0] == ("console", "(rate_token)", "RESOURCE_EXHAUSTED")
    assert told[1:] == [("console", f"{len(errors) - 1} more within a minute (rate_token)", "RESOURCE_EXHAUSTED")], (
        "two lines, not one a call"
    )


def test_bad_tokens_of_an_address_are_limited_harder_and_lock_out_nobody(tmp_path: Path) -> None:
    with engine(tmp_path, failed_calls_per_s_max=3) as (served, good, _):
        found = codes(call(served.address, BAD, 60))
        assert set(found) == {"UNAUTHENTICATED", "RESOURCE_EXHAUSTED"}
        assert found["UNAUTHENTICATED"] < found["RESOURCE_EXHAUSTED"]
        assert codes(call(served.address, good, 30)) == {"OK": 30}
        assert refused(served, "rate_failed") == found["RESOURCE_EXHAUSTED"]
        told = [(entry.actor, entry.resource) for entry in entries(served)]
    assert told[:2] == [(ANONYMOUS, "(token_invalid)"), (ANONYMOUS, "(rate_failed)")]
    assert len(told) <= 4


def test_an_address_has_a_limit_over_all_its_tokens_and_over_calls_that_need_none(tmp_path: Path) -> None:
    with engine(tmp_path, address_calls_per_s_max=2) as (served, good, other):
        found = codes(call(served.address, good, 10) + call(served.address, other, 10))
        assert found["RESOURCE_EXHAUSTED"] > 0
        with grpc.insecure_channel(served.address) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            unknown = channel.unary_unary(
                "/nobody.v1.Nothing/Do", empty_pb2.Empty.SerializeToString, empty_pb2.Empty.FromString
            )
            for ask in (lambda: health.Check(health_pb2.HealthCheckRequest()), lambda: unknown(empty_pb2.Empty())):
                met = set()
                for _ in range(20):
                    try:
                        ask()
                    except grpc.RpcError as error:
                        met.add(error.code())
                assert grpc.StatusCode.RESOURCE_EXHAUSTED in met
        assert refused(served, "rate_address") > found["RESOURCE_EXHAUSTED"]


def test_over_http_it_is_429_with_retry_after_by_the_address_of_the_caller(tmp_path: Path) -> None:
    with (
        engine(tmp_path, token_calls_per_s_max=2, failed_calls_per_s_max=0.2) as (served, good, other),
        gateway(f"unix:{tmp_path / 'api'}") as address,
    ):
        with caller(address, good) as http:
            replies = [http.get("/v1/status") for _ in range(30)]
        too_many = [reply for reply in replies if reply.status_code == 429]
        assert too_many
        assert {reply.status_code for reply in replies} == {200, 429}
        assert reason(too_many[0]) == "RATE_LIMIT_EXCEEDED"
        assert too_many[0].headers["Retry-After"] == "1"
        with caller(address, BAD) as http:
            bad = Counter(http.get("/v1/status").status_code for _ in range(30))
        assert set(bad) == {401, 429}
        with caller(address) as http:  # a proxy says that the caller is elsewhere: it needs a token, and has none
            without = Counter(
                http.get("/v1/status", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(30)
            )
        assert without[429] >= 25, "the address in a header of the caller's is not believed"
        with caller(address, other) as http:
            assert http.get("/v1/status").status_code == 200
        lines = entries(served)
    assert len(lines) <= 8
    assert {entry.peer.partition(":")[0] for entry in lines} == {"ipv4"}
    assert {entry.actor.name for entry in lines} == {"console", ANONYMOUS.name}


def test_our_client_slows_down_instead_of_failing(tmp_path: Path) -> None:
    with engine(tmp_path, token_calls_per_s_max=20) as (served, good, _):
        with PatrolClient(served.address, token=good, timeout_s=30) as client:
            assert all(client.status().version == "v" for _ in range(40))
        assert refused(served, "rate_token") > 0


def test_our_client_waits_no_longer_than_its_timeout(tmp_path: Path) -> None:
    with (
        engine(tmp_path, token_calls_per_s_max=0.1) as (served, good, _),
        PatrolClient(served.address, token=good, timeout_s=5) as client,
    ):
        client.status()
        with pytest.raises(CallError, match=r"serve\.token_calls_per_s_max") as error:
            client.status()
    assert error.value.retry_s is not None
    assert error.value.retry_s > 5


def test_a_limit_of_zero_is_none(tmp_path: Path) -> None:
    none = {"token_calls_per_s_max": 0, "address_calls_per_s_max": 0, "failed_calls_per_s_max": 0}
    with engine(tmp_path, **none) as (served, good, _):
        assert codes(call(served.address, good, 50)) == {"OK": 50}
        assert codes(call(served.address, BAD, 50)) == {"UNAUTHENTICATED": 50}


def test_the_gateway_is_not_believed_about_addresses_on_another_socket(tmp_path: Path) -> None:
    """A caller over TCP that names addresses of others has one limit for all of them."""
    with engine(tmp_path, failed_calls_per_s_max=0.2) as (served, _, _):
        met: Counter[str] = Counter()
        with grpc.insecure_channel(served.address) as channel:
            stub = patrol_pb2_grpc.PatrolServiceStub(channel)
            for n in range(30):
                peer = (("patrol-peer", f"ipv4:10.0.0.{n}:1 http"), ("authorization", f"Bearer {BAD}"))
                with pytest.raises(grpc.RpcError) as error:
                    stub.GetStatus(patrol_pb2.GetStatusRequest(), metadata=peer)
                met[error.value.code().name] += 1
    assert met["RESOURCE_EXHAUSTED"] >= 25
