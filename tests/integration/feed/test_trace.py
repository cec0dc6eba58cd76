"""The trace of a visit to real servers: RTSP, HTTP with login and redirect, HLS, and RTSP that FFmpeg speaks."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

from engine.clock import monotonic_ns
from engine.config.feed import FeedSettings
from engine.feed.demuxing.pool import fetch_now
from engine.feed.dialogue.trace import DialogueTrace
from engine.feed.visit import visit
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from engine.runtime.compile_stage import COMPILES
from tests.support.command_line import patrol
from tests.support.feed.http_site import site
from tests.support.feed.rtsp_peers import rtsp_peers

PASSWORD = "Geheim-4711"
SETTINGS = FeedSettings(deadline_s=5, connect_timeout_s=2)
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40 + b"\xff\xd9"
DIGEST = 'Digest realm="cam", nonce="n-5f2c99", opaque="o-77aa12", qop="auth"'


def fetched(url: str, *, by_ffmpeg: bool = False) -> tuple[Keyframe | VisitFailure, list[str]]:
    """The end of a visit, and the texts of its trace."""
    trace = DialogueTrace(url, monotonic_ns())
    if by_ffmpeg or not url.startswith("rtsp"):
        end = fetch_now(url, SETTINGS, trace=trace)
    else:
        order = VisitOrder(1, "cam", url, 5_000_000_000, FeedKind.RTSP)
        end = asyncio.run(visit(order, SETTINGS, trace=trace))
    lines = trace.lines(monotonic_ns())
    times = [line.after_ns for line in lines]
    assert all(0 <= at <= 20_000_000_000 for at in times)
    texts = [f"{line.side} {line.text}" for line in lines]
    shown = "\n".join(texts)
    assert PASSWORD not in shown
    assert shown.replace("\n", "").isprintable()
    return end, texts


@contextlib.contextmanager
def rtsp_server(*answers: bytes) -> Iterator[str]:
    """A server that answers each request of each connection with the next of these; gives its host and port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        for answer in answers:
                            request = connection.recv(4000).decode()
                            number = next(line for line in request.split("\r\n") if line.lower().startswith("cseq"))
                            connection.sendall(answer.replace(b"CSEQ", number.encode()))
                        connection.recv(4000)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_rtsp_is_shown_from_the_first_request_to_teardown() -> None:
    with rtsp_peers() as port:
        end, texts = fetched(f"rtsp://admin:{PASSWORD}@127.0.0.1:{port}/good")
    assert isinstance(end, Keyframe)
    assert texts[0] == f"* connecting to 127.0.0.1 port {port}"
    requests = [text.split()[1] for text in texts if text.endswith("RTSP/1.0")]
    assert requests == ["DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert "< a=rtpmap:96 H264/90000" in texts
    assert "< Session: ***" in texts
    assert any("packets on channel 0" in text for text in texts)


def test_a_login_over_rtsp_shows_that_there_is_one_and_not_what() -> None:
    challenge = f"RTSP/1.0 401 Unauthorized\r\nCSEQ\r\nWWW-Authenticate: {DIGEST}\r\n\r\n".encode()
    refusal = b"RTSP/1.0 404 Not \x1b[2J Found\r\nCSEQ\r\n\r\n"
    with rtsp_server(challenge, refusal) as place:
        end, texts = fetched(f"rtsp://admin:{PASSWORD}@{place}/1?token=tok-88421")
    assert isinstance(end, VisitFailure)
    assert end.reason is FailureReason.NOT_FOUND
    assert '< WWW-Authenticate: Digest realm="cam", nonce=***, opaque=***, qop="auth"' in texts
    assert "> Authorization: Digest ***" in texts
    assert "< RTSP/1.0 404 Not \\x1b[2J Found" in texts
    assert not any(secret in "\n".join(texts) for secret in ("n-5f2c99", "o-77aa12", "tok-88421", "response="))


def test_what_ffmpeg_says_to_a_camera_is_shown_in_the_same_way() -> None:
    challenge = b'RTSP/1.0 401 Unauthorized\r\nCSEQ\r\nWWW-Authenticate: Basic realm="cam"\r\n\r\n'
    options = b"RTSP/1.0 200 OK\r\nCSEQ\r\nPublic: DESCRIBE\r\n\r\n"
    refusal = b"RTSP/1.0 404 Not Found\r\nCSEQ\r\n\r\n"
    with rtsp_server(options, challenge, refusal) as place:
        end, texts = fetched(f"rtsp://admin:{PASSWORD}@{place}/1", by_ffmpeg=True)
    assert isinstance(end, VisitFailure)
    assert any(text.startswith("> DESCRIBE rtsp://") for text in texts)
    assert "> Authorization: Basic ***" in texts
    assert "< RTSP/1.0 404 Not Found" in texts


def test_http_is_shown_over_login_and_redirect_and_the_picture_is_a_size() -> None:
    def moved(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/login/pic.jpg?access_token=at-99120")
        handler.end_headers()

    def locked(handler: Any) -> None:
        known = "authorization" in handler.headers
        handler.send_response(200 if known else 401)
        handler.send_header(*(("Content-Type", "image/jpeg") if known else ("WWW-Authenticate", DIGEST)))
        handler.send_header("Set-Cookie", "sid=cookie-4410; Path=/")
        handler.end_headers()
        handler.wfile.write(JPEG if known else b"no")

    with site({"/pic": moved, "/login/pic.jpg": locked}) as place:
        end, texts = fetched(f"{place.replace('://', f'://admin:{PASSWORD}@')}/pic")
    assert isinstance(end, Keyframe)
    assert [text for text in texts if text.startswith("> GET")] == [
        "> GET /pic HTTP/1.1",
        "> GET /login/pic.jpg?access_token=*** HTTP/1.1",
        "> GET /login/pic.jpg?access_token=*** HTTP/1.1",
    ]
    assert "> Authorization: Digest ***" in texts
    assert f"< [{len(JPEG):,} bytes]" in texts
    assert sum(text.startswith("* connecting to 127.0.0.1") for text in texts) == 3
    assert not any(secret in "\n".join(texts) for secret in ("at-99120", "n-5f2c99", "cookie-4410"))


def test_a_playlist_and_its_segments_are_shown() -> None:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nseg.ts?sign=abc123456\n"
    pages = {"/live.m3u8": ("application/vnd.apple.mpegurl", playlist), "/seg.ts": ("video/mp2t", bytes(1880))}
    with site(pages) as place:  # type: ignore[arg-type]
        _, texts = fetched(f"{place}/live.m3u8")
    assert "< #EXTINF:2," in texts
    assert "< seg.ts?sign=***" in texts
    assert any(text.startswith("> GET /seg.ts?sign=***") for text in texts)
    assert "< [1,880 bytes]" in texts


def test_patrol_check_shows_the_trace_beside_its_table_and_in_its_json() -> None:
    with site({}) as place:
        url = f"{place.replace('://', f'://admin:{PASSWORD}@')}/none.jpg"
        shown = patrol("check", url, "--trace")
        (answer,) = map(json.loads, patrol("check", url, "--trace", "--json").stdout.splitlines())
        plain = patrol("check", url)
    assert (shown.returncode, plain.returncode) == (2, 2)
    assert " ms > GET /none.jpg HTTP/1.1" in shown.stderr
    assert " ms * no keyframe: not_found, " in shown.stderr
    assert PASSWORD not in shown.stderr + shown.stdout
    assert shown.stdout.splitlines()[0] == plain.stdout.splitlines()[0]
    assert plain.stderr.replace(f"{COMPILES}\n", "") == ""  # a loaded machine takes its time
    sides = [line["side"] for line in answer["trace"]]
    assert (sides[0], sides[-1]) == ("note", "note")
    assert {"engine", "camera"} <= set(sides)
    assert PASSWORD not in json.dumps(answer)
