"""The gRPC server by itself: a small hub of the test behind it, a real store, and a real client before it."""

import datetime
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client.parser import text_string_to_metric_families

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.errors import (
    ConfigError,
    ErrorReason,
    IntegrityError,
    ListenError,
    Resource,
    StoreError,
    UnavailableError,
)
from engine.metrics import Metrics
from engine.model.access import Role, TokenOrder
from engine.model.measurement import Scores
from engine.serve.server import SERVICES
from engine.storage.db.store import Store
from patrol.v1 import cameras_pb2, cameras_pb2_grpc
from tests.support.serve.served import STATUS, VERDICT, FakeHub, RunningServer, serving


def test_a_camera_comes_with_its_verdict_and_without_its_password(served: RunningServer) -> None:
    status = served.client.camera("c1")
    assert status.latest == replace(VERDICT, scores=Scores(1.5, None, 3.0))
    assert status.camera.url == "rtsp://u:***@h/1"
    assert served.client.verdict("c1") == VERDICT


def test_what_is_not_there_is_not_found_with_a_remedy(served: RunningServer) -> None:
    client = served.client
    calls: list[tuple[Callable[[], object], ErrorReason, Resource]] = [
        (lambda: client.camera("zz"), ErrorReason.CAMERA_NOT_FOUND, Resource("Camera", "cameras/zz")),
        (
            lambda: client.verdict("c2"),
            ErrorReason.VERDICT_NOT_FOUND,
            Resource("Verdict", "cameras/c2/verdicts/latest"),
        ),
        (
            lambda: client.picture("c2"),
            ErrorReason.PICTURE_NOT_FOUND,
            Resource("Verdict", "cameras/c2/verdicts/latest"),
        ),
        (
            lambda: client.verdict("c1", 77),
            ErrorReason.VERDICT_NOT_FOUND,
            Resource("Verdict", "cameras/c1/verdicts/77"),
        ),
        (lambda: client.plan("zz"), ErrorReason.CAMERA_NOT_FOUND, Resource("Camera", "cameras/zz")),
        (lambda: list(client.verdicts("zz")), ErrorReason.CAMERA_NOT_FOUND, Resource("Camera", "cameras/zz")),
        (lambda: client.findings.get(99), ErrorReason.FINDING_NOT_FOUND, Resource("Finding", "findings/99")),
        (lambda: client.spot_check(5), ErrorReason.SPOT_CHECK_NOT_FOUND, Resource("SpotCheck", "spotChecks/5")),
        (lambda: client.access.revoke_token(12), ErrorReason.TOKEN_NOT_FOUND, Resource("Token", "tokens/12")),
    ]
    for call, reason, resource in calls:
        with pytest.raises(CallError) as caught:
            call()
        assert (caught.value.status, caught.value.reason) == ("NOT_FOUND", reason)
        assert caught.value.resource == resource
        assert caught.value.retry_s is None
        assert "; " in str(caught.value)


def test_status_carries_all_its_figures(served: RunningServer) -> None:
    status = served.client.status()
    assert status == replace(STATUS, now_wall_ns=status.now_wall_ns)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (StoreError("disk full"), "UNAVAILABLE", "disk full"),
        (UnavailableError("no worker is ready"), "UNAVAILABLE", "no worker is ready"),
        (IntegrityError("the file has other bits"), "DATA_LOSS", "other bits"),
        (RuntimeError("secret detail"), "INTERNAL", "internal error; the engine's log says more"),
        (TimeoutError("late"), "DEADLINE_EXCEEDED", "late"),
    ],
)
def test_errors_of_the_hub_become_statuses_and_secrets_stay_inside(
    served: RunningServer, error: Exception, status: str, said: str
) -> None:
    served.hub.error = error
    with pytest.raises(CallError, match=said) as caught:
        served.client.camera("c1")
    assert caught.value.status == status
    assert caught.value.retry_s == (1.0 if status == "UNAVAILABLE" else None)


def test_health_follows_the_engine(served: RunningServer) -> None:
    server = served.server
    stub: Any = health_pb2_grpc.HealthStub(grpc.insecure_channel(served.address))

    def status(name: str) -> int:
        status: int = stub.Check(health_pb2.HealthCheckRequest(service=name)).status
        return status

    assert {status(name) for name in ("", *SERVICES)} == {health_pb2.HealthCheckResponse.NOT_SERVING}
    server.set_ready(True)
    assert {status(name) for name in ("", *SERVICES)} == {health_pb2.HealthCheckResponse.SERVING}


def test_reflection_lists_every_service(served: RunningServer) -> None:
    names = ProtoReflectionDescriptorDatabase(grpc.insecure_channel(served.address)).get_services()
    assert set(SERVICES) <= set(names)
    assert "grpc.health.v1.Health" in names


def test_a_port_in_use_is_refused(served: RunningServer, tmp_path: Path) -> None:
    with (
        pytest.raises(ListenError, match=r"serve\.grpc_listen"),
        serving(tmp_path / "other", grpc_listen=served.address),
    ):
        pass


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return cert_file, key_file


def test_over_tls_only_callers_with_a_token_are_heard(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    _, secret = store.access.create_token(TokenOrder("platform", Role.VIEWER), "test", wall_ns())
    public: dict[str, Any] = {"grpc_listen": "0.0.0.0:0", "tls_cert_file": str(cert), "tls_key_file": str(key)}
    with serving(tmp_path, hub=FakeHub(store), **public) as served:
        address = f"127.0.0.1:{served.address.rpartition(':')[2]}"
        ca = cert.read_bytes()
        with PatrolClient(address, token=secret, ca=ca) as client:
            assert client.status().version == "v"
        for token, reason in (("", "TOKEN_MISSING"), ("kp_wrong", "TOKEN_INVALID")):
            with (
                PatrolClient(address, token=token, ca=ca) as client,
                pytest.raises(CallError, match="patrol token create") as caught,
            ):
                client.status()
            assert (caught.value.status, caught.value.reason) == ("UNAUTHENTICATED", reason)
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca))
        health: Any = health_pb2_grpc.HealthStub(channel)
        health.Check(health_pb2.HealthCheckRequest())
        with PatrolClient(address, timeout_s=2) as client, pytest.raises(CallError):
            client.status()
    store.close()


def test_a_public_address_without_any_token_is_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    public: dict[str, Any] = {"grpc_listen": "0.0.0.0:0", "tls_cert_file": str(cert), "tls_key_file": str(key)}
    with pytest.raises(ConfigError, match="patrol token create"), serving(tmp_path, **public):
        pass


def test_absent_certificates_are_refused(tmp_path: Path) -> None:
    absent: dict[str, Any] = {"tls_cert_file": str(tmp_path / "a"), "tls_key_file": str(tmp_path / "b")}
    with pytest.raises(ConfigError, match=r"serve\."), serving(tmp_path, **absent):
        pass


def test_a_client_without_a_server_is_told_what_to_do() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with PatrolClient(address, timeout_s=3) as client, pytest.raises(CallError, match="start `patrol run`"):
            client.status()


def test_the_scrape_parses_and_names_follow_the_conventions(served: RunningServer) -> None:
    metrics = served.metrics
    served.client.status()
    metrics.visit_ended("rtsp", "keyframe")
    metrics.stage("decode", 0.01)
    metrics.cameras({("ok", "130102"): 2, ("fault", ""): 1})
    families = list(text_string_to_metric_families(metrics.render().decode()))
    ours = [family for family in families if family.name.startswith("patrol_")]
    for family in ours:
        assert family.documentation, family.name
        assert not family.name.endswith(("_ms", "_ns", "_kb")), family.name
        for sample in family.samples:
            assert "camera" not in sample.labels
            assert "camera_id" not in sample.labels
    samples = {(s.name, frozenset(s.labels.values())): s.value for f in ours for s in f.samples}
    assert samples["patrol_rpc_seconds_count", frozenset({"/PatrolService/GetStatus", "OK"})] == 1
    assert samples["patrol_cameras", frozenset({"ok", "130102"})] == 2


def test_regions_beyond_the_bound_share_one_label() -> None:
    metrics = Metrics("x")
    metrics.cameras({("ok", f"{n:06}"): 1 for n in range(700)})
    lines = [line for line in metrics.render().decode().splitlines() if line.startswith("patrol_cameras{")]
    assert len(lines) == 501
    assert 'patrol_cameras{region="other",state="ok"} 200.0' in lines


def test_more_violations_than_a_header_holds_are_cut_and_counted(served: RunningServer) -> None:
    stub = cameras_pb2_grpc.CameraServiceStub(grpc.insecure_channel(served.address))
    names = [f"第一中学食堂第{n}号" for n in range(900)]
    with pytest.raises(grpc.RpcError) as caught:
        stub.BatchGetCameras(cameras_pb2.BatchGetCamerasRequest(names=names))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(CallError) as told:
        served.client._channel.call(stub.BatchGetCameras, cameras_pb2.BatchGetCamerasRequest(names=names))
    *named, last = told.value.violations
    assert [field for field, _ in named] == [f"names[{n}]" for n in range(len(named))]
    assert len(named) > 10
    assert last[1].startswith("and ")
