"""The listener of /metrics under callers who only open connections: it answers others, in one thread."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator

import pytest

from engine.metrics import Metrics
from engine.metrics import status_server as module
from engine.metrics.status_server import CONNECTIONS_MAX, StatusServer
from tests.support.connections import is_open, opened
from tests.support.waiting import wait_until


@pytest.fixture
def address() -> Iterator[str]:
    server = StatusServer(Metrics("x").wsgi_app(), list)
    yield server.start("127.0.0.1:0")
    server.close()


def scrape(address: str) -> int:
    with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.request("GET", "/metrics")
        reply = connection.getresponse()
        assert b"patrol_build_info" in reply.read()
        return reply.status


def test_eight_hundred_silent_connections_bind_no_thread_and_keep_no_scrape_away(address: str) -> None:
    before = threading.active_count()
    with opened(address, 800) as silent:
        for connection in silent[::2]:
            with contextlib.suppress(OSError):  # it may have been closed to make room
                connection.sendall(b"GET /met")
        began_s = time.monotonic()
        assert [scrape(address) for _ in range(10)] == [200] * 10
        assert time.monotonic() - began_s < 5
        assert threading.active_count() <= before
        assert sum(map(is_open, silent)) <= CONNECTIONS_MAX


def test_a_caller_that_sends_its_request_too_slowly_is_closed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HEAD_S_MAX", 0.5)
    with opened(address, 1) as (slow,):
        began_s = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200:
                slow.sendall(bytes([byte]))
                time.sleep(0.02)  # slower than the whole may take, never silent for long
        assert time.monotonic() - began_s < 10
        wait_until(lambda: not is_open(slow))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01 no http\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000, b"431"),
    ],
)
def test_what_is_no_request_is_refused_and_closed(address: str, sent: bytes, status: bytes) -> None:
    with opened(address, 1) as (caller,):
        caller.settimeout(10)
        with contextlib.suppress(OSError):
            caller.sendall(sent)
        answer = b""
        with contextlib.suppress(OSError):
            while piece := caller.recv(4096):
                answer += piece
        assert answer == b"" or answer.split(b" ")[1] in (status, b"400"), answer
    assert scrape(address) == 200


def test_a_caller_that_does_not_read_is_closed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ANSWER_S_MAX", 0.5)
    with opened(address, 80) as callers:
        for caller in callers:
            with contextlib.suppress(OSError):
                caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert scrape(address) == 200
