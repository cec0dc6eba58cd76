"""Visits to real servers: gst-rtsp-server over TCP and UDP, and servers that misbehave."""

import asyncio
import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from engine.config.feed import FeedSettings
from engine.feed.packets.runs import COMPILED
from engine.feed.shared_by_visits import SharedByVisits
from engine.feed.visit import visit
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.support.expect import present
from tests.support.feed.clips import units, write_clip

SERVER = Path(__file__).with_name("gst_server.py")
PYTHON = "/usr/bin/python3"


def run(
    url: str,
    deadline_s: float = 5.0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    **changes: Any,
) -> Keyframe | VisitFailure:
    settings = FeedSettings(**{"connect_timeout_s": 1.0, **changes})
    order = VisitOrder(7, "cam", url, round(deadline_s * 1e9), FeedKind.RTSP)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(visit(order, settings, SharedByVisits(COMPILED)))  # as a feeder does


def failure_of(url: str) -> VisitFailure:
    end = run(url)
    assert isinstance(end, VisitFailure)
    return end


@pytest.fixture(scope="session")
def gst() -> None:
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode:
        pytest.skip(
            "needs gst-rtsp-server: apt-get install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good python3-gi"
        )


@contextlib.contextmanager
def gst_server(clip: Path, codec: Codec, *login: str) -> Iterator[str]:
    command = [PYTHON, str(SERVER), str(clip), codec.value, *login]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            line = present(process.stdout).readline().strip()
            assert line, present(process.stderr).read().decode()
            yield f"127.0.0.1:{int(line)}/live"
        finally:
            process.kill()


@pytest.fixture(scope="session", params=[Codec.H264, Codec.H265])
def served(
    request: pytest.FixtureRequest, gst: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Codec, str]]:
    del gst
    codec = request.param
    clip = write_clip(tmp_path_factory.mktemp("gst") / f"{codec}.mp4", codec, frames=60)
    with gst_server(clip, codec) as place:
        yield codec, f"rtsp://{place}"


def pull_with_ffmpeg(url: str) -> bytes:
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as container:
        for packet in container.demux(video=0):
            if packet.is_keyframe and packet.size:
                return bytes(packet)
    raise AssertionError("no keyframe")


@pytest.mark.gst
def test_the_keyframe_is_the_one_ffmpeg_takes_byte_for_byte(served: tuple[Codec, str]) -> None:
    codec, url = served
    ours = run(url)
    assert isinstance(ours, Keyframe), ours
    theirs = pull_with_ffmpeg(url)
    assert ours.codec is codec
    slices = [unit for unit in units(ours.payload) if is_slice(codec, unit)]
    assert slices == [unit for unit in units(theirs) if is_slice(codec, unit)]
    assert units(ours.payload)[-len(units(theirs)) :] == units(theirs)


def is_slice(codec: Codec, unit: bytes) -> bool:
    return unit[0] & 31 in (1, 5) if codec is Codec.H264 else unit[0] >> 1 & 63 < 32


@pytest.mark.gst
def test_a_visit_can_go_over_udp(served: tuple[Codec, str]) -> None:
    codec, url = served
    ours = run(url, rtsp_transport="udp")
    assert isinstance(ours, Keyframe), ours
    assert ours.codec is codec
    assert ours.timings.received_bytes > len(ours.payload)


@pytest.mark.gst
def test_uvloop_visits_alike(served: tuple[Codec, str]) -> None:
    uvloop = pytest.importorskip("uvloop")
    ours = run(served[1], loop_factory=uvloop.Loop)
    assert isinstance(ours, Keyframe), ours
    assert 0 < ours.timings.connect_ns < ours.timings.total_ns


@pytest.mark.gst
def test_a_wrong_path_is_not_found(served: tuple[Codec, str]) -> None:
    end = run(served[1].replace("/live", "/nothing"))
    assert isinstance(end, VisitFailure)
    assert end.reason is FailureReason.NOT_FOUND


@pytest.mark.gst
def test_passwords_open_and_wrong_ones_do_not(gst: None, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.mp4", Codec.H264, frames=60)
    with gst_server(clip, Codec.H264, "admin", "p@ss:word") as place:
        assert isinstance(run(f"rtsp://admin:p%40ss%3Aword@{place}"), Keyframe)
        wrong = run(f"rtsp://admin:guess@{place}")
        assert isinstance(wrong, VisitFailure)
        assert wrong.reason is FailureReason.UNAUTHORIZED
        assert "guess" not in wrong.detail
        assert failure_of(f"rtsp://{place}").reason is FailureReason.UNAUTHORIZED


Behaviour = Callable[[socket.socket], object]
"""What a server does with a connection."""


@contextlib.contextmanager
def peer(behave: Behaviour) -> Iterator[int]:
    """A TCP server that does with each connection what the test says."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                behave(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


def silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def drip(connection: socket.socket) -> None:
    for byte in b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n" * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def never_a_keyframe(connection: socket.socket) -> None:
    body = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"
    connection.recv(1000)
    connection.sendall(f"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    for sequence in (2, 3):
        connection.recv(1000)
        connection.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nSession: 1\r\n\r\n".encode())
    for sequence in range(1000):
        packet = bytes([0x80, 0xE0]) + sequence.to_bytes(2, "big") + (sequence * 90).to_bytes(4, "big") + bytes(4)
        packet += b"\x41\x9a" + bytes(200)
        connection.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (silent, FailureReason.TIMEOUT_CONNECT),
        (drip, FailureReason.TIMEOUT_CONNECT),
        (never_a_keyframe, FailureReason.TIMEOUT_KEYFRAME),
        (lambda c: None, FailureReason.PROTOCOL_ERROR),
        (lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 9), FailureReason.PROTOCOL_ERROR),
    ],
)
def test_a_server_that_misbehaves_ends_within_the_deadline(behave: Behaviour, reason: FailureReason) -> None:
    with peer(behave) as port:
        began = time.monotonic()
        end = run(f"rtsp://u:secret@127.0.0.1:{port}/1", deadline_s=1.0)
        assert time.monotonic() - began < 2.0
    assert isinstance(end, VisitFailure)
    assert end.reason is reason, end
    assert "secret" not in end.detail


def test_a_visit_that_times_out_reports_what_it_received() -> None:
    sent: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        request = connection.recv(1000)
        if b"/again" in request:
            body = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            sent.append(f"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        else:
            sent.append(b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: /again\r\n\r\n")
        connection.sendall(sent[-1])
        silent(connection)

    with peer(behave) as port:
        end = run(f"rtsp://127.0.0.1:{port}/1", deadline_s=0.5)
    assert isinstance(end, VisitFailure)
    assert end.reason is FailureReason.TIMEOUT_KEYFRAME
    assert len(sent) == 2
    assert end.timings.received_bytes == sum(map(len, sent))


def test_a_visit_that_times_out_in_the_middle_of_a_response_reports_what_it_received() -> None:
    sent = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"

    def behave(connection: socket.socket) -> None:
        connection.sendall(sent)
        silent(connection)

    with peer(behave) as port:
        end = run(f"rtsp://127.0.0.1:{port}/1", deadline_s=0.5)
    assert isinstance(end, VisitFailure)
    assert end.reason is FailureReason.TIMEOUT_CONNECT
    assert end.timings.received_bytes == len(sent)


def test_a_closed_port_is_refused_and_an_unknown_host_is_dns() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert failure_of(f"rtsp://127.0.0.1:{bound.getsockname()[1]}/").reason is FailureReason.REFUSED
    assert failure_of("rtsp://no-such-host.invalid/1").reason is FailureReason.DNS


def test_redirects_are_followed_a_few_times_and_only_to_rtsp() -> None:
    def to(where: str) -> Behaviour:
        def behave(connection: socket.socket) -> None:
            connection.recv(1000)
            connection.sendall(f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: {where}\r\n\r\n".encode())
            connection.recv(1000)

        return behave

    with peer(to("file:///etc/passwd")) as port:
        end = failure_of(f"rtsp://127.0.0.1:{port}/1")
        assert end.reason is FailureReason.REDIRECT_REFUSED
        assert "'file' is not allowed" in end.detail
    with peer(to("rtsp://[::1/1")) as port:
        end = failure_of(f"rtsp://127.0.0.1:{port}/1")
        assert end.reason is FailureReason.PROTOCOL_ERROR
        assert "redirected to 'rtsp://[::1/1': Invalid IPv6 URL" in end.detail
    with peer(to("/again")) as port:
        assert "more than 3 redirects" in failure_of(f"rtsp://127.0.0.1:{port}/1").detail


def test_a_tls_server_that_is_none_is_a_protocol_error() -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(10)
        connection.sendall(b"no tls here, sorry")
        connection.recv(100)

    with peer(plain) as port:
        assert failure_of(f"rtsps://127.0.0.1:{port}/1").reason is FailureReason.PROTOCOL_ERROR


def test_many_visits_run_side_by_side_in_one_process() -> None:
    async def all_at_once(port: int) -> list[Keyframe | VisitFailure]:
        settings = FeedSettings()
        url = f"rtsp://127.0.0.1:{port}/1"
        return await asyncio.gather(
            *(visit(VisitOrder(n, f"c{n}", url, 1_000_000_000, FeedKind.RTSP), settings) for n in range(200))
        )

    with peer(silent) as port:
        began = time.monotonic()
        ends = asyncio.run(all_at_once(port))
        assert time.monotonic() - began < 4
    assert {end.reason for end in ends if isinstance(end, VisitFailure)} == {FailureReason.TIMEOUT_CONNECT}
    assert [end.visit_id for end in ends] == list(range(200))


@pytest.mark.parametrize(
    ("url", "changes"),
    [
        ("rtsp://127.0.0.1:99999/1", {}),
        ("rtsp://admin:geheim@/1", {}),
        ("rtsp://127.0.0.1/1", {"schemes": ("http",)}),
    ],
)
def test_an_address_that_we_refuse_is_not_visited(url: str, changes: dict[str, Any]) -> None:
    end = run(url, **changes)
    assert isinstance(end, VisitFailure)
    assert end.reason is FailureReason.SOURCE_REFUSED, end
    assert "geheim" not in end.detail
