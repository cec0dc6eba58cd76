"""One attempt: a signed event is POSTed to an endpoint, within its time."""

import asyncio
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from engine import __version__
from engine.clock import NS_PER_S, monotonic_ns
from engine.config.notices import EndpointSettings
from engine.errors import ConfigError
from engine.model.notice import Notice
from engine.notices.attempt import Answer, Outcome, outcome_of, retry_after_ns
from engine.notices.cloud_events import CONTENT_TYPE, event_bytes, event_id
from engine.notices.signature import headers, parse_secrets
from engine.redact import redact

_READ_BYTES_MAX = 65_536
"""Of an answer; a longer one costs the connection."""
_SAID_CHARS = 120


class Webhook:
    """Connections to endpoints. One event loop; `async with`.

    Proxies of the environment are not used and redirects not followed: a notice goes where the configuration says.
    """

    def __init__(self) -> None:
        self._clients: dict[str, tuple[int, httpx.AsyncClient]] = {}
        self._known: dict[str, tuple[int, tuple[bytes, ...]]] = {}

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        for _, client in self._clients.values():
            await client.aclose()

    async def send(self, endpoint: EndpointSettings, notice: Notice, source: str, now_wall_ns: int) -> Answer:
        """Send one notice, and say what came of it; raises nothing that an endpoint or a file can bring about."""
        try:
            body = event_bytes(notice, source)
        except ValueError as error:
            return Answer(Outcome.INTERNAL, _line(str(error)))
        try:
            secrets = await self._secrets(endpoint.secret_file)
            client = await self._client(endpoint.ca_file)
        except ConfigError as error:
            return Answer(Outcome.NO_SECRET, _line(str(error)))
        signed = headers(secrets, event_id(notice), now_wall_ns // NS_PER_S, body)
        try:
            async with asyncio.timeout(endpoint.timeout_s):
                return await _post(client, endpoint.url, {"content-type": CONTENT_TYPE} | signed, body, now_wall_ns)
        except TimeoutError:
            return Answer(Outcome.TIMEOUT, f"no answer within {endpoint.timeout_s:g} s")
        except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
            return Answer(Outcome.UNREACHABLE, _line(str(error)))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Answer(Outcome.BROKEN, _line(f"{type(error).__name__}: {error}"))

    async def _secrets(self, path: str) -> tuple[bytes, ...]:
        """An exchanged secret counts a second later."""
        now_ns = monotonic_ns()
        read_ns, secrets = self._known.get(path, (0, ()))
        if not secrets or now_ns - read_ns > NS_PER_S:
            secrets = await asyncio.to_thread(_read_secrets, path)
            self._known[path] = (now_ns, secrets)
        return secrets

    async def _client(self, ca_file: str) -> httpx.AsyncClient:
        """Whoever trusts the same has the same connections; an exchanged file counts from the next notice on."""
        changed_ns = await asyncio.to_thread(_changed_ns, ca_file) if ca_file else 0
        known = self._clients.get(ca_file)
        if known is not None and known[0] == changed_ns:
            return known[1]
        # Time is bounded around the whole of an attempt: httpx bounds each read by itself, and a server that sends a
        # byte now and then would hold on for ever.
        client = httpx.AsyncClient(
            verify=await asyncio.to_thread(_trust, ca_file),
            timeout=None,  # noqa: S113
            trust_env=False,
            follow_redirects=False,
            headers={"user-agent": f"kitchen-patrol/{__version__}", "accept": "application/json, text/plain, */*"},
        )
        self._clients[ca_file] = (changed_ns, client)
        return client


def send_once(endpoint: EndpointSettings, notice: Notice, source: str, now_wall_ns: int) -> Answer:
    """Send one notice on a connection of its own, and wait for what comes of it."""

    async def send() -> Answer:
        async with Webhook() as webhook:
            return await webhook.send(endpoint, notice, source, now_wall_ns)

    return asyncio.run(send())


async def _post(client: httpx.AsyncClient, url: str, sent: dict[str, str], body: bytes, now_wall_ns: int) -> Answer:
    async with client.stream("POST", url, content=body, headers=sent) as response:
        outcome = outcome_of(response.status_code)
        said = bytearray()
        async for chunk in response.aiter_raw():
            said += chunk
            if len(said) > _READ_BYTES_MAX:
                break
        wait = response.headers.get("retry-after")
    words = f"HTTP {response.status_code} {said[:_READ_BYTES_MAX].decode('utf-8', 'replace')}"
    return Answer(outcome, _line(words), None if wait is None else retry_after_ns(wait, now_wall_ns))


def _read_secrets(path: str) -> tuple[bytes, ...]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"secret_file = {path!r}: cannot be read ({error}); give a readable file") from error
    return parse_secrets(text, path)


def _changed_ns(ca_file: str) -> int:
    try:
        return Path(ca_file).stat().st_mtime_ns
    except OSError:
        return 0  # the reading of it says what is wrong


def _trust(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigError(f"ca_file = {ca_file!r}: {error}; give a PEM file of who signed the certificate") from error


def _line(text: str) -> str:
    """One short line that can be shown: what a stranger sent may hold anything."""
    printable = "".join(char if char.isprintable() else " " for char in redact(text))
    return " ".join(printable.split())[:_SAID_CHARS]
