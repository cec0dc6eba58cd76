"""One attempt: a signed event is POSTed to an endpoint, within its time."""

import asyncio
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from engine import __version__
from engine.clock import NS_PER_S, monotonic_ns
from engine.config.bounded_file import read_bounded
from engine.config.notices import EndpointSettings
from engine.errors import ConfigError
from engine.model.notice import Notice
from engine.notices.attempt import AttemptResult, Outcome, outcome_of, retry_after_ns
from engine.notices.cloud_events import CONTENT_TYPE, event_bytes, event_id
from engine.notices.signature import headers, parse_secrets
from engine.redact import redact

_ANSWER_BYTES_MAX = 65_536
"""Most bytes read of an answer; a longer one closes the connection."""
_DETAIL_CHARS_MAX = 120
_SECRETS_BYTES_MAX = 65_536


class Webhook:
    """The HTTP connections to endpoints. Use it with `async with`, in one event loop.

    Proxy settings of the environment are ignored and redirects are not followed: a notice goes to the configured URL.
    """

    def __init__(self) -> None:
        self._clients: dict[str, tuple[int, httpx.AsyncClient]] = {}
        self._secrets_read: dict[str, tuple[int, tuple[bytes, ...]]] = {}

    async def __aenter__(self) -> Self:
        """Return itself; connections are opened when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        for _, client in self._clients.values():
            await client.aclose()

    async def send(self, endpoint: EndpointSettings, notice: Notice, source: str, now_wall_ns: int) -> AttemptResult:
        """Send one notice and return the result. No answer of an endpoint and no bad file makes it raise."""
        try:
            body = event_bytes(notice, source)
        except ValueError as error:
            return AttemptResult(Outcome.INTERNAL, _line(str(error)))
        try:
            secrets = await self._secrets(endpoint.secret_file)
            client = await self._client(endpoint.ca_file)
        except ConfigError as error:
            return AttemptResult(Outcome.NO_SECRET, _line(str(error)))
        signed = headers(secrets, event_id(notice), now_wall_ns // NS_PER_S, body)
        try:
            async with asyncio.timeout(endpoint.timeout_s):
                return await _post(client, endpoint.url, {"content-type": CONTENT_TYPE} | signed, body, now_wall_ns)
        except TimeoutError:
            return AttemptResult(Outcome.TIMEOUT, f"no answer within {endpoint.timeout_s:g} s")
        except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
            return AttemptResult(Outcome.UNREACHABLE, _line(str(error)))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return AttemptResult(Outcome.BROKEN, _line(f"{type(error).__name__}: {error}"))

    async def _secrets(self, path: str) -> tuple[bytes, ...]:
        """Return the secrets of a file, which is read at most once a second."""
        now_ns = monotonic_ns()
        read_ns, secrets = self._secrets_read.get(path, (0, ()))
        if not secrets or now_ns - read_ns > NS_PER_S:
            secrets = await asyncio.to_thread(_read_secrets, path)
            self._secrets_read[path] = (now_ns, secrets)
        return secrets

    async def _client(self, ca_file: str) -> httpx.AsyncClient:
        """Return the client for a CA file, shared by all endpoints with that file; a changed file makes a new one."""
        changed_ns = await asyncio.to_thread(_changed_ns, ca_file) if ca_file else 0
        cached = self._clients.get(ca_file)
        if cached is not None and cached[0] == changed_ns:
            return cached[1]
        # The timeout covers the whole attempt: httpx limits each read by itself, so a server that sends a byte now and
        # then could keep the connection for ever.
        client = httpx.AsyncClient(
            verify=await asyncio.to_thread(_trust, ca_file),
            timeout=None,  # noqa: S113
            trust_env=False,
            follow_redirects=False,
            headers={"user-agent": f"kitchen-patrol/{__version__}", "accept": "application/json, text/plain, */*"},
        )
        self._clients[ca_file] = (changed_ns, client)
        return client


def send_once(endpoint: EndpointSettings, notice: Notice, source: str, now_wall_ns: int) -> AttemptResult:
    """Send one notice on a connection of its own; return the result."""

    async def send() -> AttemptResult:
        async with Webhook() as webhook:
            return await webhook.send(endpoint, notice, source, now_wall_ns)

    return asyncio.run(send())


async def _post(
    client: httpx.AsyncClient, url: str, request_headers: dict[str, str], body: bytes, now_wall_ns: int
) -> AttemptResult:
    async with client.stream("POST", url, content=body, headers=request_headers) as response:
        outcome = outcome_of(response.status_code)
        answer = bytearray()
        async for chunk in response.aiter_raw():
            answer += chunk
            if len(answer) > _ANSWER_BYTES_MAX:
                break
        wait = response.headers.get("retry-after")
    detail = f"HTTP {response.status_code} {answer[:_ANSWER_BYTES_MAX].decode('utf-8', 'replace')}"
    return AttemptResult(outcome, _line(detail), None if wait is None else retry_after_ns(wait, now_wall_ns))


def _read_secrets(path: str) -> tuple[bytes, ...]:
    try:
        text = read_bounded(path, _SECRETS_BYTES_MAX).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"secret_file = {path!r}: cannot be read ({error}); give a readable file") from error
    return parse_secrets(text, path)


def _changed_ns(ca_file: str) -> int:
    try:
        return Path(ca_file).stat().st_mtime_ns
    except OSError:
        return 0  # _trust reports what is wrong


def _trust(ca_file: str) -> ssl.SSLContext:
    try:
        if not ca_file:
            return ssl.create_default_context()
        pem = read_bounded(ca_file).decode("ascii", "ignore")  # beside the certificates there may be comments
        if not pem.strip():
            raise OSError("the file is empty")  # Python would trust the system's authorities
        return ssl.create_default_context(cadata=pem)
    except OSError as error:  # an ssl.SSLError is one
        raise ConfigError(f"ca_file = {ca_file!r}: {error}; give a PEM file of who signed the certificate") from error


def _line(text: str) -> str:
    """Return the text as one short printable line, passwords masked; what an endpoint sent may hold anything."""
    printable = "".join(char if char.isprintable() else " " for char in redact(text))
    return " ".join(printable.split())[:_DETAIL_CHARS_MAX]
