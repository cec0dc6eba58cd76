"""JSON over HTTP from a media platform, bounded in time and size. Redirects and proxies are not followed: with them
a secret would go where nobody sent it."""

import http.client
import json
import queue
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from engine.errors import ConfigError, PlatformError
from engine.redact import MASK, redact

_CHUNK_BYTES = 65_536
_SAID_CHARS = 200


class PlatformHttp:
    """One platform. `query` and `headers` go with every request and may hold secrets: no message repeats their values.

    `timeout_s` bounds every request as a whole, `bytes_max` what it may bring. https is verified, by the certificates
    of the system or, instead, by those in `ca`. Raises ConfigError for a URL or a file that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        ca: Path | None = None,
        timeout_s: float = 60.0,
        bytes_max: int = 32 << 20,
    ) -> None:
        https, self.host, self._port, self._prefix = _parse(url)
        self.name = url.rstrip("/")
        self._query = dict(query or {})
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        self._bytes_max = bytes_max
        self._tls = _verified(ca) if https else None

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The JSON of an answer. Raises PlatformError with what went wrong, and the HTTP status if there was one."""
        target = f"{self._prefix}{path}?{urlencode({**self._query, **query})}"
        outcome = self._within_time(target)
        if isinstance(outcome, Exception):
            raise PlatformError(f"{self.name}{path}: {self._reason(outcome)}") from outcome
        status, body = outcome
        if status != http.client.OK:
            moved = "; redirects are not followed, give the URL it leads to" if 300 <= status < 400 else ""
            raise PlatformError(f"{self.name}{path}: HTTP {status}: {self._shown(body)!r}{moved}", status)
        if len(body) > self._bytes_max:
            raise PlatformError(
                f"{self.name}{path}: more than {self._bytes_max} bytes; ask for less, or raise --bytes-max"
            )
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise PlatformError(
                f"{self.name}{path}: no JSON but {self._shown(body)!r}; is this the platform's HTTP API?"
            ) from error

    def masked(self, text: str) -> str:
        """The text without our secrets, should a platform repeat them."""
        for secret in (*self._query.values(), *self._headers.values()):
            if secret:
                text = text.replace(secret, MASK)
        return redact(text)

    def _within_time(self, target: str) -> tuple[int, bytes] | Exception:
        """The exchange, in a thread that may be given up: names, handshakes and slow bytes all count."""
        outcomes: queue.SimpleQueue[tuple[int, bytes] | Exception] = queue.SimpleQueue()

        def run() -> None:
            try:
                outcomes.put(self._exchange(target))
            except Exception as error:  # noqa: BLE001 (told where it can be told)
                outcomes.put(error)

        threading.Thread(target=run, name="platform", daemon=True).start()
        try:
            return outcomes.get(timeout=self._timeout_s)
        except queue.Empty:
            return TimeoutError()

    def _exchange(self, target: str) -> tuple[int, bytes]:
        with closing(self._connection()) as connection:
            headers = {"Accept": "application/json", "Connection": "close"} | self._headers
            connection.request("GET", target, headers=headers)
            reply = connection.getresponse()
            body = bytearray()
            while len(body) <= self._bytes_max and (chunk := reply.read(_CHUNK_BYTES)):
                body += chunk
            return reply.status, bytes(body)

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self.host, self._port, timeout=self._timeout_s, context=self._tls)
        return http.client.HTTPConnection(self.host, self._port, timeout=self._timeout_s)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout_s:g} s; is it up, or does it need --timeout-s?"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate does not hold ({error.verify_message}); give who signed it with --platform-ca"
        if isinstance(error, OSError):
            return f"{error.strerror or type(error).__name__}; is the address right, and the platform up?"
        return f"no HTTP ({type(error).__name__}); is the port that of its HTTP API, and the secret one line of text?"

    def _shown(self, body: bytes) -> str:
        """The beginning of a body."""
        return self.masked(body[:_CHUNK_BYTES].decode("utf-8", "replace"))[:_SAID_CHARS]


def _verified(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:
        raise ConfigError(f"{ca}: {error}; give a PEM file of who signed the platform's certificate") from error


def _parse(url: str) -> tuple[bool, str, int | None, str]:
    """https or not, host, port, path before that of the API."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{redact(url)!r}: {error}; give a URL like https://media.example:8443") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in url:
        raise ConfigError(
            f"{redact(url)!r}: wanted: http or https, a host, a port, perhaps a path, and no password; "
            "give a URL like https://media.example:8443"
        )
    return parts.scheme == "https", parts.hostname.lower(), port, parts.path.rstrip("/")
