"""A scan of one's own listeners, each with what protects it: gRPC, the HTTP gateway, metrics and the intake.

Whoever has no right gets nothing; each attempt is in the audit log and in a metric.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
import zmq
import zmq.auth
from google.protobuf import empty_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from engine.client import PatrolClient
from engine.clock import NS_PER_S, wall_ns
from engine.config.intake import GatewaySettings, IntakeSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.feed import wire
from engine.model.access import AuditEntry, Role, TokenOrder
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from patrol.v1 import cameras_pb2, cameras_pb2_grpc
from tests.support.certificates import certificate
from tests.support.feed.clips import encode, scene
from tests.support.live_engine import fast_scheduler, settings
from tests.support.waiting import wait_until

HERE, THERE = "130102", "130203"
SECRET_CAMERA, SECRET_NAME = "theirs", "a name that nobody must read"
PASSWORD = "m" * 40
REQUEST = cameras_pb2.GetCameraRequest(name=f"cameras/{SECRET_CAMERA}")
PICTURE = encode(Codec.H264, [scene(640, 360)])[0]

Samples = dict[str, float]


class Tokens(NamedTuple):
    admin: str
    county: str
    """A viewer of THERE; the camera is HERE."""
    expired: str
    revoked: str
    wrong: str = "kp_wrong"
    none: str = ""


class Engine:
    """An engine whose every listener is protected, as on a public address."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.pem, _ = certificate(folder)
        self.keys = folder / "clients"
        self.keys.mkdir()
        secrets = folder / "secrets"
        secrets.mkdir()
        public_file, secret_file = zmq.auth.create_certificates(secrets, "server")
        self.server_key = zmq.auth.load_certificate(public_file)[0]
        self.known = self._pair(secrets, "county")
        self.unknown = self._pair(secrets, "stranger")
        (secrets / "county.key").rename(self.keys / "county.key")
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        self.tokens = self._tokens(folder)
        tls = {"tls_cert_file": str(self.pem), "tls_key_file": str(folder / "key.pem")}
        chosen = settings(
            folder,
            scheduler=fast_scheduler(key_period_s=600, ordinary_period_s=600),
            serve=ServeSettings.model_validate(
                {
                    "grpc_listen": "127.0.0.1:0",
                    "metrics_listen": "127.0.0.1:0",
                    "metrics_password_file": str(folder / "password"),
                    **tls,
                    **{f"metrics_{key}": value for key, value in tls.items()},
                }
            ),
            web=WebSettings.model_validate({"listen": "127.0.0.1:0", **tls}),
            intake=IntakeSettings(
                listen="tcp://127.0.0.1:0",
                curve_secret_file=secret_file,
                curve_clients_dir=str(self.keys),
                gateways=(GatewaySettings(name="county", regions=(THERE,)),),
            ),
        )
        self.engine = stack.enter_context(Supervisor(chosen))
        self.context = stack.enter_context(zmq.Context())
        self.pushers: list[zmq.Socket[bytes]] = []
        self.at = self.engine.addresses
        self.admin = stack.enter_context(
            PatrolClient(self.at["grpc"], token=self.tokens.admin, ca=self.pem.read_bytes(), timeout_s=20)
        )
        self.admin.import_cameras(
            [
                Camera(SECRET_CAMERA, "", push=True, region=HERE, name=SECRET_NAME),
                Camera("ours", "", push=True, region=THERE),
            ]
        )

    def _pair(self, folder: Path, name: str) -> tuple[bytes, bytes]:
        _, secret_file = zmq.auth.create_certificates(folder, name)
        public, secret = zmq.auth.load_certificate(secret_file)
        assert secret is not None
        return public, secret

    def _tokens(self, folder: Path) -> Tokens:
        store = Store.open(f"sqlite:///{folder}/patrol.db")
        access, now_ns = store.access, wall_ns()

        def make(name: str, role: Role, region: str = "", expires_ns: int = 0) -> str:
            return access.create_token(TokenOrder(name, role, region, expires_ns), "test", now_ns - 10 * NS_PER_S)[1]

        made = Tokens(
            make("admin", Role.ADMIN), make(f"{THERE}-county", Role.VIEWER, THERE),
            make("expired", Role.ADMIN, expires_ns=now_ns - NS_PER_S), make("revoked", Role.ADMIN),
        )  # fmt: skip
        token = next(token for token in access.tokens() if token.name == "revoked")
        access.revoke_token(token.token_id, now_ns)
        store.close()
        return made

    def channel(self) -> grpc.Channel:
        return grpc.secure_channel(self.at["grpc"], grpc.ssl_channel_credentials(self.pem.read_bytes()))

    def http(self, token: str = "") -> httpx.Client:
        headers = {"X-Forwarded-For": "10.0.0.1"} | ({"Authorization": f"Bearer {token}"} if token else {})
        context = ssl.create_default_context(cafile=self.pem)
        return httpx.Client(base_url=f"https://{self.at['web']}", headers=headers, verify=context, timeout=20)

    def scrape(self, authorization: str = f"Bearer {PASSWORD}", at: str = "metrics") -> httpx.Response:
        headers = {"Authorization": authorization} if authorization else {}
        context = ssl.create_default_context(cafile=self.pem)
        return httpx.get(f"https://{self.at[at]}/metrics", headers=headers, verify=context, timeout=20)

    def samples(self) -> Samples:
        """Every counter of what is refused, by name and label."""
        found: Samples = {}
        for at in ("metrics", "web"):
            for family in text_string_to_metric_families(self.scrape(at=at).text):
                for sample in family.samples:
                    found[" ".join((sample.name, *sample.labels.values()))] = sample.value
        return found

    def pusher(self, pair: tuple[bytes, bytes] | None, server_key: bytes = b"") -> "zmq.Socket[bytes]":
        pushes = self.context.socket(zmq.PUSH)
        pushes.setsockopt(zmq.LINGER, 0)
        pushes.setsockopt(zmq.RECONNECT_IVL, 1000)
        if pair is not None:
            pushes.curve_publickey, pushes.curve_secretkey = pair
            pushes.curve_serverkey = server_key or self.server_key
        pushes.connect(self.at["intake"])
        return pushes


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with ExitStack() as stack:
        yield Engine(tmp_path_factory.mktemp("scan"), stack)


class Attempt(NamedTuple):
    """`make`: tries, and returns what it got. The rest: how the attempt shows in the audit log and the metrics.

    `metric`: its name, with the value of its label if that is not the reason.
    """

    name: str
    make: Callable[[Engine], object]
    method: str
    reason: str
    metric: str
    actor: str = "anonymous"
    peer: str = "ipv4:127.0.0.1"

    @property
    def series(self) -> str:
        return f"{self.metric} {self.reason}" if self.metric in (REFUSED, SCRAPES, DROPPED) else self.metric


def by_grpc(token: str) -> Callable[[Engine], str]:
    def attempt(engine: Engine) -> str:
        metadata = (("authorization", f"Bearer {getattr(engine.tokens, token)}"),) if token != "none" else ()
        with engine.channel() as channel:
            cameras: Any = cameras_pb2_grpc.CameraServiceStub(channel)
            with pytest.raises(grpc.RpcError) as error:
                cameras.GetCamera(REQUEST, metadata=metadata, timeout=20)
        assert error.value.code().name in ("UNAUTHENTICATED", "NOT_FOUND")
        return str(error.value)

    return attempt


def by_http(token: str) -> Callable[[Engine], str]:
    def attempt(engine: Engine) -> str:
        with engine.http(getattr(engine.tokens, token)) as http:
            reply = http.get(f"/v1/cameras/{SECRET_CAMERA}")
        assert reply.status_code in (401, 404)
        return reply.text

    return attempt


def reflection(engine: Engine) -> str:
    request = reflection_pb2.ServerReflectionRequest(list_services="*")
    with engine.channel() as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            next(stub.ServerReflectionInfo(iter([request]), timeout=20))
    return str(error.value)


def plain_grpc(engine: Engine) -> str:
    with grpc.insecure_channel(engine.at["grpc"]) as channel:
        cameras: Any = cameras_pb2_grpc.CameraServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            cameras.GetCamera(REQUEST, timeout=20)
    return str(error.value)


def plain_http(listener: str, path: str) -> Callable[[Engine], bytes]:
    def attempt(engine: Engine) -> bytes:
        host, port = engine.at[listener].rsplit(":", 1)
        answer = b""
        with socket.create_connection((host, int(port)), timeout=20) as caller:
            caller.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            with contextlib.suppress(OSError):
                while piece := caller.recv(4096):
                    answer += piece
        return answer

    return attempt


def scrape(authorization: str, at: str) -> Callable[[Engine], str]:
    def attempt(engine: Engine) -> str:
        reply = engine.scrape(authorization, at)
        assert reply.status_code == 401
        return reply.text

    return attempt


def push(pair: str, camera_id: str = "ours", server_key: str = "") -> Callable[[Engine], None]:
    """Push until the engine has noticed; libzmq does not tell a gateway what became of a push."""

    def attempt(engine: Engine) -> None:
        wrong = zmq.curve_keypair()[0] if server_key else b""
        pushes = engine.pusher(getattr(engine, pair) if pair else None, wrong)
        keyframe = Keyframe(camera_id, 0, Codec.H264, PICTURE, 0, None, FeedKind.GATEWAY)
        engine.pushers.append(pushes)  # closed with the engine: a socket that is closed at once sends nothing
        with contextlib.suppress(zmq.Again):
            for _ in range(3):
                pushes.send_multipart(wire.pack_keyframe(keyframe), zmq.NOBLOCK)

    return attempt


CALL, REFUSED = "CameraService/GetCamera", "patrol_calls_refused_total"
FAILED = "patrol_handshakes_failed_total"
HTTP = "ipv4:127.0.0.1"
"""The address of a caller over HTTP is that of the caller, not of the gateway."""
SCRAPE, SCRAPES = "Metrics/Scrape", "patrol_scrapes_refused_total"
CONNECT, PUSH, DROPPED = "Intake/Connect", "Intake/Push", "patrol_intake_dropped_frames_total"
WEB_FAILED, WEB_SCRAPES = "patrol_web_handshakes_failed_total", "patrol_web_request_seconds_count /metrics 401"
NO_METRICS_TLS, NO_CURVE = f"{FAILED} metrics", f"{FAILED} intake"
COUNTY, GATEWAY = f"{THERE}-county", "gateway county"
CAMERA_PATH = f"/v1/cameras/{SECRET_CAMERA}"
ATTEMPTS = (
    Attempt("gRPC, no token", by_grpc("none"), CALL, "token_missing", REFUSED),
    Attempt("gRPC, wrong token", by_grpc("wrong"), CALL, "token_invalid", REFUSED),
    Attempt("gRPC, expired token", by_grpc("expired"), CALL, "token_ended", REFUSED, "expired"),
    Attempt("gRPC, revoked token", by_grpc("revoked"), CALL, "token_ended", REFUSED, "revoked"),
    Attempt("gRPC, another region", by_grpc("county"), CALL, "not_in_region", REFUSED, COUNTY),
    Attempt("gRPC, reflection", reflection, "grpc.reflection", "token_missing", REFUSED),
    Attempt("gRPC, plain text", plain_grpc, "Grpc/Connect", "handshake", f"{FAILED} grpc", peer=""),
    Attempt("HTTP, no token", by_http("none"), CALL, "token_missing", REFUSED, peer=HTTP),
    Attempt("HTTP, wrong token", by_http("wrong"), CALL, "token_invalid", REFUSED, peer=HTTP),
    Attempt("HTTP, expired token", by_http("expired"), CALL, "token_ended", REFUSED, "expired", HTTP),
    Attempt("HTTP, revoked token", by_http("revoked"), CALL, "token_ended", REFUSED, "revoked", HTTP),
    Attempt("HTTP, another region", by_http("county"), CALL, "not_in_region", REFUSED, COUNTY, HTTP),
    Attempt("HTTP, plain text", plain_http("web", CAMERA_PATH), "Web/Connect", "handshake", WEB_FAILED),
    Attempt("HTTP, metrics", scrape("", "web"), SCRAPE, "password_missing", WEB_SCRAPES),
    Attempt("metrics, no password", scrape("", "metrics"), SCRAPE, "password_missing", SCRAPES),
    Attempt("metrics, wrong password", scrape("Bearer " + "n" * 40, "metrics"), SCRAPE, "password_wrong", SCRAPES),
    Attempt("metrics, plain text", plain_http("metrics", "/metrics"), "Metrics/Connect", "handshake", NO_METRICS_TLS),
    Attempt("intake, plain text", push(""), CONNECT, "handshake", NO_CURVE, peer=""),
    Attempt("intake, unknown key", push("unknown"), CONNECT, "unknown_key", "patrol_gateways_refused_total"),
    Attempt("intake, another server's key", push("known", "ours", "no"), CONNECT, "handshake", NO_CURVE, peer=""),
    Attempt("intake, another's camera", push("known", SECRET_CAMERA), PUSH, "out_of_scope", DROPPED, GATEWAY, ""),
    Attempt("intake, no such camera", push("known", "nobody"), PUSH, "unknown_camera", DROPPED, GATEWAY, ""),
)  # fmt: skip


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_an_attempt_gets_nothing_and_is_in_the_audit_log_and_a_metric(engine: Engine, attempt: Attempt) -> None:
    before = engine.samples().get(attempt.series, 0.0)
    got = attempt.make(engine)
    for secret in (SECRET_NAME, "patrol_build_info", "patrol_web_calls", "PatrolService"):
        assert secret not in str(got)
    wait_until(lambda: engine.samples().get(attempt.series, 0.0) > before)
    wait_until(lambda: [entry for entry in engine.admin.access.audit_entries() if shows(entry, attempt)], 30)


def shows(entry: AuditEntry, attempt: Attempt) -> bool:
    return (
        entry.method.startswith(attempt.method)
        and f"({attempt.reason})" in entry.resource
        and entry.actor.name == attempt.actor
        and entry.peer.startswith(attempt.peer)
    )


def test_the_keys_of_the_right_callers_open_every_listener(engine: Engine) -> None:
    """Otherwise the scan would prove nothing."""
    assert engine.admin.camera(SECRET_CAMERA).camera.name == SECRET_NAME
    with engine.http(engine.tokens.admin) as http:
        assert SECRET_NAME in http.get(f"/v1/cameras/{SECRET_CAMERA}").text
        assert http.get("/healthz").status_code == 200
    assert "patrol_build_info" in engine.scrape().text
    push("known", "ours")(engine)
    wait_until(lambda: engine.samples()["patrol_checks_total ok"] + engine.samples()["patrol_checks_total unknown"] > 0)


def test_a_flood_of_refused_pushes_is_a_few_lines(engine: Engine) -> None:
    pushes = engine.pusher(engine.known)
    keyframe = Keyframe(SECRET_CAMERA, 0, Codec.H264, PICTURE, 0, None, FeedKind.GATEWAY)
    metric = "patrol_intake_dropped_frames_total out_of_scope"
    before = engine.samples()[metric]
    for _ in range(500):
        pushes.send_multipart(wire.pack_keyframe(keyframe))
    wait_until(lambda: engine.samples()[metric] >= before + 500)
    pushes.close()
    told = [entry for entry in engine.admin.access.audit_entries() if "(out_of_scope)" in entry.resource]
    assert 1 <= len(told) <= 4
    assert told[-1].resource == f"cameras/{SECRET_CAMERA} (out_of_scope)"


def test_an_unknown_method_is_answered_alike_whoever_asks(engine: Engine) -> None:
    with engine.channel() as channel:
        ask = channel.unary_unary("/x.Y/Z", empty_pb2.Empty.SerializeToString, empty_pb2.Empty.FromString)
        with pytest.raises(grpc.RpcError) as error:
            ask(empty_pb2.Empty(), timeout=20)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
