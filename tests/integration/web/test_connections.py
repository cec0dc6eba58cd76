"""The gateway under callers who open connections and send nothing, or a byte now and then."""

import contextlib
import time
from pathlib import Path

import httpx
import pytest

from engine.web import connections as module
from tests.support.connections import is_open, opened
from tests.support.serve.served import county_cameras, serving
from tests.support.waiting import wait_until
from tests.support.web.gateway import gateway


def test_silent_connections_make_room_for_those_that_ask(tmp_path: Path) -> None:
    with serving(tmp_path) as served, gateway(served.address, connections_max=20) as address:
        served.hub.put(*county_cameras(2))
        with opened(address, 100) as silent, httpx.Client() as http:
            assert [http.get(f"http://{address}/v1/cameras").status_code for _ in range(5)] == [200] * 5
            wait_until(lambda: sum(map(is_open, silent)) <= 20)
            lines = http.get(f"http://{address}/metrics").text.splitlines()
            (refused,) = [line for line in lines if line.startswith('patrol_web_refused_total{kind="connections"}')]
            assert float(refused.rpartition(" ")[2]) >= 80


@pytest.mark.parametrize("begins", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"], ids=["first", "second"])
def test_a_request_that_comes_too_slowly_ends_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: bytes
) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.7)
    with serving(tmp_path) as served, gateway(served.address) as address, opened(address, 1) as (slow,):
        slow.settimeout(10)
        if begins:
            slow.sendall(begins)
            assert slow.recv(4096).startswith(b"HTTP/1.1 200")
        began_s = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * 200:
                slow.sendall(bytes([byte]))
                time.sleep(0.02)  # never silent for long
        assert time.monotonic() - began_s < 15
        wait_until(lambda: not is_open(slow))


def test_a_request_that_takes_longer_than_its_head_may_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.3)
    with (
        serving(tmp_path) as served,
        gateway(served.address) as address,
        httpx.stream("GET", f"http://{address}/v1/verdicts:watch") as watch,
    ):
        lines = watch.iter_lines()
        next(lines)  # the resume token
        time.sleep(0.6)  # longer than a head may take
        served.hub.put(*county_cameras(2))
        served.hub.judge("c1")
        assert "cameras/c1" in next(lines)
