"""The gRPC server by itself: a small hub of the test behind it, a real client before it."""

import asyncio
import datetime
import ipaddress
import socket
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from prometheus_client.parser import text_string_to_metric_families

from engine.config.schema import ServeSettings
from engine.errors import ConfigError, ListenError, StoreError
from engine.feed.source import check_url
from engine.record.registry import check_cameras
from engine.redact import redact
from engine.replies import (
    CameraPage,
    CameraQuery,
    CameraStatus,
    CheckNowReport,
    EngineStatus,
    ImportReport,
    RenderedPicture,
)
from engine.serve.client import CallError, PatrolClient
from engine.serve.fanout import Fanout, Filter, TooManyWatchersError, TooSlowError
from engine.serve.metrics import Metrics
from engine.serve.server import SERVICES, GrpcServer
from engine.types import Camera, Cause, Codec, FaultKind, Scores, Severity, State, Verdict
from patrol.v1 import cameras_pb2, cameras_pb2_grpc

VERDICT = Verdict(
    "c1", 2**63 + 1, 5, State.FAULT, (FaultKind.BLURRED,), "", "d", State.OK, (FaultKind.FROZEN,), 4,
    Scores(1.5, None, 3.0), {"luma_mean": 2.0}, {"limit": 1.0}, "1", 640, 480, Codec.H265,
    Cause.DEFOCUS, Cause.PICTURE_STILL, Severity.BLIND, 0.75, (3, 143),
)  # fmt: skip


class SmallHub:
    """Holds cameras in a dict; behaves as the port promises."""

    def __init__(self) -> None:
        self.cameras = {f"c{n}": Camera(f"c{n}", f"rtsp://u:secret@h/{n}", region="130102") for n in range(25)}
        self.error: Exception | None = None

    async def import_cameras(self, cameras, keep_good):
        problems = tuple(check_cameras(cameras, lambda url: check_url(url, ("rtsp",))))
        bad = {one.index for one in problems}
        if problems and not keep_good:
            return ImportReport(problems=problems)
        good = [one for index, one in enumerate(cameras) if index not in bad]
        self.cameras |= {one.camera_id: one for one in good}
        return ImportReport(added=len(good), problems=problems)

    async def remove_cameras(self, camera_ids):
        known = [one for one in camera_ids if self.cameras.pop(one, None)]
        return len(known), tuple(one for one in camera_ids if one not in known)

    async def reset_baselines(self, camera_ids):
        known = [one for one in camera_ids if one in self.cameras]
        return len(known), tuple(one for one in camera_ids if one not in known)

    async def check_now(self, camera_ids):
        return CheckNowReport(1, 2, ("x",), tuple(camera_ids))

    async def camera(self, camera_id):
        if self.error is not None:
            raise self.error
        camera = self.cameras.get(camera_id)
        return None if camera is None else CameraStatus(camera, VERDICT if camera_id == "c1" else None)

    async def list_cameras(self, query: CameraQuery):
        ids = sorted(c for c, one in self.cameras.items() if one.region.startswith(query.region_prefix))
        after = [one for one in ids if one > query.page_token]
        page = after[: query.page_size]
        statuses = tuple(CameraStatus(self.cameras[one]) for one in page)
        return CameraPage(statuses, page[-1] if len(after) > len(page) else "", len(ids))

    async def picture(self, camera_id, visit_id, side_px_max):
        return RenderedPicture(b"\xff\xd8", side_px_max or 640, 480, visit_id or 9, 8) if camera_id == "c1" else None

    async def status(self):
        await asyncio.sleep(0)
        return EngineStatus("v", "r", 7, 25, 24, {"ok": 3}, 1, 2, 3, 4, 5, 6.5, 7.5)


@pytest.fixture
def served():
    hub, fanout, metrics = SmallHub(), Fanout(queue_max=16, watchers_max=2), Metrics("test")
    settings = ServeSettings(grpc_listen="127.0.0.1:0", page_size_max=10)
    server = GrpcServer(settings, hub, fanout, metrics, redact)
    address = server.start()
    with PatrolClient(address, timeout_s=5) as client:
        yield hub, fanout, metrics, server, address, client
    server.stop(0.5)


def test_a_camera_comes_with_its_verdict_and_without_its_password(served) -> None:
    client = served[5]
    status = client.camera("c1")
    assert status.latest == replace(VERDICT, scores=Scores(1.5, None, 3.0))
    assert status.camera.url == "rtsp://u:***@h/1"
    assert client.verdict("c1") == VERDICT


def test_what_is_not_there_is_not_found_with_a_remedy(served) -> None:
    client = served[5]
    for call in (lambda: client.camera("zz"), lambda: client.verdict("c2"), lambda: client.picture("c2")):
        with pytest.raises(CallError) as caught:
            call()
        assert caught.value.status == "NOT_FOUND"
        assert "; " in str(caught.value)


def test_pages_follow_each_other_and_tokens_are_bound_to_their_filter(served) -> None:
    client = served[5]
    assert [one.camera.camera_id for one in client.cameras(CameraQuery(page_size=7))] == sorted(served[0].cameras)
    page = client.page(CameraQuery(page_size=5))
    assert page.total == 25
    for token, region in ((page.next_page_token, "13"), ("garbage", ""), ("%%%", "")):
        with pytest.raises(CallError, match="page_token"):
            client.page(CameraQuery(region_prefix=region, page_size=5, page_token=token))


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda c: c.page(CameraQuery(page_size=11)), "page_size"),
        (lambda c: c.page(CameraQuery(region_prefix="13x", page_size=5)), "region_prefix"),
        (lambda c: c.camera(""), "camera_id"),
        (lambda c: c.check_now([]), "camera_ids"),
        (lambda c: c.picture("c1", side_px_max=9999), "side_px_max"),
    ],
)
def test_arguments_out_of_bounds_name_their_field(served, call, field: str) -> None:
    with pytest.raises(CallError) as caught:
        call(served[5])
    assert caught.value.status == "INVALID_ARGUMENT"
    assert str(caught.value).startswith(field)


def test_an_import_names_every_bad_row_for_people_and_for_programs(served) -> None:
    bad = [Camera("n1", "rtsp://h/1"), Camera("n2", "ftp://u:secret@h/1"), Camera("", "rtsp://h/1")]
    stub = cameras_pb2_grpc.CamerasStub(grpc.insecure_channel(served[4]))
    rows = [cameras_pb2.Camera(camera_id=one.camera_id, url=one.url, enabled=True) for one in bad]
    with pytest.raises(grpc.RpcError) as caught:
        stub.ImportCameras(cameras_pb2.ImportCamerasRequest(cameras=rows))
    detail = error_details_pb2.BadRequest()
    rpc_status.from_call(caught.value).details[0].Unpack(detail)
    assert [one.field for one in detail.field_violations] == ["cameras[1].url", "cameras[2].camera_id"]
    assert "secret" not in str(detail)
    assert "n1" not in served[0].cameras
    report = served[5].import_cameras(bad, keep_good=True)
    assert (report.added, [one.index for one in report.problems]) == (1, [1, 2])


def test_status_and_check_now_carry_all_their_figures(served) -> None:
    client = served[5]
    assert client.status() == EngineStatus("v", "r", 7, 25, 24, {"ok": 3}, 1, 2, 3, 4, 5, 6.5, 7.5)
    assert client.check_now(["c1"]) == CheckNowReport(1, 2, ("x",), ("c1",))
    assert client.remove_cameras(["c3", "zz"]) == (1, ("zz",))


def test_a_baseline_is_reset_again_and_again_and_unknown_ids_are_named(served) -> None:
    client = served[5]
    for _ in range(2):
        assert client.reset_baselines(["c1", "zz"]) == (1, ("zz",))
    with pytest.raises(CallError) as caught:
        client.reset_baselines([])
    assert caught.value.status == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (StoreError("disk full"), "UNAVAILABLE", "disk full"),
        (RuntimeError("secret detail"), "INTERNAL", "internal error; the engine's log says more"),
        (TimeoutError("late"), "DEADLINE_EXCEEDED", "late"),
    ],
)
def test_errors_of_the_hub_become_statuses_and_secrets_stay_inside(served, error, status: str, said: str) -> None:
    served[0].error = error
    with pytest.raises(CallError, match=said) as caught:
        served[5].camera("c1")
    assert caught.value.status == status


def wait_for_watchers(fanout: Fanout, number: int) -> None:
    give_up = time.monotonic() + 5
    while fanout.watchers != number:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_watchers_get_what_they_asked_for(served) -> None:
    _, fanout, _, _, _, client = served
    stream = client.watch(region_prefix="1301", changes_only=True, camera_ids=["c1", "c2"])
    first = []

    def read() -> None:
        first.append(next(stream))

    import threading

    reader = threading.Thread(target=read)
    reader.start()
    wait_for_watchers(fanout, 1)
    here, there = Camera("c1", "", region="130102"), Camera("c2", "", region="1302")
    fanout.publish(replace(VERDICT, visit_id=1), here, False)
    fanout.publish(replace(VERDICT, visit_id=2), there, True)
    fanout.publish(replace(VERDICT, visit_id=3), replace(here, camera_id="c9"), True)
    fanout.publish(replace(VERDICT, visit_id=4), here, True)
    reader.join(5)
    assert [one.visit_id for one in first] == [4]
    stream.close()
    wait_for_watchers(fanout, 0)


def test_a_watcher_that_is_too_slow_is_cut_and_told() -> None:
    async def story() -> list[int]:
        fanout = Fanout(queue_max=3, watchers_max=1)
        watcher = fanout.open(Filter())
        with pytest.raises(TooManyWatchersError, match=r"serve\.watchers_max"):
            fanout.open(Filter())
        for visit in range(5):
            fanout.publish(replace(VERDICT, visit_id=visit), Camera("c1", ""), True)
        verdicts = watcher.verdicts()
        seen = [(await anext(verdicts)).visit_id for _ in range(3)]
        with pytest.raises(TooSlowError, match="3 verdicts waited"):
            await anext(verdicts)
        return seen

    assert asyncio.run(story()) == [0, 1, 2]


def test_health_follows_the_engine(served) -> None:
    _, _, _, server, address, _ = served
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(address))

    def status(name: str) -> int:
        return stub.Check(health_pb2.HealthCheckRequest(service=name)).status

    assert {status(name) for name in ("", *SERVICES)} == {health_pb2.HealthCheckResponse.NOT_SERVING}
    server.set_ready(True)
    assert {status(name) for name in ("", *SERVICES)} == {health_pb2.HealthCheckResponse.SERVING}


def test_reflection_lists_every_service(served) -> None:
    names = ProtoReflectionDescriptorDatabase(grpc.insecure_channel(served[4])).get_services()
    assert set(SERVICES) <= set(names)
    assert "grpc.health.v1.Health" in names


def test_a_port_in_use_is_refused(served) -> None:
    settings = ServeSettings(grpc_listen=served[4])
    with pytest.raises(ListenError, match=r"serve\.grpc_listen"):
        GrpcServer(settings, SmallHub(), Fanout(1, 1), Metrics("x"), redact).start()


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
    tokens = tmp_path / "tokens"
    tokens.write_text("# who may call\nfirst-token-0123456789\nsecond-token-0123456789  # the platform\n")
    settings = ServeSettings(
        grpc_listen="127.0.0.1:0", tls_cert_file=str(cert), tls_key_file=str(key), tokens_file=str(tokens)
    )
    server = GrpcServer(settings, SmallHub(), Fanout(1, 1), Metrics("x"), redact)
    address = server.start()
    try:
        with PatrolClient(address, token="second-token-0123456789", ca=cert.read_bytes()) as client:
            assert client.status().version == "v"
        for token in ("", "wrong-token-0123456789"):
            with (
                PatrolClient(address, token=token, ca=cert.read_bytes()) as client,
                pytest.raises(CallError, match="tokens_file") as caught,
            ):
                client.status()
            assert caught.value.status == "UNAUTHENTICATED"
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(cert.read_bytes()))
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        with PatrolClient(address, timeout_s=2) as client, pytest.raises(CallError):
            client.status()
    finally:
        server.stop(0.5)


def test_short_tokens_and_absent_files_are_refused(tmp_path: Path) -> None:
    weak = tmp_path / "tokens"
    weak.write_text("short\n")
    for settings in (
        ServeSettings(grpc_listen="127.0.0.1:0", tokens_file=str(weak)),
        ServeSettings(grpc_listen="127.0.0.1:0", tokens_file=str(tmp_path / "absent")),
        ServeSettings(grpc_listen="127.0.0.1:0", tls_cert_file=str(tmp_path / "a"), tls_key_file=str(tmp_path / "b")),
    ):
        with pytest.raises(ConfigError, match=r"serve\."):
            GrpcServer(settings, SmallHub(), Fanout(1, 1), Metrics("x"), redact).start()


def test_a_client_without_a_server_is_told_what_to_do() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with PatrolClient(address, timeout_s=3) as client, pytest.raises(CallError, match="start `patrol run`"):
            client.status()


def test_the_scrape_parses_and_names_follow_the_conventions(served) -> None:
    _, _, metrics, _, _, client = served
    client.status()
    metrics.visit_ended("rtsp", "keyframe")
    metrics.stage("decode", 0.01)
    metrics.cameras({("ok", "130102"): 2, ("fault", ""): 1})
    address = metrics.serve("127.0.0.1:0")
    with urllib.request.urlopen(f"http://{address}/metrics") as reply:
        families = list(text_string_to_metric_families(reply.read().decode()))
    metrics.close()
    ours = [one for one in families if one.name.startswith("patrol_")]
    for family in ours:
        assert family.documentation, family.name
        assert not family.name.endswith(("_ms", "_ns", "_kb")), family.name
        for sample in family.samples:
            assert "camera" not in sample.labels
            assert "camera_id" not in sample.labels
    samples = {(s.name, frozenset(s.labels.values())): s.value for f in ours for s in f.samples}
    assert samples["patrol_rpc_seconds_count", frozenset({"/Engine/GetStatus", "OK"})] == 1
    assert samples["patrol_cameras", frozenset({"ok", "130102"})] == 2


def test_regions_beyond_the_bound_share_one_label() -> None:
    metrics = Metrics("x")
    metrics.cameras({("ok", f"{n:06}"): 1 for n in range(700)})
    lines = [line for line in metrics.render().decode().splitlines() if line.startswith("patrol_cameras{")]
    assert len(lines) == 501
    assert 'patrol_cameras{region="other",state="ok"} 200.0' in lines


def test_more_bad_rows_than_a_header_holds_are_cut_and_counted(served) -> None:
    client = served[5]
    with pytest.raises(CallError) as caught:
        client.import_cameras([Camera(f"x{n}", f"gopher://第一中学食堂/{n}") for n in range(500)])
    assert caught.value.status == "INVALID_ARGUMENT"
    assert str(caught.value).endswith("(and 499 more)")
    *named, last = caught.value.violations
    assert [field for field, _ in named] == [f"cameras[{n}].url" for n in range(len(named))]
    assert len(named) > 10
    assert last[1].startswith("and ")
