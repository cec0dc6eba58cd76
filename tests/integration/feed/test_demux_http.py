"""Visits over HTTP to real servers: logins, redirects, proxies, and bodies that never end."""

import base64
import contextlib
import hashlib
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.config.feed import FeedSettings
from engine.feed.demuxing.pool import fetch_now
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec, Keyframe
from engine.model.visit import FailureReason, VisitFailure
from tests.support.certificates import certificate
from tests.support.feed.clips import encode, scene

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40 + b"\xff\xd9"
BASIC = 'Basic realm="basic, cam"'
DIGEST = 'Digest realm="digest, cam", qop="auth", nonce="n1", algorithm={}'

Page = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Authorization") or ""))
        with contextlib.suppress(OSError):
            self.server.page(self)

    def send(self, status: int, *headers: tuple[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, page: Page) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.page = page
        self.requests: list[tuple[str, str]] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def serve(page: Page) -> Iterator[Server]:
    with Server(page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def fetch(url: str, **changes: Any) -> Keyframe | VisitFailure:
    return fetch_now(url, FeedSettings(**{"deadline_s": 5, "connect_timeout_s": 2, **changes}))


def get(url: str, **changes: Any) -> bytes:
    """The picture of a visit that brings one."""
    end = fetch(url, **changes)
    assert isinstance(end, Keyframe), end
    return bytes(end.payload)


def reason(url: str, **changes: Any) -> FailureReason:
    """The reason of a visit that brings none."""
    end = fetch(url, **changes)
    assert isinstance(end, VisitFailure), end
    return end.reason


def send_jpeg(handler: Handler) -> None:
    handler.send(200, ("Content-Type", "image/jpeg"), body=JPEG)


def behind(*challenges: str, accepts: Callable[[str, str], bool]) -> Page:
    """A page that answers with these WWW-Authenticate headers until `accepts(authorization, path)`."""

    def page(handler: Handler) -> None:
        if accepts(handler.headers.get("Authorization") or "", handler.path):
            send_jpeg(handler)
        else:
            handler.send(401, *(("WWW-Authenticate", challenge) for challenge in challenges), body=b"login please")

    return page


def is_basic(authorization: str, path: str) -> bool:
    del path
    return authorization == "Basic " + base64.b64encode("admin:p@ss: wörd".encode()).decode()


def is_digest(authorization: str, path: str, algorithm: str = "MD5", nonce: str = "n1") -> bool:
    """The server's side of RFC 7616."""
    if not authorization.startswith("Digest "):
        return False
    sent = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', authorization)}

    def digest(text: str) -> str:
        return (hashlib.md5 if algorithm == "MD5" else hashlib.sha256)(text.encode()).hexdigest()

    secret, action = digest("admin:digest, cam:p@ss: wörd"), digest(f"GET:{path}")
    proof = digest(f"{secret}:{nonce}:{sent['nc']}:{sent['cnonce']}:auth:{action}")
    return (sent["response"], sent["uri"], sent["nonce"]) == (proof, path, nonce)


LOGIN = "admin:p%40ss%3A%20w%C3%B6rd@"


def test_a_page_without_a_password_is_asked_once() -> None:
    with serve(send_jpeg) as server:
        assert get(f"http://{server.place}/snap.jpg?channel=1") == JPEG
        assert get(f"http://{LOGIN}{server.place}/snap.jpg") == JPEG
        assert server.requests == [("/snap.jpg?channel=1", ""), ("/snap.jpg", "")], "no password is sent unasked"


@pytest.mark.parametrize(
    ("challenges", "accepts"),
    [
        ([BASIC], is_basic),
        ([DIGEST.format("MD5")], is_digest),
        ([DIGEST.format("SHA-256")], lambda sent, path: is_digest(sent, path, "SHA-256")),
        ([BASIC, DIGEST.format("MD5")], is_digest),
        ([f"{BASIC}, {DIGEST.format('MD5')}"], is_digest),
        ([f"{DIGEST.format('MD5')}, {BASIC}"], is_digest),
    ],
)
def test_the_strongest_challenge_is_answered(challenges: list[str], accepts: Callable[[str, str], bool]) -> None:
    with serve(behind(*challenges, accepts=accepts)) as server:
        assert get(f"http://{LOGIN}{server.place}/snap.jpg?channel=1") == JPEG
        assert len(server.requests) == 2


def test_a_wrong_password_and_none_bring_nothing() -> None:
    with serve(behind(BASIC, accepts=is_basic)) as server:
        assert reason(f"http://admin:guess@{server.place}/snap.jpg") is FailureReason.UNAUTHORIZED
        assert reason(f"http://{server.place}/snap.jpg") is FailureReason.UNAUTHORIZED
        assert len(server.requests) == 3


def test_a_stale_nonce_is_answered_once_more() -> None:
    nonces = iter(["n1", "n2", "n3", "n4", "n5"])

    def page(handler: Handler) -> None:
        if is_digest(handler.headers.get("Authorization") or "", handler.path, nonce="n2"):
            send_jpeg(handler)
        else:
            challenge = DIGEST.format("MD5").replace("n1", next(nonces)) + ", stale=true"
            handler.send(401, ("WWW-Authenticate", challenge))

    with serve(page) as server:
        assert get(f"http://{LOGIN}{server.place}/snap.jpg") == JPEG
        assert reason(f"http://{LOGIN}{server.place}/snap.jpg") is FailureReason.UNAUTHORIZED
        assert len(server.requests) == 6


def test_a_redirect_on_the_cameras_own_host_is_followed_with_the_login() -> None:
    def page(handler: Handler) -> None:
        if handler.path == "/snap.jpg":
            handler.send(302, ("Location", "/moved/there.jpg"))
        else:
            behind(BASIC, accepts=is_basic)(handler)

    with serve(page) as server:
        assert get(f"http://{LOGIN}{server.place}/snap.jpg") == JPEG
        assert [path for path, _ in server.requests] == ["/snap.jpg", "/moved/there.jpg", "/moved/there.jpg"]


def test_redirects_without_end_end() -> None:
    with serve(lambda handler: handler.send(302, ("Location", f"{handler.path}x"))) as server:
        assert reason(f"http://{server.place}/a") is FailureReason.PROTOCOL_ERROR
        assert len(server.requests) == 1 + FeedSettings().redirects_max


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(send_jpeg) as server, serve(lambda handler: handler.send(502)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.place}")
        assert get(f"http://{server.place}/snap.jpg") == JPEG
        assert proxy.requests == []


def test_a_certificate_that_nobody_signed_is_taken_only_where_the_configuration_says_so(tmp_path: Path) -> None:
    _, tls = certificate(tmp_path)
    with serve(send_jpeg) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        assert reason(f"https://{server.place}/snap.jpg", tls_verify=True) is FailureReason.PROTOCOL_ERROR
        assert get(f"https://{server.place}/snap.jpg", tls_verify=False) == JPEG


def test_what_is_no_jpeg_is_left_after_its_first_bytes() -> None:
    sent = []

    def page(handler: Handler) -> None:
        handler.send(200, body=b"<html>")
        for _ in range(400):
            handler.wfile.write(bytes(65_536))
            sent.append(65_536)

    with serve(page) as server:
        assert reason(f"http://{server.place}/x") is FailureReason.NO_VIDEO
    assert sum(sent) < PAYLOAD_BYTES_MAX


def test_a_body_without_an_end_is_left_when_it_is_too_large() -> None:
    def page(handler: Handler) -> None:
        handler.send(200, body=JPEG[:4])
        while True:
            handler.wfile.write(bytes(65_536))

    with serve(page) as server:
        assert reason(f"http://{server.place}/x") is FailureReason.FLOOD


END_OF_A_DRIP = {200: {FailureReason.TIMEOUT_KEYFRAME}, 401: {FailureReason.UNAUTHORIZED}}


@pytest.mark.parametrize("status", [200, 401])
def test_a_body_that_drips_ends_at_the_deadline(status: int) -> None:
    def page(handler: Handler) -> None:
        handler.send(status, ("WWW-Authenticate", BASIC), body=JPEG[:4])
        while True:
            handler.wfile.write(b"\0")
            time.sleep(0.05)

    with serve(page) as server:
        began = time.monotonic()
        assert reason(f"http://{LOGIN}{server.place}/x", deadline_s=0.6) in END_OF_A_DRIP[status]
        assert time.monotonic() - began < 2


def test_a_server_that_stalls_ends_with_the_timeout() -> None:
    def page(handler: Handler) -> None:
        handler.send(200, body=JPEG[:4])
        time.sleep(5)

    with serve(page) as server:
        began = time.monotonic()
        assert reason(f"http://{server.place}/x", connect_timeout_s=0.3) is FailureReason.TIMEOUT_KEYFRAME
        assert reason(f"http://{server.place}/x", deadline_s=0.5) is FailureReason.TIMEOUT_KEYFRAME
        assert time.monotonic() - began < 3


def test_a_body_shorter_than_announced_is_left_to_the_decoder() -> None:
    with serve(lambda handler: handler.send(200, ("Content-Length", "99999"), body=JPEG)) as server:
        assert get(f"http://{server.place}/x") == JPEG


def test_of_pictures_without_an_end_the_first_is_taken() -> None:
    def page(handler: Handler) -> None:
        handler.send(200, ("Content-Type", "image/jpeg"), body=JPEG + JPEG)
        handler.wfile.flush()
        time.sleep(5)

    with serve(page) as server:
        assert get(f"http://{server.place}/x") == JPEG


def test_pictures_in_parts_give_the_first() -> None:
    jpeg = encode(Codec.MJPEG, [scene(320, 240)])[0]

    def page(handler: Handler) -> None:
        handler.send(200, ("Content-Type", "multipart/x-mixed-replace; boundary=b"))
        for _ in range(20):
            handler.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
            handler.wfile.write(jpeg + b"\r\n")
            time.sleep(0.1)

    with serve(page) as server:
        assert get(f"http://{server.place}/x") == jpeg


def test_chunks_are_put_together() -> None:
    def page(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send(200, ("Transfer-Encoding", "chunked"))
        for place in range(0, len(JPEG), 1000):
            part = JPEG[place : place + 1000]
            handler.wfile.write(b"%x\r\n" % len(part) + part + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")
        handler.wfile.flush()
        time.sleep(3)  # a server that keeps the connection open

    with serve(page) as server:
        began = time.monotonic()
        assert get(f"http://{server.place}/x") == JPEG
        assert time.monotonic() - began < 2
