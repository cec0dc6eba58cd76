"""Where our own code breaks in a visit, the visit still ends, as internal. The break is planted: none is known."""

import asyncio
import json
import subprocess
import sys
from typing import Any, NoReturn

import pytest

from engine.config.feed import FeedSettings
from engine.feed.demuxing import pool as demux
from engine.feed.demuxing.pool import DemuxPool, VisitOutcome, fetch_now
from engine.feed.rtsp import sdp, session
from engine.feed.visit import visit
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.integration.feed.test_visit import peer
from tests.support.command_line import patrol
from tests.support.feed.rtsp_peers import rtsp_peers
from tests.support.waiting import wait_until


def broken(*_: Any, **__: Any) -> NoReturn:
    raise LookupError("planted")


def order(url: str, via: FeedKind) -> VisitOrder:
    return VisitOrder(7, "cam", url, 10_000_000_000, via)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (sdp, "parse"),  # while bytes are received
        (session.Session, "begin"),  # while the connection is made
        (session.Session, "teardown"),  # while everything is closed
        (session.Session, "__init__"),  # before there is a connection
    ],
)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_rtsp_visit_ends_as_internal(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, loop: str) -> None:
    factory = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    monkeypatch.setattr(owner, name, broken)
    with rtsp_peers() as port, asyncio.Runner(loop_factory=factory) as runner:
        end = runner.run(visit(order(f"rtsp://127.0.0.1:{port}/good", FeedKind.RTSP), FeedSettings()))
    assert isinstance(end, VisitFailure)
    assert (end.camera_id, end.visit_id, end.reason) == ("cam", 7, FailureReason.INTERNAL)
    assert "LookupError at" in end.detail


def test_a_visit_through_ffmpeg_ends_as_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demux, "demux_visit", broken)
    checked = fetch_now("http://127.0.0.1:9/1", FeedSettings(), 5_000_000_000)
    ends: list[VisitOutcome] = []
    pool = DemuxPool(FeedSettings(), ends.append)
    pool.submit(order("http://127.0.0.1:9/1", FeedKind.DEMUX))
    wait_until(lambda: ends)
    pool.close(1)
    for end in (checked, ends[0]):
        assert isinstance(end, VisitFailure)
        assert end.reason is FailureReason.INTERNAL
        assert "LookupError at" in end.detail


def test_patrol_check_shows_a_break_as_a_row_and_its_stack_on_stderr() -> None:
    script = (
        "import sys\n"
        "from engine.feed.rtsp import session\n"
        "def broken(*_): raise LookupError('planted')\n"
        "session.Session.begin = broken\n"
        "from engine.cli import main\n"
        "sys.argv = ['patrol', 'check', '--json', *sys.argv[1:]]\n"
        "main()\n"
    )
    with rtsp_peers() as port:
        command = [sys.executable, "-c", script, f"rtsp://127.0.0.1:{port}/good"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["error"]["code"]) == (2, "internal")
    assert "visit broke" in done.stderr
    assert "LookupError: planted" in done.stderr


HOSTILE = (
    (b"RTSP/1.0 454 \x1b[2J\x1b]0;owned\x07\x9b1m\r\nCSeq: 1\r\n\r\n", "protocol_error", "\\x1b[2J\\x1b]0;owned"),
    (b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://[::1/x\r\n\r\n", "protocol_error", "Invalid IPv6 URL"),
    (b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://a..b/1\r\n\r\n", "dns", "'a..b' is no name of a host"),
)
"""What a server answers, and what of it is shown."""


def test_patrol_check_shows_hostile_answers_without_escapes_and_tracebacks() -> None:
    def serve(connection: Any) -> None:
        number = int(connection.recv(4000).split(b" ")[1].rpartition(b"/")[2])
        connection.sendall(HOSTILE[number][0])
        connection.recv(4000)

    with peer(serve) as port:
        done = patrol("check", *(f"rtsp://127.0.0.1:{port}/{number}" for number in range(len(HOSTILE))), timeout_s=110)
    assert done.returncode == 2
    assert done.stdout.replace("\n", "").isprintable()
    assert "Traceback" not in done.stdout + done.stderr
    for line, (_, reason, said) in zip(done.stdout.splitlines()[1:], HOSTILE, strict=True):
        assert line.split()[1:3] == ["offline", reason]
        assert said in line
