"""The trace of a visit: what is shown of a dialogue, what is masked whatever way it comes, and that it stays small."""

import base64
import random

import pytest

from engine.feed.dialogue.trace import LINE_CHARS_MAX, LINES_MAX, DialogueTrace

MS = 1_000_000
URL = "rtsp://admin:Geheim77@10.0.0.9:554/live?token=tok-8842"


def traced(*said: tuple[str, bytes], url: str = URL) -> list[str]:
    trace = DialogueTrace(url, 0)
    for number, (side, data) in enumerate(said, 1):
        (trace.sent if side == ">" else trace.received)(number * MS, data)
    return [str(line) for line in trace.lines(99 * MS)]


def texts(lines: list[str]) -> list[str]:
    return [line.split(" ms ", 1)[1] for line in lines]


def test_a_dialogue_is_shown_line_by_line_with_times_and_sides() -> None:
    lines = traced(
        (">", b"DESCRIBE rtsp://10.0.0.9/live RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        ("<", b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 10\r\n\r\nv=0\r\nm=vid"),
        (">", b"PLAY rtsp://10.0.0.9/live RTSP/1.0\r\n\r\n"),
        ("<", b"RTSP/1.0 200 OK\r\nSession: 8812;timeout=60\r\n\r\n" + b"$\x00\x00\x04abcd" * 3 + b"$\x01\x00\x02xy"),
    )
    assert lines[0] == "      1.0 ms > DESCRIBE rtsp://10.0.0.9/live RTSP/1.0"
    assert texts(lines) == [
        "> DESCRIBE rtsp://10.0.0.9/live RTSP/1.0",
        "> CSeq: 1",
        "< RTSP/1.0 200 OK",
        "< CSeq: 1",
        "< Content-Type: application/sdp",
        "< Content-Length: 10",
        "< v=0",
        "< m=vid",
        "> PLAY rtsp://10.0.0.9/live RTSP/1.0",
        "< RTSP/1.0 200 OK",
        "< Session: ***;timeout=60",
        "< [3 packets on channel 0, 12 bytes]",
        "< [1 packets on channel 1, 2 bytes]",
    ]


def test_a_body_that_is_no_text_is_a_size() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 5000\r\n\r\n"
    lines = texts(traced((">", b"GET / HTTP/1.1\r\n\r\n"), ("<", head + bytes(3000)), ("<", b"\n" * 2000)))
    assert lines[-1] == "< [5,000 bytes]"
    assert len(lines) == 5


def test_a_playlist_is_shown_and_tokens_in_it_are_not() -> None:
    body = b"#EXTM3U\n#EXTINF:2\nseg1.ts?token=abcd1234&n=1\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n\r\n"
    assert texts(traced(("<", head + body)))[-3:] == ["< #EXTM3U", "< #EXTINF:2", "< seg1.ts?token=***&n=1"]


def test_another_protocol_is_sizes() -> None:
    assert texts(traced((">", b"\x03" + bytes(1536)), ("<", b"\x03" + bytes(3072)))) == [
        "> [1,537 bytes]",
        "< [3,073 bytes]",
    ]


SECRET_LINES = (
    b"Authorization: Basic " + base64.b64encode(b"admin:Geheim77"),
    b'Authorization: Digest username="admin", nonce="5f2c-nonce", response="0cc175b9c0f1b6a831c399e269772661"',
    b"authorization:Bearer tok-8842",
    b"Proxy-Authorization: Geheim77",
    b'WWW-Authenticate: Digest realm="IPC", nonce="5f2c-nonce", opaque="5f2c-opaque", qop="auth"',
    b'Authentication-Info: rspauth="0cc175b9c0f1b6a831c399e269772661", nextnonce="5f2c-nonce"',
    b"Set-Cookie: sid=cookie-5512; Path=/",
    b"Cookie: sid=cookie-5512",
    b"x-sessioncookie: cookie-5512",
    b"Session: session-991",
    b"Location: rtsp://admin:Geheim77@10.0.0.9/other",
    b"Location: http://10.0.0.8/?a=1&token=tok-8842",
    b"DESCRIBE rtsp://10.0.0.9:554/live?token=tok-8842 RTSP/1.0",
    b"X-Echo: Geheim77",
    b"X-Echo: [Geheim77]",
    b"X-Key: " + base64.b64encode(b"admin:Geheim77"),
)
SECRETS = (
    "Geheim77", base64.b64encode(b"admin:Geheim77").decode(), "tok-8842", "5f2c-nonce", "5f2c-opaque",
    "0cc175b9c0f1b6a831c399e269772661", "cookie-5512", "session-991",
)  # fmt: skip


@pytest.mark.parametrize("line", SECRET_LINES)
@pytest.mark.parametrize("side", [">", "<"])
def test_secrets_and_digests_are_masked_in_however_many_pieces_they_come(line: bytes, side: str) -> None:
    whole = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n" + line + b"\r\n\r\n"
    chance = random.Random(line)
    other = "<" if side == ">" else ">"
    for pieces in (1, 2, 5, len(whole)):
        cuts = sorted(chance.sample(range(1, len(whole)), pieces - 1))
        said: list[tuple[str, bytes]] = []
        for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            said += [(side, whole[begin:end]), (other, b"PING\r\n\r\n")]
        shown = "\n".join(traced(*said))
        assert "***" in shown
        assert [secret for secret in SECRETS if secret in shown] == []


def test_escapes_of_a_hostile_server_are_harmless() -> None:
    hostile = "RTSP/1.0 200 \x1b[2J\x1b]0;owned\x07 \u202egnp.exe\r\n\r\n".encode()
    shown = "".join(traced(("<", hostile)))
    assert shown.isprintable()
    plain = "".join(traced(("<", b"HTTP/1.1 200 \x1b[31mred\r\n\r\n")))
    assert plain.isprintable()
    assert "\\x1b[31mred" in plain


def test_lines_their_length_and_their_number_are_bounded() -> None:
    lines = traced(*[("<", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000)] * 50)
    assert len(lines) == LINES_MAX + 1
    assert "more lines are left out" in lines[-1]
    long = texts(traced(("<", b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\nNext: 1\r\n\r\n")))
    assert long[0].startswith("< HTTP/1.1 200 xxx")
    assert len(long[0]) < LINE_CHARS_MAX + 40
    assert "< Next: 1" in long
    endless = traced(*[("<", b"RTSP" * 4000)] * 200)
    assert sum(map(len, endless)) < 2000


@pytest.mark.parametrize("seed", range(6))
def test_whatever_comes_a_trace_stays_small_and_printable(seed: int) -> None:
    chance = random.Random(seed)
    parts = [
        b"RTSP/1.0 200 OK\r\n", b"\r\n\r\n", b"Content-Length: 99999\r\n", b"Content-Length: 7\r\n", b"$\x00\xff\xff",
        b"$", b"\x00", b"Content-Type: text/html\r\n", b"HTTP/1.1 302 Found\r\n", b"\xff\xfe\x1b", b"\n",
        b"GET / HTTP/1.1\r\n",
    ]  # fmt: skip
    trace = DialogueTrace(URL, 0)
    for now in range(3000):
        data = b"".join(chance.choices(parts, k=chance.randint(1, 6))) + chance.randbytes(chance.randint(0, 9))
        (trace.sent if chance.random() < 0.5 else trace.received)(now, data)
        if chance.random() < 0.01:
            trace.connected(now, "connecting to 10.0.0.9 port 554")
    lines = trace.lines(3000)
    assert 0 < len(lines) <= LINES_MAX + 1
    assert all(line.text.isprintable() for line in lines)
    assert sum(len(line.text) for line in lines) <= 64 * 1024 + LINE_CHARS_MAX + 200
