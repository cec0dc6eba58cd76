"""Alerts about who calls and pushes, what ends soon, and a configuration that is refused."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq
import zmq.auth

from engine.client import CallError, PatrolClient
from engine.clock import NS_PER_S, wall_ns
from engine.config.intake import GatewaySettings, IntakeSettings
from engine.config.serve import ServeSettings
from engine.feed import wire
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.certificates import certificate
from tests.support.feed.clips import encode, scene
from tests.support.live_engine import fast_scheduler, settings
from tests.support.prometheus import Prometheus, prometheus, shows

PICTURE = encode(Codec.H264, [scene(128, 96)])[0]
GATEWAY, STRANGER = "county", "stranger"
CALLS_A_TRY = 60

pytestmark = pytest.mark.timeout(300)


@dataclass
class Site:
    """An engine with TLS, a token that ends soon, and one gateway that may push; and keys of gateways."""

    folder: Path
    engine: Supervisor
    ca: bytes
    token: str
    context: "zmq.Context[zmq.Socket[bytes]]"
    prometheus: Prometheus

    def gateway(self, name: str) -> "zmq.Socket[bytes]":
        """Connect to the intake with the key of this name."""
        socket = self.context.socket(zmq.PUSH)
        socket.setsockopt(zmq.LINGER, 0)
        secret_file = self.folder / "secrets" / f"{name}.key_secret"
        socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(secret_file)
        socket.curve_serverkey = zmq.auth.load_certificate(self.folder / "secrets" / "server.key")[0]
        socket.connect(self.engine.addresses["intake"])
        return socket


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("access")
    keys, secrets = folder / "clients", folder / "secrets"
    keys.mkdir()
    secrets.mkdir()
    _, server_secret = zmq.auth.create_certificates(secrets, "server")
    for name in (GATEWAY, STRANGER):
        zmq.auth.create_certificates(secrets, name)
    (secrets / f"{GATEWAY}.key").rename(keys / f"{GATEWAY}.key")
    pem, _ = certificate(folder)
    chosen = settings(
        folder,
        scheduler=fast_scheduler(key_period_s=600, ordinary_period_s=600),
        intake=IntakeSettings(
            listen="tcp://127.0.0.1:0",
            curve_secret_file=server_secret,
            curve_clients_dir=str(keys),
            gateways=(GatewaySettings(name=GATEWAY, regions=("130102",)),),
        ),
        serve=ServeSettings(
            grpc_listen="127.0.0.1:0",
            metrics_listen="127.0.0.1:0",
            tls_cert_file=str(pem),
            tls_key_file=str(folder / "key.pem"),
        ),
    )
    store = Store.open(chosen.record.url)
    order = TokenOrder("operator", Role.ADMIN, "", wall_ns() + 3 * 86_400 * NS_PER_S)
    _, token = store.access.create_token(order, "test", wall_ns())
    store.registry.upsert([Camera("foreign", "", push=True, region="130203")])
    store.close()
    with ExitStack() as stack:
        engine = stack.enter_context(Supervisor(chosen))
        seen = stack.enter_context(prometheus(folder, [engine.addresses["metrics"]]))
        yield Site(folder, engine, pem.read_bytes(), token, stack.enter_context(zmq.Context()), seen)


@shows("PatrolCertificateExpires", "PatrolTokenExpires")
def test_what_ends_soon(site: Site) -> None:
    site.prometheus.wait_firing("PatrolCertificateExpires", "PatrolTokenExpires")


@shows("PatrolCallsRefused")
def test_somebody_tries_tokens(site: Site) -> None:
    site.prometheus.wait_silent("PatrolCallsRefused")
    with PatrolClient(site.engine.addresses["grpc"], token="kp_guessed", ca=site.ca) as client:

        def guess() -> None:
            for _ in range(CALLS_A_TRY):
                with pytest.raises(CallError, match="token"):
                    client.status()

        site.prometheus.wait_firing("PatrolCallsRefused", inject=guess)


@shows("PatrolGatewaysRefused")
def test_somebody_connects_with_an_unknown_key(site: Site) -> None:
    site.prometheus.wait_silent("PatrolGatewaysRefused")
    with site.gateway(STRANGER):
        site.prometheus.wait_firing("PatrolGatewaysRefused")


@shows("PatrolPushesRefused")
def test_a_gateway_pushes_for_a_camera_of_another_region(site: Site) -> None:
    site.prometheus.wait_silent("PatrolPushesRefused")
    keyframe = wire.pack_keyframe(Keyframe("foreign", 0, Codec.H264, PICTURE, 0, None, FeedKind.GATEWAY))
    with site.gateway(GATEWAY) as socket:

        def push() -> None:
            with suppress(zmq.Again):
                socket.send_multipart(keyframe, zmq.NOBLOCK)

        site.prometheus.wait_firing("PatrolPushesRefused", inject=push)


@shows("PatrolConfigStale")
def test_a_reload_that_is_refused(site: Site) -> None:
    site.prometheus.wait_silent("PatrolConfigStale")
    file = site.folder / "patrol.toml"
    file.write_text("[nonsense]\nkey = 1\n")
    site.engine.reload(file)
    site.prometheus.wait_firing("PatrolConfigStale")
