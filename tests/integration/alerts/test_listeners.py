"""Alerts about what listeners refuse before there is a call, and about traces that reach nobody."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest

from engine.client import PatrolClient
from engine.config.intake import IntakeSettings
from engine.config.serve import ServeSettings
from engine.config.trace import TraceSettings
from engine.supervisor.app import Supervisor
from tests.support.certificates import certificate
from tests.support.live_engine import settings
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, prometheus, shows

PASSWORD = "m" * 40
GATEWAYS_MAX = 2
CONNECTIONS = 30

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]


@dataclass
class Site:
    """An engine with TLS, a password for its metrics, room for two gateways, and a collector that is not there."""

    engine: Supervisor
    ca: bytes
    prometheus: Prometheus

    def address(self, listener: str) -> tuple[str, int]:
        """Return where something listens."""
        host, _, port = self.engine.addresses[listener].rpartition("/")[2].rpartition(":")
        return host, int(port)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("listeners")
    pem, _ = certificate(folder)
    password = folder / "password"
    password.write_text(PASSWORD)
    chosen = settings(
        folder,
        intake=IntakeSettings(listen="tcp://127.0.0.1:0", connections_max=GATEWAYS_MAX),
        serve=ServeSettings(
            grpc_listen="127.0.0.1:0",
            metrics_listen="127.0.0.1:0",
            metrics_password_file=str(password),
            tls_cert_file=str(pem),
            tls_key_file=str(folder / "key.pem"),
        ),
        trace=TraceSettings(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces", call_ratio=1.0),
    )
    with ExitStack() as stack:
        engine = stack.enter_context(Supervisor(chosen))
        seen = stack.enter_context(prometheus(folder, [engine.addresses["metrics"]], PASSWORD))
        yield Site(engine, pem.read_bytes(), seen)


@shows("PatrolHandshakesFailed")
def test_callers_without_tls(site: Site) -> None:
    site.prometheus.wait_silent("PatrolHandshakesFailed")

    def call() -> None:
        for _ in range(CONNECTIONS):
            with suppress(OSError), socket.create_connection(site.address("grpc"), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                connection.recv(1)

    site.prometheus.wait_firing("PatrolHandshakesFailed", inject=call)


@shows("PatrolScrapesRefused")
def test_somebody_scrapes_without_the_password(site: Site) -> None:
    site.prometheus.wait_silent("PatrolScrapesRefused")
    host, port = site.address("metrics")

    def scrape() -> None:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5)

    site.prometheus.wait_firing("PatrolScrapesRefused", inject=scrape)


@shows("PatrolGatewaysClosed")
def test_more_connections_than_the_intake_keeps(site: Site) -> None:
    site.prometheus.wait_silent("PatrolGatewaysClosed")
    with ExitStack() as stack:

        def connect() -> None:
            for _ in range(GATEWAYS_MAX + 1):
                stack.enter_context(socket.create_connection(site.address("intake"), timeout=5))

        site.prometheus.wait_firing("PatrolGatewaysClosed", inject=connect)


@shows("PatrolSpansLost")
def test_a_collector_that_is_not_there(site: Site) -> None:
    site.prometheus.wait_silent("PatrolSpansLost")
    with PatrolClient(site.engine.addresses["grpc"], ca=site.ca) as client:
        site.prometheus.wait_firing("PatrolSpansLost", inject=client.status)
