"""Why a visit through FFmpeg failed: servers that stall, answer with a web page, or do not know the stream."""

import contextlib
import http.server
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.config.feed import FeedSettings
from engine.feed.demuxing.pool import fetch_now
from engine.model.keyframe import Codec
from engine.model.visit import FailureReason, VisitFailure
from tests.support.feed.clips import encode, scene
from tests.support.feed.http_site import Page, site
from tests.support.feed.nginx_rtmp import nginx_rtmp

LOGIN = b"<!DOCTYPE html><html><head><title>NVR</title></head><body><form>password?</form></body></html>" * 20
PLAYLIST = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nsegment.ts\n"
HLS_TYPE = "application/vnd.apple.mpegurl"
Handler = http.server.BaseHTTPRequestHandler


def failure_of(url: str, **changes: Any) -> VisitFailure:
    end = fetch_now(url, FeedSettings(**{"deadline_s": 3, "connect_timeout_s": 0.5, **changes}))
    assert isinstance(end, VisitFailure), end
    return end


def silent(handler: Handler) -> None:
    del handler
    time.sleep(4)


def headers_then_silent(kind: str, begin: bytes = b"") -> Callable[[Handler], None]:
    def page(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        handler.wfile.write(begin)
        handler.wfile.flush()
        time.sleep(4)

    return page


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/live.flv", silent),
        ("/live.flv", headers_then_silent("video/x-flv")),
        ("/live.flv", headers_then_silent("video/x-flv", b"FLV\1\1\0\0\0\x09\0\0\0\0")),
        ("/live.m3u8", silent),
        ("/live.m3u8", headers_then_silent(HLS_TYPE)),
        ("/live.m3u8", (HLS_TYPE, PLAYLIST)),
        ("/live.ts", silent),
        ("/live.ts", headers_then_silent("video/mp2t", b"\x47\x40\0\x10" + bytes(184))),
        ("/snap.jpg", silent),
        ("/snap.jpg", headers_then_silent("image/jpeg")),
        ("/snap.jpg", headers_then_silent("image/jpeg", encode(Codec.MJPEG, [scene(64, 64)])[0][:200])),
    ],
)
def test_a_server_that_takes_the_connection_and_stalls_is_a_missing_keyframe(path: str, page: Page) -> None:
    with site({path: page, "/segment.ts": headers_then_silent("video/mp2t")}) as url:
        began = time.monotonic()
        end = failure_of(f"{url}{path}")
        assert time.monotonic() - began < 3.5
    assert end.reason is FailureReason.TIMEOUT_KEYFRAME, end
    assert "within" in end.detail


@pytest.mark.parametrize("scheme", ["http", "https", "rtmp", "rtsp"])
def test_a_silent_socket_is_a_missing_keyframe_in_every_protocol(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        end = failure_of(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/live/1")
    assert end.reason is FailureReason.TIMEOUT_KEYFRAME, end


@contextlib.contextmanager
def full_server() -> Iterator[int]:
    """Yield the port of a server whose queue of connections is full: it takes no other."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "rtmp"])
def test_a_host_that_takes_no_connection_is_told_from_that(scheme: str) -> None:
    with full_server() as port:
        end = failure_of(f"{scheme}://127.0.0.1:{port}/live/1")
    assert end.reason is FailureReason.TIMEOUT_CONNECT, end


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
@pytest.mark.parametrize("path", ["/live.flv", "/live.m3u8", "/live.ts", "/snap.jpg", "/cgi-bin/snapshot.cgi"])
def test_a_web_page_instead_of_video_is_named(path: str, kind: str) -> None:
    with site({path: (kind, LOGIN)}) as url:
        end = failure_of(f"{url}{path}")
    assert (end.reason, end.detail) == (
        FailureReason.NO_VIDEO,
        "the server answers with a web page, not with video",
    )


def test_a_redirect_to_a_login_page_is_named_without_its_secrets() -> None:
    def page(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/login.html?token=geheim")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with site({"/live.flv": page, "/login.html": ("text/html", LOGIN)}) as url:
        end = failure_of(f"{url}/live.flv")
    assert end.reason is FailureReason.NO_VIDEO
    assert "/login.html?token=***" in end.detail


@pytest.mark.parametrize(
    ("kind", "body", "reason", "said"),
    [
        ("application/json", b'{"code": -500, "msg": "stream not found"}', FailureReason.NO_VIDEO, "application/json"),
        ("application/xml", b"<ResponseStatus/>", FailureReason.NO_VIDEO, "application/xml"),
        ("video/x-flv", b"", FailureReason.PROTOCOL_ERROR, "empty"),
        ("video/x-flv", b"\1\2\3" * 50, FailureReason.PROTOCOL_ERROR, "Invalid data"),
    ],
)
def test_other_answers_without_video_are_named(kind: str, body: bytes, reason: FailureReason, said: str) -> None:
    with site({"/live.flv": (kind, body)}) as url:
        end = failure_of(f"{url}/live.flv")
    assert end.reason is reason
    assert said in end.detail


def test_a_path_that_the_server_does_not_have_is_an_unknown_stream() -> None:
    with site({}) as url:
        end = failure_of(f"{url}/live/nobody.flv")
    assert (end.reason, end.detail) == (
        FailureReason.NOT_FOUND,
        "the server has no stream of that name (404)",
    )


@pytest.mark.parametrize(
    ("status", "login", "said"),
    [
        (401, "", "the URL has none (401)"),
        (401, "admin:geheim@", "refuses this user and password (401)"),
        (403, "admin:geheim@", "refuses access (403)"),
    ],
)
def test_a_login_that_is_asked_for_or_refused_is_named(status: int, login: str, said: str) -> None:
    def page(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("WWW-Authenticate", 'Basic realm="nvr"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with site({"/live.flv": page}) as url:
        end = failure_of(f"{url}/live.flv".replace("//", f"//{login}"))
    assert end.reason is FailureReason.UNAUTHORIZED
    assert said in end.detail
    assert "geheim" not in end.detail


@pytest.fixture(scope="module")
def rtmp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx_rtmp(tmp_path_factory.mktemp("nginx")) as url:
        yield url


@pytest.mark.nginx
@pytest.mark.parametrize(
    ("path", "reason", "said"),
    [
        ("strict/nobody", FailureReason.NOT_FOUND, "the server has no stream of that name (No such stream)"),
        ("live/nobody", FailureReason.TIMEOUT_KEYFRAME, "perhaps it has no stream of that name"),
        ("no_such_app/1", FailureReason.PROTOCOL_ERROR, "perhaps it has no stream of that name"),
        ("closed/1", FailureReason.PROTOCOL_ERROR, "closed the connection"),
    ],
)
def test_an_unknown_rtmp_stream_is_named(rtmp: str, path: str, reason: FailureReason, said: str) -> None:
    end = failure_of(f"{rtmp}/{path}")
    assert end.reason is reason, end
    assert said in end.detail


@pytest.mark.nginx
def test_every_visit_gets_the_sentence_of_its_own_server(rtmp: str) -> None:
    """FFmpeg's log belongs to the process; sixteen visits at once must not mix their lines up."""
    from concurrent.futures import ThreadPoolExecutor

    urls = [f"{rtmp}/strict/nobody", "rtmp://no-such-host.invalid/live/1"] * 8
    with ThreadPoolExecutor(16) as pool:
        ends = list(pool.map(failure_of, urls))
    assert {end.reason for end in ends[::2]} == {FailureReason.NOT_FOUND}
    assert {end.reason for end in ends[1::2]} == {FailureReason.DNS}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://127.0.0.1/a", "scheme 'ftp' is not allowed"),
        ("http://127.0.0.1:99999/a", "port"),
        ("http://[::1/a", "Invalid IPv6"),
        ("http://admin:geheim@/a", "names no host"),
        ("no url at all", "printable"),
    ],
)
def test_an_address_that_we_refuse_is_not_visited(url: str, said: str) -> None:
    end = failure_of(url)
    assert end.reason is FailureReason.SOURCE_REFUSED
    assert said in end.detail
    assert "geheim" not in end.detail
