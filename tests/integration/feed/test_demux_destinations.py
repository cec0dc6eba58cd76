"""Where a camera may lead a demuxer: by redirects, playlists, keys, and by names that resolve elsewhere."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from engine.config.feed import FeedSettings
from engine.feed.demuxing.pool import fetch_now
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FailureReason, VisitFailure
from tests.support.feed.clips import encode, remux, scene, write_clip
from tests.support.feed.http_site import Page, Pages, site

HLS_TYPE = "application/vnd.apple.mpegurl"
HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
END = "#EXT-X-ENDLIST\n"
OWN_NETWORKS = ("127.0.0.0/8",)
JPEG = encode(Codec.MJPEG, [scene(320, 240)])[0]


def fetch(url: str, **changes: Any) -> Keyframe | VisitFailure:
    return fetch_now(url, FeedSettings(**{"deadline_s": 6, "connect_timeout_s": 2, **changes}))


def failure(url: str, **changes: Any) -> VisitFailure:
    end = fetch(url, **changes)
    assert isinstance(end, VisitFailure), "a keyframe came from where no camera may lead"
    return end


def redirect(place: str) -> Page:
    def page(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", place)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return page


def playlist(lines: str) -> Page:
    return HLS_TYPE, f"{HEAD}{lines}{END}".encode()


class Other:
    """Another server on this machine, and what was asked of it."""

    def __init__(self, url: str, asked: list[str]) -> None:
        self.url = url
        self.asked = asked


@contextlib.contextmanager
def other_site(pages: Pages) -> Iterator[Other]:
    asked: list[str] = []

    def answer(path: str, page: Page) -> Page:
        def counted(handler: http.server.BaseHTTPRequestHandler) -> None:
            asked.append(path)
            if callable(page):
                page(handler)
                return
            kind, body = page
            handler.send_response(200)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return counted

    with site({path: answer(path, page) for path, page in pages.items()}) as url:
        yield Other(url, asked)


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("ts")
    clip = write_clip(folder / "a.mp4", Codec.H264, frames=20)
    return remux(clip, folder / "a.ts", "mpegts").read_bytes()


def test_a_redirect_to_another_port_is_refused_unless_its_network_is_allowed() -> None:
    with (
        other_site({"/there.jpg": ("image/jpeg", JPEG)}) as other,
        site({"/x": redirect(f"{other.url}/there.jpg")}) as url,
    ):
        end = failure(f"{url}/x")
        assert (end.reason, other.asked) == (FailureReason.REDIRECT_REFUSED, []), end
        assert "feed.allowed_networks" in end.detail
        assert isinstance(fetch(f"{url}/x", allowed_networks=OWN_NETWORKS), Keyframe)
        assert other.asked == ["/there.jpg"]


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.2:{port}/there.jpg",
        "http://[::1]:{port}/there.jpg",
        "http://localhost:{port}/there.jpg",
        "http://2130706433:{port}/there.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0:{port}/there.jpg",
        "file:///etc/passwd",
        "data:image/jpeg;base64,/9j/",
        "concat:/etc/passwd|/etc/group",
        "subfile,,start,0,end,9,,:/etc/passwd",
        "rtmp://127.0.0.1:{port}/live/1",
        "http://[::1/x",
        "http://a b/",
    ],
)
def test_a_redirect_to_another_address_or_scheme_is_refused(place: str) -> None:
    with other_site({"/there.jpg": ("image/jpeg", JPEG)}) as other:
        port = other.url.rpartition(":")[2]
        with site({"/x": redirect(place.format(port=port))}) as url:
            end = failure(f"{url}/x")
        # "concat:" and "subfile," are relative paths to urljoin: the camera's own host has no such page.
        assert end.reason in (FailureReason.REDIRECT_REFUSED, FailureReason.NOT_FOUND, FailureReason.DNS), end
        assert other.asked == []


def test_the_password_goes_to_no_other_place() -> None:
    seen: list[str | None] = []

    def note(handler: http.server.BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization"))
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", 'Basic realm="x"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with site({"/there": note}) as other, site({"/x": redirect(f"{other}/there")}) as url:
        end = failure(f"{url}/x".replace("//", "//admin:geheim@"), allowed_networks=OWN_NETWORKS)
    assert end.reason is FailureReason.UNAUTHORIZED
    assert seen == [None]


@pytest.mark.parametrize(
    "lines",
    [
        "#EXTINF:1,\n{other}/a.ts\n",
        "#EXTINF:1,\nhttp://127.0.0.2:{port}/a.ts\n",
        '#EXT-X-MAP:URI="{other}/a.ts"\n#EXTINF:1,\n/own.ts\n',
        '#EXT-X-KEY:METHOD=AES-128,URI="{other}/key"\n#EXTINF:1,\n/own.ts\n',
        "#EXT-X-STREAM-INF:BANDWIDTH=1\n{other}/list.m3u8\n",
        "#EXTINF:1,\n/moved.ts\n",
    ],
)
def test_a_playlist_leads_to_no_other_host(lines: str, segment: bytes) -> None:
    pages: Pages = {"/a.ts": ("video/mp2t", segment), "/key": ("x/y", bytes(16)), "/list.m3u8": playlist("/a.ts\n")}
    with other_site(pages) as other:
        names = {"other": other.url, "port": other.url.rpartition(":")[2]}
        own: Pages = {
            "/x.m3u8": playlist(lines.format(**names)),
            "/own.ts": ("video/mp2t", segment),
            "/moved.ts": redirect(f"{other.url}/a.ts"),
        }
        with site(own) as url:
            end = failure(f"{url}/x.m3u8")
        assert (end.reason, other.asked) == (FailureReason.REDIRECT_REFUSED, []), end


@pytest.mark.parametrize(
    "place", ["file://{file}", "concat:{file}|{file}", "data:video/mp2t;base64,AAAA", "subfile,,start,0,end,9,,:{file}"]
)
def test_a_playlist_opens_no_file_of_this_machine(place: str, segment: bytes, tmp_path: Path) -> None:
    file = tmp_path / "secret.ts"
    file.write_bytes(segment)
    lines = f"#EXTINF:1,\n{place.format(file=file)}\n"
    with site({"/x.m3u8": playlist(lines), "/y.ts": ("video/mp2t", f"{HEAD}{lines}{END}".encode())}) as url:
        for path in ("/x.m3u8", "/y.ts"):
            end = failure(f"{url}{path}", schemes=("http", "file"))
            assert end.reason in (FailureReason.REDIRECT_REFUSED, FailureReason.NOT_FOUND), end


@pytest.mark.parametrize(
    "body",
    [
        "ffconcat version 1.0\nfile {file}\n",
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video {port} RTP/AVP 33\r\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
        'mimeType="video/mp4"><Representation id="1"><BaseURL>{other}/a.ts</BaseURL></Representation></AdaptationSet>'
        "</Period></MPD>",
        "[Reference]\r\nRef1={other}/a.ts\r\n",
        "rtsptext{other}/a.ts\r\n",
    ],
)
def test_a_body_that_names_other_places_opens_none(body: str, segment: bytes, tmp_path: Path) -> None:
    file = tmp_path / "secret.ts"
    file.write_bytes(segment)
    with other_site({"/a.ts": ("video/mp2t", segment)}) as other:
        text = body.format(file=file, other=other.url, port=other.url.rpartition(":")[2]).encode()
        with site({"/x": ("application/octet-stream", text)}) as url:
            end = failure(f"{url}/x", schemes=("http", "file"))
        assert end.reason in (FailureReason.PROTOCOL_ERROR, FailureReason.NO_VIDEO), end
        assert other.asked == []


def resolving(monkeypatch: pytest.MonkeyPatch, answers: Callable[[], str]) -> None:
    """Have the name camera.example resolve to what `answers` returns."""
    real = socket.getaddrinfo

    def lookup(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        return real(answers() if host == "camera.example" else host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def test_a_name_that_resolves_to_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, lambda: "127.0.0.1")
    with other_site({"/snap.jpg": ("image/jpeg", JPEG)}) as other:
        url = f"http://camera.example:{other.url.rpartition(':')[2]}/snap.jpg"
        assert failure(url).reason is FailureReason.REDIRECT_REFUSED
        assert other.asked == []
        assert isinstance(fetch(url, allowed_networks=OWN_NETWORKS), Keyframe)


def test_a_name_is_looked_up_once_for_a_connection_and_that_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: were the name looked up again to connect, it would be this machine."""
    answers = iter(["192.0.2.1"])
    resolving(monkeypatch, lambda: next(answers, "127.0.0.1"))
    with other_site({"/snap.jpg": ("image/jpeg", JPEG)}) as other:
        url = f"http://camera.example:{other.url.rpartition(':')[2]}/snap.jpg"
        end = failure(url, deadline_s=1.5, connect_timeout_s=0.5)
        assert end.reason in (FailureReason.TIMEOUT_CONNECT, FailureReason.UNREACHABLE, FailureReason.REFUSED), end
        assert other.asked == []


def encrypted(data: bytes, key: bytes, iv: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


@pytest.mark.parametrize("iv", [None, bytes(range(16))])
def test_encrypted_segments_are_read(segment: bytes, iv: bytes | None) -> None:
    key = bytes(range(50, 66))
    body = encrypted(segment, key, iv or (7).to_bytes(16, "big"))
    said = f",IV=0x{iv.hex()}" if iv else ""
    lines = f'#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-KEY:METHOD=AES-128,URI="/key"{said}\n#EXTINF:1,\n/a.bin\n'
    pages: Pages = {"/x.m3u8": playlist(lines), "/key": ("x/y", key), "/a.bin": ("x/y", body)}
    with site(pages) as url, site({"/plain.ts": ("video/mp2t", segment)}) as plain:
        end, wanted = fetch(f"{url}/x.m3u8"), fetch(f"{plain}/plain.ts")
        assert isinstance(end, Keyframe), end
        assert isinstance(wanted, Keyframe), wanted
        assert end.payload == wanted.payload
        refused = failure(f"{url}/x.m3u8", demux_protocols=("tcp", "http", "hls"))
        assert refused.reason is FailureReason.SOURCE_REFUSED


def test_ranges_of_one_file_are_read(segment: bytes) -> None:
    half = len(segment) // 188 // 2 * 188
    lines = f"#EXT-X-BYTERANGE:{half}@1000\n/all.bin\n#EXT-X-BYTERANGE:{len(segment) - half}\n/all.bin\n"
    with site({"/x.m3u8": playlist(lines), "/all.bin": ("x/y", bytes(1000) + segment)}) as url:
        assert isinstance(fetch(f"{url}/x.m3u8"), Keyframe)  # this server knows no ranges and sends all


def test_a_segment_without_a_keyframe_is_followed_by_the_next(segment: bytes) -> None:
    state = {"asked": 0}

    def live(handler: http.server.BaseHTTPRequestHandler) -> None:
        state["asked"] += 1
        names = "/empty.ts\n" if state["asked"] == 1 else "/empty.ts\n/full.ts\n"
        body = f"{HEAD}{names}".encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    # The first segment is the tail of a GOP: it names the streams and holds no keyframe.
    head, tail = segment[: 188 * 3], segment[-188 * 20 :]
    with site({"/x": live, "/empty.ts": ("video/mp2t", head + tail), "/full.ts": ("video/mp2t", segment)}) as url:
        end = fetch(f"{url}/x")
    assert isinstance(end, Keyframe), end
    assert state["asked"] == 2


def tc_url(open_url: Callable[[int], None]) -> bytes:
    """What an RTMP client says in its `connect`, without the port."""
    said: list[bytes] = []

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            with contextlib.suppress(OSError):
                caller = server.accept()[0]
                with caller:
                    caller.settimeout(3)
                    received = b""
                    while len(received) < 1537:
                        received += caller.recv(65_536)
                    caller.sendall(b"\x03" + bytes(3072))
                    while b"tcUrl" not in received:
                        received += caller.recv(65_536)
                    said.append(received[received.index(b"tcUrl") :][:120])

        thread = threading.Thread(target=serve)
        thread.start()
        with contextlib.suppress(av.FFmpegError):
            open_url(port)
        thread.join()
    at = said[0].index(b"rtmp://")
    length = int.from_bytes(said[0][at - 2 : at], "big")
    return said[0][at : at + length].replace(f":{port}".encode(), b":PORT")


@pytest.mark.parametrize(
    "path", ["live/1", "live/1?token=a/b", "app/room/cam", "app/room/cam/more", "vod/mp4:dir/clip.mp4", "live"]
)
def test_an_rtmp_server_is_told_the_cameras_own_address(path: str) -> None:
    def direct(port: int) -> None:
        av.open(f"rtmp://127.0.0.1:{port}/{path}", timeout=3)

    def relayed(port: int) -> None:
        failure(f"rtmp://127.0.0.1:{port}/{path}", deadline_s=3)

    assert tc_url(relayed) == tc_url(direct)


def test_ffmpegs_second_try_follows_no_rtsp_redirect() -> None:
    """Our own client has failed, and FFmpeg would follow a redirect wherever it leads."""
    with socket.create_server(("127.0.0.1", 0)) as camera, socket.create_server(("127.0.0.1", 0)) as other:
        place = f"rtsp://127.0.0.1:{other.getsockname()[1]}/x"

        def serve() -> None:
            with contextlib.suppress(OSError):
                caller = camera.accept()[0]
                with caller:
                    caller.settimeout(3)
                    while caller.recv(65_536):
                        caller.sendall(f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: {place}\r\n\r\n".encode())

        thread = threading.Thread(target=serve)
        thread.start()
        end = failure(f"rtsp://127.0.0.1:{camera.getsockname()[1]}/cam")
        thread.join()
        assert end.reason is FailureReason.REDIRECT_REFUSED, end
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.accept()
