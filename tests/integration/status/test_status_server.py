"""/healthz, /readyz and /metrics over real HTTP."""

import contextlib
import gzip
import http.client
import socket
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.errors import ListenError
from engine.metrics import Metrics
from engine.metrics.status_server import StatusServer

Reply = tuple[int, dict[str, str], bytes]


class Listener:
    """A listener with requests to it. `reasons`: why it says that it is not ready."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self._server = StatusServer(Metrics("x").wsgi_app(), lambda: self.reasons)
        self.address = self._server.start("127.0.0.1:0")

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with contextlib.closing(Listener()) as listener:
        yield listener


@pytest.fixture(autouse=True)
def _ready(listener: Listener) -> None:
    listener.reasons = []


def test_a_process_that_lives_is_healthy_even_when_it_is_not_ready(listener: Listener) -> None:
    listener.reasons = ["no worker is ready"]
    status, headers, body = listener.ask("/healthz")
    assert (status, body) == (200, b"ok\n")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["content-length"] == "3"


def test_who_is_not_ready_says_each_reason_on_a_line(listener: Listener) -> None:
    assert listener.ask("/readyz")[::2] == (200, b"ok\n")
    listener.reasons = ["no worker is ready", "the database does not take writes"]
    status, headers, body = listener.ask("/readyz")
    assert status == 503
    assert body.decode().splitlines() == listener.reasons
    assert headers["cache-control"] == "no-store"


def test_a_scrape_is_prometheus_text_unless_open_metrics_is_asked_for(listener: Listener) -> None:
    status, headers, body = listener.ask("/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    assert int(headers["content-length"]) == len(body)
    assert any(family.name == "patrol_visits" for family in text_string_to_metric_families(body.decode()))
    _, headers, body = listener.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


def test_a_scrape_is_compressed_for_those_who_take_that(listener: Listener) -> None:
    _, headers, body = listener.ask("/metrics", **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert int(headers["content-length"]) == len(body)
    assert b"patrol_build_info" in gzip.decompress(body)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_head_answers_as_get_does_without_the_body(listener: Listener, path: str) -> None:
    status, headers, body = listener.ask(path, "HEAD")
    assert (status, body) == (200, b"")
    assert headers["content-type"].startswith("text/plain")
    assert int(headers["content-length"]) >= 3


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/favicon.ico", "/healthz/x", "/sd"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_there_is_nothing_else(listener: Listener, path: str, method: str) -> None:
    assert listener.ask(path, method)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_a_method_that_is_not_allowed_is_told_which_are(listener: Listener, method: str) -> None:
    status, headers, _ = listener.ask("/metrics", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_a_port_in_use_is_named_with_its_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError, match=f"serve.metrics_listen = '{address}'"):
            StatusServer(Metrics("x").wsgi_app(), list).start(address)
