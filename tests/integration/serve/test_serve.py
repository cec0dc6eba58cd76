"""The gRPC server by itself: a small hub of the test behind it, a real store, and a real client before it."""

import datetime
import ipaddress
import socket
from collections.abc import Callable, Iterator
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
from engine.model.camera import Camera
from engine.model.measurement import Scores
from engine.model.registry import CameraOrder, CameraQuery
from engine.serve.server import SERVICES
from engine.storage.db.store import Store
from patrol.v1 import cameras_pb2, cameras_pb2_grpc
from tests.support.serve.served import STATUS, VERDICT, FakeHub, RunningServer, county_cameras, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as served:
        served.hub.put(*county_cameras())
        served.hub.judge("c1", VERDICT.visit_id)
        yield served


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


@pytest.mark.parametrize("order", [order for order in CameraOrder if order.of_registry])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_follow_each_other_in_any_order(served: RunningServer, order: CameraOrder, descending: bool) -> None:
    query = CameraQuery(page_size=7, order=order, descending=descending)
    listed = [camera.camera for camera in served.client.cameras(query)]

    def place(camera: Camera) -> tuple[str, str]:
        return ("" if order is CameraOrder.NAME else getattr(camera, order.value)), camera.camera_id

    assert listed == sorted(listed, key=place, reverse=descending)
    assert {entry.camera_id for entry in listed} == set(served.hub.registry.cameras)


def test_pages_neither_skip_nor_repeat_when_cameras_come_and_go_meanwhile(served: RunningServer) -> None:
    client = served.client
    first = client.page(CameraQuery(page_size=5))
    served.hub.put(Camera("a0", "rtsp://h/0", region="130102"), Camera("c29", "rtsp://h/0", region="130102"))
    last_seen = first.cameras[-1].camera.camera_id
    served.hub.store.registry.remove([last_seen])
    seen, token = [camera.camera.camera_id for camera in first.cameras], first.next_page_token
    while token:
        page = client.page(CameraQuery(page_size=5), token)
        seen += [camera.camera.camera_id for camera in page.cameras]
        token = page.next_page_token
    assert len(seen) == len(set(seen))
    assert set(seen) == {camera.camera_id for camera in county_cameras()} | {"c29"}


def test_page_tokens_are_bound_to_filter_and_order(served: RunningServer) -> None:
    page = served.client.page(CameraQuery(page_size=5))
    assert page.total == 25
    for query, token in (
        (CameraQuery(region_prefix="13", page_size=5), page.next_page_token),
        (CameraQuery(page_size=5, descending=True), page.next_page_token),
        (CameraQuery(page_size=5), "garbage"),
        (CameraQuery(page_size=5), "%%%"),
    ):
        with pytest.raises(CallError, match="page_token") as caught:
            served.client.page(query, token)
        assert [field for field, _ in caught.value.violations] == ["page_token"]


def test_a_list_without_verdicts_leaves_them_out(served: RunningServer) -> None:
    assert [camera.latest for camera in served.client.cameras(CameraQuery(page_size=10, with_verdict=False))] == [
        None
    ] * 25
    assert served.client.camera("c1").latest is not None


def test_a_read_mask_names_what_comes(served: RunningServer) -> None:
    stub = cameras_pb2_grpc.CameraServiceStub(grpc.insecure_channel(served.address))
    request = cameras_pb2.GetCameraRequest(name="cameras/c1")
    request.read_mask.paths.extend(["region", "latest_verdict.state"])
    camera = stub.GetCamera(request)
    assert {field.name for field, _ in camera.ListFields()} == {"region", "latest_verdict"}
    assert {field.name for field, _ in camera.latest_verdict.ListFields()} == {"state"}


def test_some_cameras_come_at_once_in_the_order_asked_for(served: RunningServer) -> None:
    stub = cameras_pb2_grpc.CameraServiceStub(grpc.insecure_channel(served.address))
    names = ["cameras/c3", "cameras/c1"]
    reply = stub.BatchGetCameras(cameras_pb2.BatchGetCamerasRequest(names=names))
    assert [camera.name for camera in reply.cameras] == names


def test_a_camera_is_created_once(served: RunningServer) -> None:
    new = Camera("n/1%", "rtsp://u:p@h/1", region="130102")
    assert served.client.create_camera(new).camera.camera_id == "n/1%"
    with pytest.raises(CallError, match="UpdateCamera") as caught:
        served.client.create_camera(new)
    assert caught.value.status == "ALREADY_EXISTS"
    assert served.client.camera("n/1%").camera.region == "130102"


def test_the_same_request_id_is_the_same_call_and_another_request_with_it_is_refused(served: RunningServer) -> None:
    new = Camera("n1", "rtsp://h/1")
    first = served.client.create_camera(new, request_id="r-1")
    assert served.client.create_camera(new, request_id="r-1") == first
    with pytest.raises(CallError, match="another request") as caught:
        served.client.create_camera(replace(new, camera_id="n2"), request_id="r-1")
    assert [field for field, _ in caught.value.violations] == ["request_id"]


def test_an_update_changes_what_its_mask_names_and_keeps_the_password(served: RunningServer) -> None:
    changed = replace(served.client.camera("c1").camera, name="烹饪间", site_id="", enabled=False)
    after = served.client.update_camera(changed, ["display_name", "site_id"]).camera
    assert (after.name, after.site_id, after.enabled) == ("烹饪间", "", True)
    assert served.hub.registry.cameras["c1"].url == "rtsp://u:secret@h/1"
    with pytest.raises(CallError, match="not in the registry"):
        served.client.update_camera(replace(changed, camera_id="zz"))
    with pytest.raises(CallError, match="set by the engine"):
        served.client.update_camera(changed, ["latest_verdict"])


def test_what_is_wrong_with_a_row_is_named_as_a_field_of_the_request(served: RunningServer) -> None:
    with pytest.raises(CallError) as caught:
        served.client.create_camera(Camera("n1", "gopher://u:secret@h/1", hours="never"))
    assert {field for field, _ in caught.value.violations} == {"camera.url", "camera.hours"}
    assert "secret" not in str(caught.value.violations)


def test_a_malformed_row_is_named_among_all_rows_of_an_import_and_good_ones_can_be_kept(served: RunningServer) -> None:
    rows = [Camera(f"n{n}", "rtsp://h/1") for n in range(600)]  # more than one message of the stream
    rows[2] = Camera("n2", "rtsp://u:secret@h/1" + "x" * 3000, region="13x")
    rows[550] = Camera("n550", "ftp://h/1")
    rows[570] = Camera("n" * 90, "rtsp://h/1")
    bad = [(2, "region"), (2, "url"), (550, "url"), (570, "camera_id")]
    report = served.client.import_cameras(rows)
    assert sorted((problem.index, problem.column) for problem in report.problems) == bad
    assert "secret" not in str(report.problems)
    assert (report.added, report.changed, report.unchanged) == (0, 0, 0)
    assert "n0" not in served.hub.registry.cameras
    report = served.client.import_cameras(rows, keep_good=True)
    assert sorted((problem.index, problem.column) for problem in report.problems) == bad
    assert report.added == 597
    assert {"n0", "n2", "n599"} & set(served.hub.registry.cameras) == {"n0", "n599"}
    assert len(served.client.import_cameras([rows[2]], keep_good=True).problems) == 2


def test_an_import_names_every_bad_row_and_takes_none_unless_it_is_told_to(served: RunningServer) -> None:
    rows = [Camera("n1", "rtsp://h/1"), Camera("n2", "ftp://u:secret@h/1"), Camera("n3", "rtsp://h/1", hours="x")]
    report = served.client.import_cameras(rows)
    assert [(problem.index, problem.column) for problem in report.problems] == [(1, "url"), (2, "hours")]
    assert "secret" not in str(report.problems)
    assert report.added == 0
    assert "n1" not in served.hub.registry.cameras
    report = served.client.import_cameras(rows, keep_good=True, validate_only=True)
    assert (report.added, len(report.problems)) == (1, 2)  # it would be
    assert "n1" not in served.hub.registry.cameras
    report = served.client.import_cameras(rows, keep_good=True)
    assert (report.added, [problem.index for problem in report.problems]) == (1, [1, 2])


def test_a_large_import_comes_in_pieces_and_names_bad_rows_by_their_place_in_all_of_it(served: RunningServer) -> None:
    rows = [Camera(f"i{n}", "rtsp://h/1" if n != 3456 else "nonsense", region="1301") for n in range(5000)]
    report = served.client.import_cameras(rows, keep_good=True)
    assert (report.added, [problem.index for problem in report.problems]) == (4999, [3456])


def test_cameras_are_removed_and_reset_and_unknown_ids_are_named(served: RunningServer) -> None:
    client = served.client
    for _ in range(2):
        assert client.reset_baselines(["c1", "zz"]) == (1, ("zz",))
    assert client.remove_cameras(["c3", "zz"]) == (1, ("zz",))
    stub = cameras_pb2_grpc.CameraServiceStub(grpc.insecure_channel(served.address))
    stub.DeleteCamera(cameras_pb2.DeleteCameraRequest(name="cameras/c3", allow_missing=True))
    with pytest.raises(grpc.RpcError) as caught:
        stub.DeleteCamera(cameras_pb2.DeleteCameraRequest(name="cameras/c3"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_status_carries_all_its_figures(served: RunningServer) -> None:
    assert served.client.status() == STATUS


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
