"""Callers whom the gateway refuses by itself are in the engine's audit log, with their address and in few lines."""

import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engine.config.serve import ServeSettings
from engine.model.access import REFUSED_METADATA, AuditEntry, AuditQuery
from engine.storage.db.store import Store
from tests.support.certificates import certificate
from tests.support.connections import is_open, opened
from tests.support.serve.served import FakeHub, serving
from tests.support.waiting import wait_until
from tests.support.web.gateway import gateway

ATTEMPTS = 60


def entries(store: Store) -> list[AuditEntry]:
    return list(store.access.entries(AuditQuery(page_size=1000))[::-1])


def attempt(address: str) -> bytes:
    """Send plain text to a TLS listener; return what it answers."""
    host, port = address.rsplit(":", 1)
    answer = b""
    with socket.create_connection((host, int(port)), timeout=20) as caller:
        caller.sendall(b"GET /v1/cameras HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(OSError):
            while piece := caller.recv(4096):
                answer += piece
    return answer


def test_a_flood_of_plain_text_is_a_few_lines_and_keeps_nobody_away(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path)
    tls: dict[str, Any] = {"tls_cert_file": str(pem), "tls_key_file": str(tmp_path / "key.pem")}
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    with serving(tmp_path, hub=FakeHub(store), own_socket=tmp_path / "api") as served:
        with gateway(f"unix:{tmp_path / 'api'}", **tls) as address, opened(address, 100):
            assert not any(b"HTTP/1.1 2" in attempt(address) for _ in range(ATTEMPTS))
            with httpx.Client(verify=ssl.create_default_context(cafile=pem), timeout=20) as http:
                metric = "patrol_web_handshakes_failed_total"
                shown = wait_until(lambda: http.get(f"https://{address}/metrics").text)
                assert f"{metric} {float(ATTEMPTS)}" in shown
            wait_until(lambda: entries(store))
        served.server.stop(0.5)
        told = entries(store)
    store.close()
    assert {entry.method for entry in told} == {"Web/Connect"}
    assert {entry.peer for entry in told} == {"ipv4:127.0.0.1"}
    assert told[0].resource == "(handshake)"
    assert len(told) <= 2


def test_silent_connections_in_the_handshake_make_room(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path)
    tls: dict[str, Any] = {"tls_cert_file": str(pem), "tls_key_file": str(tmp_path / "key.pem")}
    with (
        serving(tmp_path) as served,
        gateway(served.address, connections_max=20, **tls) as address,
        opened(address, 200) as silent,
    ):
        with httpx.Client(verify=ssl.create_default_context(cafile=pem), timeout=20) as http:
            assert http.get(f"https://{address}/healthz").status_code == 200
        wait_until(lambda: sum(map(is_open, silent)) <= 20)


def test_scrapes_without_the_password_are_told(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p" * 40, encoding="utf-8")
    settings = ServeSettings(metrics_password_file=str(tmp_path / "password"))
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    with serving(tmp_path, hub=FakeHub(store), own_socket=tmp_path / "api") as served:
        with gateway(f"unix:{tmp_path / 'api'}", serve=settings) as address, httpx.Client() as http:
            assert http.get(f"http://{address}/metrics").status_code == 401
            wrong = {"Authorization": f"Bearer {'q' * 40}"}
            assert http.get(f"http://{address}/metrics", headers=wrong).status_code == 401
            wait_until(lambda: len(entries(store)) == 2)
        served.server.stop(0.5)
        told = {(entry.method, entry.resource, entry.peer) for entry in entries(store)}
    store.close()
    assert told == {
        ("Metrics/Scrape", "(password_missing)", "ipv4:127.0.0.1"),
        ("Metrics/Scrape", "(password_wrong)", "ipv4:127.0.0.1"),
    }


def test_only_the_gateway_is_believed_about_whom_it_refused(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    own = tmp_path / "api"
    with serving(tmp_path, hub=FakeHub(store), own_socket=own) as served:
        for address, told in ((served.address, "3 handshake 10.0.0.1"), (f"unix:{own}", "3 handshake 10.0.0.2")):
            with grpc.insecure_channel(address) as channel:
                health: Any = health_pb2_grpc.HealthStub(channel)
                health.Check(health_pb2.HealthCheckRequest(), metadata=((REFUSED_METADATA, told),))
        served.server.stop(0.5)
        peers = [entry.peer for entry in entries(store)]
    store.close()
    assert peers == ["ipv4:10.0.0.2"] * 2, "the first and the number of the others"
