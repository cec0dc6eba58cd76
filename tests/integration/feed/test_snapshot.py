"""Snapshots over HTTP from real servers: logins, redirects, proxies, and bodies that never end."""

import base64
import contextlib
import hashlib
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.clock import monotonic_ns, ns
from engine.feed.snapshot import get_page
from engine.model.keyframe import PAYLOAD_BYTES_MAX
from tests.support.certificates import certificate

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


def get(url: str, timeout_s: float = 2.0, deadline_s: float = 5.0, tls_verify: bool = True) -> bytes | None:
    return get_page(url, timeout_s, monotonic_ns() + ns(deadline_s), tls_verify).jpeg


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
        assert get(f"http://admin:guess@{server.place}/snap.jpg") is None
        assert get(f"http://{server.place}/snap.jpg") is None
        assert len(server.requests) == 3


def test_a_stale_nonce_is_answered_once_more() -> None:
    nonces = iter(["n1", "n2", "n3", "n4"])

    def page(handler: Handler) -> None:
        if is_digest(handler.headers.get("Authorization") or "", handler.path, nonce="n2"):
            send_jpeg(handler)
        else:
            challenge = DIGEST.format("MD5").replace("n1", next(nonces)) + ", stale=true"
            handler.send(401, ("WWW-Authenticate", challenge))

    with serve(page) as server:
        assert get(f"http://{LOGIN}{server.place}/snap.jpg") == JPEG
        assert get(f"http://{LOGIN}{server.place}/snap.jpg") is None
        assert len(server.requests) == 6


def test_redirects_are_not_followed() -> None:
    with serve(send_jpeg) as other:

        def page(handler: Handler) -> None:
            handler.send(302, ("Location", f"http://{other.place}/elsewhere"))

        with serve(page) as server:
            assert get(f"http://{LOGIN}{server.place}/snap.jpg") is None
        assert other.requests == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(send_jpeg) as server, serve(lambda handler: handler.send(502)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.place}")
        assert get(f"http://{server.place}/snap.jpg") == JPEG
        assert proxy.requests == []


def test_a_certificate_that_nobody_signed_is_taken_only_where_the_configuration_says_so(tmp_path: Path) -> None:
    _, tls = certificate(tmp_path)
    with serve(send_jpeg) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        assert get(f"https://{server.place}/snap.jpg") is None
        assert get(f"https://{server.place}/snap.jpg", tls_verify=False) == JPEG


def test_what_is_no_jpeg_is_left_after_its_first_bytes() -> None:
    sent = []

    def page(handler: Handler) -> None:
        handler.send(200, body=b"<html>")
        for _ in range(400):
            handler.wfile.write(bytes(65_536))
            sent.append(65_536)

    with serve(page) as server:
        assert get(f"http://{server.place}/x") is None
    assert sum(sent) < PAYLOAD_BYTES_MAX


def test_a_body_without_an_end_is_left_when_it_is_too_large() -> None:
    def page(handler: Handler) -> None:
        handler.send(200, body=JPEG[:4])
        while True:
            handler.wfile.write(bytes(65_536))

    with serve(page) as server:
        assert get(f"http://{server.place}/x") is None


@pytest.mark.parametrize("status", [200, 401])
def test_a_body_that_drips_ends_at_the_deadline(status: int) -> None:
    def page(handler: Handler) -> None:
        handler.send(status, ("WWW-Authenticate", BASIC), body=JPEG[:4])
        while True:
            handler.wfile.write(b"\0")
            time.sleep(0.05)

    with serve(page) as server:
        began = time.monotonic()
        assert get(f"http://{LOGIN}{server.place}/x", deadline_s=0.6) is None
        assert time.monotonic() - began < 2


def test_a_server_that_stalls_ends_with_the_timeout() -> None:
    def page(handler: Handler) -> None:
        handler.send(200, body=JPEG[:4])
        time.sleep(5)

    with serve(page) as server:
        began = time.monotonic()
        assert get(f"http://{server.place}/x", timeout_s=0.3) is None
        assert get(f"http://{server.place}/x", deadline_s=0.3) is None
        assert time.monotonic() - began < 3


def test_a_body_shorter_than_announced_is_left_to_the_decoder() -> None:
    with serve(lambda handler: handler.send(200, ("Content-Length", "99999"), body=JPEG)) as server:
        assert get(f"http://{server.place}/x") == JPEG


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://no-such-host.invalid/x", "http://[::1]:bad/x"])
def test_places_that_do_not_answer_bring_nothing(url: str) -> None:
    assert get(url) is None
