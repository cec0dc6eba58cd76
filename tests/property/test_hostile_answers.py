"""Whatever a server answers, a visit ends: from the bytes of the socket to an outcome that may be shown to anybody.

The answers are RTSP in form and hostile in every part: status line, headers, challenges, redirects, descriptions,
interleaved packets. Redirects lead to addresses and names that are refused before anything is sent or looked up.
"""

import asyncio
import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.config.feed import FeedSettings
from engine.feed.failure import DETAIL_CHARS_MAX
from engine.feed.visit import visit
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.support.feed.rtp_packets import interleave, rtp

SECRET = "geheim"
_PATIENCE_S = 0.02
NASTY = st.sampled_from(
    ["", " ", "\x1b[2J", "\x9b31m", "\u202e", "\0", "\n", "\r", "\t", "٣", "١٢٣", "²", "-1", "0", "9" * 40,
     "é" * 30, '"', "\\", '\\"', ",", ";", "=", ":", "%", "%0d%0a", "%zz", "[", "]", "[::1", "//", "*", "$", "\ufffd",
     "a" * 5000]
)  # fmt: skip
TEXT = st.lists(st.one_of(NASTY, st.text(max_size=8)), max_size=4).map("".join)
LOCATION = st.one_of(
    st.sampled_from(
        ["rtsp://[::1/x", "rtsp://[::1]x/", "rtsp://[v1.x]/", "rtsp://[fe80::1%25eth0]/", "rtsp://a..b/1",
         f"rtsp://{'a' * 70}.b/1", "rtsp://.../", "rtsp://\ud7ff/", "rtsp://:0/", "rtsp://:99999/", "rtsp://h:x/",
         "rtsp://u:p@/", "rtsp://%00/", "rtsp:///1", "rtsp:1", "//", "///", "?", "#", "file:///etc/passwd", "data:,x",
         "rtsp://169.254.169.254/latest", "rtsp://127.0.0.1:1/", "rtsp://0.0.0.0/", "rtsp://[::ffff:127.0.0.1]:1/",
         "rtsp://203.0.113.1/1", "rtsp://2130706433/1", "rtsp://0x7f.1/1", "rtsp://①②⑦.0.0.1/", "rtsps://127.0.0.1:1/",
         "http://127.0.0.1/", "rtsp://127.0.0.1\x1b[2J/", "rtsp://ℂ.invalid/", "rtsp://\u2028/"]
    ),
    TEXT.map(lambda text: "/" + text.replace("/", "")),
)  # fmt: skip
CHALLENGE = st.one_of(
    TEXT,
    st.builds(
        "{} realm={}, nonce={}, {}".format,
        st.sampled_from(["Digest", "digest", "Basic", "Bearer", "Digest Digest", ""]),
        st.one_of(TEXT.map(lambda text: f'"{text}"'), TEXT),
        st.one_of(TEXT.map(lambda text: f'"{text}"'), TEXT),
        st.one_of(st.sampled_from(["algorithm=MD5-sess", "algorithm=SHA-256, qop=auth", 'qop="auth,auth-int"']), TEXT),
    ),
)
HEADER = st.one_of(
    st.tuples(st.just("WWW-Authenticate"), CHALLENGE),
    st.tuples(st.just("Location"), LOCATION),
    st.tuples(st.just("Session"), TEXT),
    st.tuples(
        st.just("Transport"),
        st.one_of(st.sampled_from(["RTP/AVP/TCP;interleaved=300-1", "interleaved=٣-4", "interleaved=-1"]), TEXT),
    ),
    st.tuples(st.sampled_from(["Content-Base", "Content-Location"]), st.one_of(LOCATION, TEXT)),
    st.tuples(st.just("Content-Length"), st.one_of(st.integers(0, 70_000).map(str), NASTY)),
    st.tuples(st.just("CSeq"), NASTY),
    st.tuples(TEXT, TEXT),
)
SDP_LINE = st.one_of(
    st.sampled_from(
        ["v=0", "m=video 0 RTP/AVP 96", "m=video 0 RTP/AVP 26", "m=audio 0 RTP/AVP 0", "m=", "m=video 0 RTP/AVP ٩٦",
         "a=rtpmap:96 H264/90000", "a=rtpmap:96 H265/0", "a=rtpmap:96 H264/999999999999", "a=rtpmap:96 JPEG/90000",
         "a=rtpmap:96", "a=control:*", "a=control:track1", "a=control:rtsp://[::1/x", "a=control:/%00",
         "a=fmtp:96 packetization-mode=2", "a=fmtp:96 sprop-parameter-sets=Z0LAHg==,aM48gA==",
         "a=fmtp:96 sprop-vps=//8="]
    ),
    TEXT.map("a=control:{}".format),
    TEXT.map("a=fmtp:96 sprop-parameter-sets={}".format),
    TEXT,
)  # fmt: skip
SDP = st.one_of(
    st.lists(SDP_LINE, max_size=8).map("\r\n".join).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=60),
    st.just(b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"),
)
STATUS = st.one_of(
    st.sampled_from(["RTSP/1.0 200 OK"] * 4 + ["RTSP/1.0 401 No", "RTSP/1.0 302 Moved", "RTSP/1.0 454 \x1b]0;x\x07"]),
    st.builds(
        "RTSP/{} {} {}".format,
        st.sampled_from(["1.0", "2.0", ""]),
        st.one_of(st.integers(0, 999).map(str), NASTY),
        TEXT,
    ),
    TEXT.map("{} RTSP/1.0".format),
)
PACKETS = st.lists(
    st.one_of(
        st.builds(
            rtp,
            st.one_of(
                st.binary(min_size=1, max_size=40),
                st.sampled_from([b"\x67\x42", b"\x68", b"\x65\x88", b"\x7c\x85x", b"\x7c\x45x", b"\x18\0\2\x65\x88",
                                 b"\x06\x06\x01\x80"]),
            ),
            st.integers(0, 70_000),
            st.integers(0, 2**32 - 1),
            st.booleans(),
        ),
        st.binary(max_size=16),
    ),
    max_size=8,
)  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> list[bytes]:
    """What the server sends after each request of ours, in form an RTSP response, or packets, or any bytes."""
    sent = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        body = draw(SDP) if draw(st.booleans()) else b""
        headers = [("CSeq", str(number))] if draw(st.integers(0, 9)) else []
        headers += [("Session", "1")] if draw(st.booleans()) else []
        headers += [("Content-Length", str(len(body)))] if body else []
        headers += draw(st.lists(HEADER, max_size=4))
        head = "\r\n".join([draw(STATUS), *(f"{name}: {value}" for name, value in headers)]) + "\r\n\r\n"
        answer = head.encode("utf-8", "replace") + body
        if draw(st.integers(0, 3)) == 0:
            answer += interleave(draw(PACKETS), draw(st.integers(0, 255))) + b"$\0\0\0" * draw(st.integers(0, 3))
        sent.append(draw(st.one_of(st.just(answer), st.binary(max_size=100))) if draw(st.integers(0, 9)) else answer)
    return sent


async def outcome(sent: list[bytes], transport: str) -> Keyframe | VisitFailure:
    """Visit a server that sends these bytes, one answer to a request, on every connection, and then closes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            for answer in sent:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(65_536), _PATIENCE_S)  # what it waits for may never be sent
                writer.write(answer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"rtsp://admin:{SECRET}@127.0.0.1:{port}/live"
    try:
        order = VisitOrder(7, "cam", url, 5_000_000_000, FeedKind.RTSP)
        return await visit(order, FeedSettings(rtsp_transport=transport))  # type: ignore[arg-type]
    finally:
        server.close()


def check(end: Keyframe | VisitFailure) -> None:
    """Fail if the engine's own code broke, or if the text may not be shown."""
    if isinstance(end, Keyframe):
        return
    assert end.reason not in (FailureReason.INTERNAL, FailureReason.EXHAUSTED, FailureReason.LOST), end
    assert end.detail.isprintable(), end
    assert 0 < len(end.detail) <= DETAIL_CHARS_MAX
    assert SECRET not in end.detail


def redirect(where: str) -> list[bytes]:
    return [f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: {where}\r\n\r\n".encode()]


@given(answers(), st.sampled_from(["tcp", "tcp", "udp"]))
@example(redirect("rtsp://[::1/x"), "tcp")
@example(redirect("rtsp://a..b/1"), "tcp")
@example(redirect(f"rtsp://{'a' * 70}.b/1"), "tcp")
@example([b"RTSP/1.0 454 \x1b[2J\x1b]0;owned\x07\r\nCSeq: 1\r\n\r\n"], "tcp")
@settings(max_examples=150, deadline=None)
def test_any_answers_end_in_an_outcome_that_may_be_shown(sent: list[bytes], transport: str) -> None:
    check(asyncio.run(outcome(sent, transport)))


@pytest.mark.parametrize("last", [b"$\0\0\0", b"$\0", b"$", b"$\0\0\1\x80", b"$\0\0\x0c\x80" + bytes(11)])
def test_a_packet_that_ends_with_what_was_received_does_not_break_the_visit(last: bytes) -> None:
    """An empty packet at the very end of the bytes that had come was read beyond its end."""
    body = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    sent = [
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
        b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n" + last,
    ]
    end = asyncio.run(outcome(sent, "tcp"))
    check(end)
    assert isinstance(end, VisitFailure)
    assert end.detail == "the server closed the connection while streaming"
