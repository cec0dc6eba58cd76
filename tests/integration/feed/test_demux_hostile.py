"""Hostile servers of every kind at once: each ends in a reason within its deadline, and a good camera goes on."""

import contextlib
import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.clock import monotonic_ns
from engine.config.feed import FeedSettings
from engine.feed.demuxing.pool import DemuxPool, VisitOutcome, fetch_now
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.support.feed.clips import encode, scene
from tests.support.feed.http_site import site
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

DEADLINE_S = 3.0
MARGIN_S = 5.0
"""The machine of the tests may be busy."""
Server = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\n"
JPEG = encode(Codec.MJPEG, [scene(320, 240)])[0]


def says(data: bytes) -> Server:
    """Sends this and closes."""
    return lambda caller: caller.sendall(data)


def hangs(data: bytes) -> Server:
    """Sends this and says no more."""

    def serve(caller: socket.socket) -> None:
        caller.sendall(data)
        time.sleep(DEADLINE_S + MARGIN_S)

    return serve


def repeats(head: bytes, block: bytes) -> Server:
    """Sends a block without end."""

    def serve(caller: socket.socket) -> None:
        caller.sendall(head)
        while True:
            caller.sendall(block)

    return serve


def drips(data: bytes) -> Server:
    """Sends a byte every tenth of a second."""

    def serve(caller: socket.socket) -> None:
        for number in itertools.cycle(data):
            caller.sendall(bytes([number]))
            time.sleep(0.1)

    return serve


def answers(*replies: bytes) -> Server:
    """Sends the next reply for each thing that comes in, and then the last for ever."""

    def serve(caller: socket.socket) -> None:
        for reply in itertools.chain(replies, itertools.repeat(replies[-1])):
            if not caller.recv(65_536):
                return
            caller.sendall(reply)

    return serve


def status(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {line}", *headers, "", ""]).encode("latin-1")


def box(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    return (8 + len(body) if size is None else size).to_bytes(4, "big") + kind + body


NOISE = random.Random(7).randbytes(100_000)
FLV = b"FLV\1\1\0\0\0\x09\0\0\0\0"
FTYP = box(b"ftyp", b"isom\0\0\2\0isom")
HTTP: dict[str, Server] = {
    "nothing": says(b""),
    "silence": hangs(b""),
    "zeros without end": repeats(b"", bytes(65_536)),
    "noise without end": repeats(b"", NOISE),
    "half a status line": hangs(b"HTTP/1.1 20"),
    "a status line without end": repeats(b"HTTP/1.1 200 ", b"a" * 65_536),
    "a status that is none": says(b"HTTP/1.1 abc OK\r\n\r\n"),
    "another protocol": says(b"ICY 200 OK\r\n\r\n" + NOISE),
    "an unknown version": says(b"HTTP/9.9 200 OK\r\n\r\n" + NOISE),
    "headers without end": repeats(OK, b"A: b\r\n" * 1000),
    "a header line without end": repeats(OK + b"A: ", b"a" * 65_536),
    "continue without end": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "headers that drip": drips(OK + b"X: y\r\n"),
    "a negative length": says(OK + b"Content-Length: -1\r\n\r\n" + NOISE),
    "an enormous length": hangs(OK + b"Content-Length: 99999999999999999999\r\n\r\n" + NOISE),
    "lengths that differ": says(OK + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg"),
    "chunks that are none": says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + NOISE),
    "a negative chunk": says(OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n" + NOISE),
    "an enormous chunk": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", NOISE),
    "chunks of one byte": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 5000),
    "a chunk size without end": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65_536),
    "trailers without end": repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 1000),
    "a body that says it is packed": says(OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08" + NOISE),
    "escape sequences": says(status("500 \x1b[2J\x1b]0;owned\x07\x9b31m")),
    "a redirect without a place": says(status("302 Found")),
    "a redirect to itself": says(status("302 Found", "Location: /x")),
    "a redirect to no URL": says(status("302 Found", "Location: rtsp://[::1/x")),
    "a redirect of control characters": says(status("302 Found", "Location: http://\x01\x1b[0m/\xff")),
    "a redirect that is long": says(status("302 Found", "Location: /" + "a" * 60_000)),
    "a login without end": says(status("401 No", 'WWW-Authenticate: Digest realm="a", nonce="b", stale=true')),
    "a login of many commas": says(status("401 No", "WWW-Authenticate: " + ',"\\' * 20_000)),
    "a login of many schemes": says(status("401 No", *["WWW-Authenticate: Digest a=b"] * 90)),
    "a status of the future": says(status("999 Why")),
    "a JPEG without end": repeats(OK + b"\r\n\xff\xd8\xff\xe0", bytes(65_536)),
    "a JPEG that drips": drips(OK + b"\r\n\xff\xd8\xff\xe0" + bytes(5000)),
    "a part without end": repeats(
        OK + b"Content-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\nContent-Type: image/jpeg\r\n"
        b"Content-Length: 999999999\r\n\r\n", bytes(65_536),
    ),
    "headers of a part without end": repeats(
        OK + b"Content-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\nContent-Type: image/jpeg\r\n",
        b"A: " + b"b" * 5000 + b"\r\n",
    ),
    "parts of nothing": repeats(
        OK + b"Content-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n",
        b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n\r\n" * 500,
    ),
    "an FLV tag of 16 MB": repeats(OK + b"\r\n" + FLV + b"\x09\xff\xff\xff\0\0\0\0\0\0\0\x17\0", bytes(65_536)),
    "FLV tags of nothing": repeats(OK + b"\r\nFLV\1\5\0\0\0\x09\0\0\0\0", bytes(11) * 1000),
    "an FLV that drips": drips(OK + b"\r\nFLV\1\5\0\0\0\x09" + bytes(1000)),
    "an MP4 of one enormous box": repeats(OK + b"\r\n" + FTYP + box(b"moov", b"", 0x7FFF_FFFF), bytes(65_536)),
    "an MP4 of nested boxes": repeats(OK + b"\r\n" + FTYP, box(b"moov", box(b"trak", b"", 0x7FFF_0000), 0x7FFF_FFF0)),
    "an MP4 without an index": repeats(OK + b"\r\n" + FTYP + box(b"mdat", b"", 0x7FFF_FFFF), NOISE),
    "MPEG-TS of null packets": repeats(OK + b"\r\n", (b"\x47\x1f\xff\x10" + bytes(184)) * 1000),
    "MPEG-TS of noise": repeats(OK + b"\r\n", b"\x47\x40\x00\x10" + NOISE[:184]),
    "Matroska of an enormous element": repeats(OK + b"\r\n\x1a\x45\xdf\xa3\x01" + b"\xff" * 7, bytes(65_536)),
    "an AVI of enormous chunks": repeats(OK + b"\r\nRIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrl", b"\xff" * 4096),
    "H.264 without a keyframe": repeats(OK + b"\r\n", b"\0\0\0\1\x41" + NOISE[:1000]),
    "H.264 of parameter sets": repeats(OK + b"\r\n", b"\0\0\0\1\x67\x42\0\x1e\xf4\x05\x01\x7f" * 100),
    "a list of itself": says(OK + b"\r\n#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/x\n"),
    "a list without end": repeats(OK + b"\r\n#EXTM3U\n", b"#EXTINF:1,\na\n" * 5000),
    "a list of nothing": says(OK + b"\r\n#EXTM3U\n"),
    "a list of itself as segments": says(OK + b"\r\n#EXTM3U\n#EXTINF:1,\n/x\n"),
    "a list with an enormous range": says(OK + b"\r\n#EXTM3U\n#EXT-X-BYTERANGE:999999999999@999999999999\n/x\n"),
    "a list with itself as key": says(OK + b'\r\n#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="/x"\n/a\n'),
    "a list of enormous numbers": says(OK + b"\r\n#EXTM3U\n#EXT-X-TARGETDURATION:" + b"9" * 5000 + b"\n/x\n"),
}  # fmt: skip
RTMP: dict[str, Server] = {
    "nothing": says(b""),
    "silence": hangs(b""),
    "noise without end": repeats(b"", NOISE),
    "a handshake and silence": hangs(b"\x03" + bytes(3072)),
    "a handshake and noise": repeats(b"\x03" + bytes(3072), NOISE),
    "an enormous message": repeats(b"\x03" + bytes(3072) + b"\x03\0\0\0\xff\xff\xff\x14\0\0\0\0", bytes(65_536)),
    "many enormous messages": says(
        b"\x03" + bytes(3072)
        + b"".join(bytes([0, n]) + b"\0\0\0\xff\xff\xff\x09\1\0\0\0" + bytes(128) for n in range(200))
    ),
    "a handshake that drips": drips(b"\x03" + bytes(3072)),
}  # fmt: skip
RTSP: dict[str, Server] = {
    "silence": hangs(b""),
    "noise without end": repeats(b"", NOISE),
    "options without end": repeats(b"", b"OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 500),
    "a redirect": answers(b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.2/x\r\n\r\n"),
    "an enormous body": repeats(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 2147483647\r\n\r\n", bytes(65_536)),
    "headers without end": repeats(b"RTSP/1.0 200 OK\r\n", b"A: b\r\n" * 1000),
}
KINDS = {"http": HTTP, "rtmp": RTMP, "rtsp": RTSP}
ALL = [(scheme, name) for scheme, kind in KINDS.items() for name in kind]


@contextlib.contextmanager
def listening(server: Server) -> Iterator[int]:
    """Serve every caller in a thread; yields the port."""

    def serve(caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError):
            caller.settimeout(DEADLINE_S + MARGIN_S)
            caller.recv(1)  # a connection is not answered before something is asked
            server(caller)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("part", range(6))
def test_each_ends_in_a_reason_within_its_deadline_and_a_good_camera_goes_on(part: int) -> None:
    chosen = ALL[part::6]
    settings = FeedSettings(deadline_s=DEADLINE_S, connect_timeout_s=1.5, demux_threads=32, visit_bytes_max=16 << 20)
    deadline_ns = round(DEADLINE_S * 1e9)
    ends: dict[int, VisitOutcome] = {}
    good = 0

    def on_end(end: VisitOutcome) -> None:
        assert end.visit_id not in ends, "a visit ended twice"
        ends[end.visit_id] = end

    pool = DemuxPool(settings, on_end)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        camera = stack.enter_context(site({"/good.jpg": ("image/jpeg", JPEG)}))
        for number, (scheme, name) in enumerate(chosen):
            port = stack.enter_context(listening(KINDS[scheme][name]))
            url = f"{scheme}://admin:geheim@127.0.0.1:{port}/x"
            assert pool.submit(VisitOrder(number, name, url, deadline_ns, FeedKind.DEMUX))

        def all_ended() -> bool:
            nonlocal good
            pool.tick(monotonic_ns())
            if 1000 + good - 1 in ends or not good:  # the good camera's last visit has ended
                good += pool.submit(VisitOrder(1000 + good, "good", f"{camera}/good.jpg", deadline_ns, FeedKind.DEMUX))
            return all(number in ends for number in range(len(chosen)))

        wait_until(all_ended, DEADLINE_S + MARGIN_S, what="the end of every visit", poll_s=0.1)
    assert time.monotonic() - began < DEADLINE_S + MARGIN_S
    for number, (scheme, name) in enumerate(chosen):
        end = ends[number]
        assert isinstance(end, VisitFailure), (scheme, name, end)
        assert end.reason is not FailureReason.INTERNAL, (scheme, name, end)
        assert end.detail.isprintable(), (scheme, name, end)
        assert "geheim" not in end.detail, (scheme, name, end)
    fetched = [end for visit_id, end in ends.items() if visit_id >= 1000]
    assert any(isinstance(end, Keyframe) for end in fetched)
    assert len(ALL) >= 70


HEADS = st.sampled_from(
    [b"", b"HTTP/1.1 ", OK, OK + b"\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n", status("401 a")]
)
BODIES = st.sampled_from(
    [b"", b"#EXTM3U\n", b"FLV\1\5\0\0\0\x09\0\0\0\0", FTYP, b"\x47\x40\0\x10", b"\xff\xd8\xff", b"--b\r\n"]
)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(HEADS, BODIES, st.binary(max_size=400))
def test_whatever_a_server_sends_is_a_reason(head: bytes, body: bytes, rest: bytes) -> None:
    with listening(says(head + body + rest)) as port:
        end = fetch_now(f"http://127.0.0.1:{port}/x", FeedSettings(deadline_s=DEADLINE_S, connect_timeout_s=0.5))
    if isinstance(end, VisitFailure):
        assert end.reason is not FailureReason.INTERNAL, end
        assert end.detail.isprintable()
