"""A camera that gives JPEG snapshots over HTTP with Digest authentication (RFC 7616, MD5), and a page of HTML."""

import hashlib
import http.server
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

REALM = "trial"


class _Camera(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pictures: dict[str, list[bytes]], user: str, password: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pictures, self.nonce = pictures, secrets.token_hex(8)
        self.secret = _md5(f"{user}:{REALM}:{password}")


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        camera = self.server
        assert isinstance(camera, _Camera)
        if not self._knows(camera):
            self.send_response(401)
            self.send_header("WWW-Authenticate", f'Digest realm="{REALM}", qop="auth", nonce="{camera.nonce}"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path == "/page.html":
            self._send("text/html", b"<html><body>log in</body></html>")
        elif pictures := camera.pictures.get(self.path.strip("/")):
            self._send("image/jpeg", pictures[int(time.time()) % len(pictures)])
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass

    def _knows(self, camera: _Camera) -> bool:
        header = self.headers.get("Authorization") or ""
        sent = {name: a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
        if not header.startswith("Digest ") or sent.get("nonce") != camera.nonce:
            return False
        middle = ":".join(sent.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        return sent.get("response") == _md5(f"{camera.secret}:{middle}:{_md5(f'GET:{self.path}')}")

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@contextmanager
def snapshot_camera(pictures: dict[str, list[bytes]], user: str, password: str) -> Iterator[int]:
    """Serve pictures by name, one after the other by the second. Gives the port."""
    with _Camera(pictures, user, password) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
