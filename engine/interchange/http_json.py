"""Fetches JSON from a media platform over HTTP, bounded in time and size.

Redirects and proxies of the environment are not followed: either could carry a secret to somewhere else.
"""

import asyncio
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from engine import __version__
from engine.errors import ConfigError, PlatformError
from engine.redact import MASK, redact, redact_url

_READ_CHARS = 65_536
"""At most so much of a body is searched for secrets before its beginning is quoted."""
_SHOWN_CHARS = 200


class PlatformHttp:
    """HTTP access to one platform.

    `query` and `headers` are sent with every request and may hold secrets; no message repeats their values. `timeout_s`
    bounds every request as a whole, `bytes_max` the body of its answer. https is verified against the system's
    certificates, or against those in `ca` instead.
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
        """Raises ConfigError if `url` is no http or https URL without a password, or `ca` cannot be read."""
        https, self.host = _parse_url(url)
        self.name = url.rstrip("/")
        self._query = dict(query or {})
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        self._bytes_max = bytes_max
        self._verify: ssl.SSLContext | bool = _trust(ca) if https else False  # plain http has no certificate

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """Return the parsed JSON of an answer.

        Raises PlatformError, with the HTTP status if there was one, if the platform cannot be reached within the time,
        or answers with another status than 200, too many bytes, or something that is not JSON.
        """
        try:
            status, body = self._run(f"{self.name}{path}?{urlencode({**self._query, **query})}")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise PlatformError(f"{self.name}{path}: {self._reason(error)}") from error
        if status != HTTPStatus.OK:
            moved = "; redirects are not followed, give the URL it leads to" if 300 <= status < 400 else ""
            raise PlatformError(f"{self.name}{path}: HTTP {status}: {self._excerpt(body)!r}{moved}", status)
        if len(body) > self._bytes_max:
            raise PlatformError(
                f"{self.name}{path}: more than {self._bytes_max} bytes; ask for less, or raise --bytes-max"
            )
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise PlatformError(
                f"{self.name}{path}: no JSON but {self._excerpt(body)!r}; is this the platform's HTTP API?"
            ) from error

    def masked(self, text: str) -> str:
        """Return the text with this platform's secrets masked, in case the platform repeats them."""
        for secret in (*self._query.values(), *self._headers.values()):
            if secret:
                text = text.replace(secret, MASK)
        return redact(text)

    def _run(self, url: str) -> tuple[int, bytes]:
        # Not asyncio.run: it ends by waiting for its threads, and one may still be resolving the host name.
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(self._exchange(url))
        finally:
            loop.close()

    async def _exchange(self, url: str) -> tuple[int, bytes]:
        """Return the status and the body, which is cut off soon after `bytes_max`. Raises TimeoutError."""
        # Uncompressed, so that `bytes_max` bounds what arrives as well as what it unpacks to.
        headers = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "connection": "close",
            "user-agent": f"kitchen-patrol/{__version__}",
        }
        body = bytearray()
        # httpx bounds each read by itself, so a server that sends a byte now and then would never time out.
        async with asyncio.timeout(self._timeout_s):
            async with (
                httpx.AsyncClient(
                    verify=self._verify,
                    timeout=None,  # noqa: S113 (the whole exchange is bounded above)
                    trust_env=False,
                    follow_redirects=False,
                    headers=headers,
                ) as client,
                client.stream("GET", url, headers=self._headers) as response,
            ):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > self._bytes_max:
                        break
                return response.status_code, bytes(body)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout_s:g} s; is it up, or does it need --timeout-s?"
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"its certificate does not hold ({cause.verify_message}); give who signed it with --platform-ca"
        for cause in causes:
            if isinstance(cause, OSError) and cause.errno is not None:
                return f"{_os_message(cause)}; is the address right, and the platform up?"
        return f"no HTTP ({type(error).__name__}); is the port that of its HTTP API, and the secret one line of text?"

    def _excerpt(self, body: bytes) -> str:
        return self.masked(body[:_READ_CHARS].decode("utf-8", "replace"))[:_SHOWN_CHARS]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what caused it, including the members of exception groups."""
    if error is None:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _causes(member)
    yield from _causes(error.__cause__ or error.__context__)


def _os_message(error: OSError) -> str | None:
    """The operating system's own words: asyncio puts the address in their place."""
    own_numbers = isinstance(error, socket.gaierror | ssl.SSLError)
    return error.strerror if own_numbers or error.errno is None else os.strerror(error.errno)


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:
        raise ConfigError(f"{ca}: {error}; give a PEM file of who signed the platform's certificate") from error


def _parse_url(url: str) -> tuple[bool, str]:
    """Return whether the URL is https, and its host. Raises ConfigError."""
    try:
        parts = urlsplit(url)
        _ = parts.port, httpx.URL(url)  # both raise if the URL is malformed
    except (ValueError, httpx.InvalidURL) as error:
        raise ConfigError(f"{redact_url(url)!r}: {error}; give a URL like https://media.example:8443") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in url:
        raise ConfigError(
            f"{redact_url(url)!r}: wanted: http or https, a host, a port, perhaps a path, and no password; "
            "give a URL like https://media.example:8443"
        )
    return parts.scheme == "https", parts.hostname.lower()
