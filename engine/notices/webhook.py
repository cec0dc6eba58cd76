"""One attempt: a signed event is POSTed to an endpoint, within its time."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from engine import __version__
from engine.clock import NS_PER_S, monotonic_ns
from engine.config.notices import EndpointSettings
from engine.config.reading.bounded_file import read_bounded
from engine.errors import ConfigError
from engine.model.notice import Notice
from engine.notices.attempt import AttemptResult, Outcome, outcome_of, retry_after_ns
from engine.notices.cloud_events import CONTENT_TYPE, event_bytes, event_id
from engine.notices.signature import headers, parse_secrets
from engine.redact import redact

_ANSWER_BYTES_MAX = 65_536
"""Most bytes read of an answer; a longer one closes the connection."""
_DETAIL_CHARS_MAX = 120
_ADDRESSES_MAX = 8
"""Most addresses of one name that are tried."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
IsRefused = Callable[[str, Address], bool]
"""Whether a webhook to a host, which resolves to this address, must not be sent there."""
_SECRETS_BYTES_MAX = 65_536


class Webhook:
    """The HTTP connections to endpoints. Use it with `async with`, in one event loop.

    Proxy settings of the environment are ignored and redirects are not followed: a notice goes to the configured URL.
    `is_refused` is asked of the addresses of its host, and the connection is made to one of those.
    """

    def __init__(self, is_refused: IsRefused) -> None:
        self._is_refused = is_refused
        self._trusts: dict[str, tuple[int, ssl.SSLContext]] = {}
        self._clients: dict[tuple[str, str], tuple[ssl.SSLContext, httpx.AsyncClient]] = {}
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
            trust = await self._trust(endpoint.ca_file)
        except ConfigError as error:
            return AttemptResult(Outcome.NO_SECRET, _line(str(error)))
        signed = headers(secrets, event_id(notice), now_wall_ns // NS_PER_S, body)
        try:
            url = httpx.URL(endpoint.url)
            client = self._client(endpoint.ca_file, url.host, trust)
            async with asyncio.timeout(endpoint.timeout_s):
                return await self._post(client, url, {"content-type": CONTENT_TYPE} | signed, body, now_wall_ns)
        except TimeoutError:
            return AttemptResult(Outcome.TIMEOUT, f"no answer within {endpoint.timeout_s:g} s")
        except (httpx.ConnectError, httpx.UnsupportedProtocol, socket.gaierror) as error:
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

    async def _post(
        self, client: httpx.AsyncClient, url: httpx.URL, headers: dict[str, str], body: bytes, now_wall_ns: int
    ) -> AttemptResult:
        """Send it to the first address of the host that takes a connection. Raises httpx.ConnectError if none does."""
        host = url.raw_host.decode("ascii")
        refused: Address | None = None
        failure: httpx.ConnectError | None = None
        for address in (await _addresses(host, url.port))[:_ADDRESSES_MAX]:
            if self._is_refused(url.host, address):
                refused = address
                continue
            try:
                return await _post(client, url.copy_with(host=str(address)), url, headers, body, now_wall_ns)
            except httpx.ConnectError as error:
                failure = error
        if failure is not None:
            raise failure
        raise httpx.ConnectError(
            f"{host} resolves to {refused}, an address of this machine or its surroundings; "
            "if that is right, give the address in the endpoint's url"
        )

    async def _trust(self, ca_file: str) -> ssl.SSLContext:
        """Return whom to trust by a CA file; a changed file is read again. Raises ConfigError."""
        changed_ns = await asyncio.to_thread(_changed_ns, ca_file) if ca_file else 0
        cached = self._trusts.get(ca_file)
        if cached is None or cached[0] != changed_ns:
            cached = self._trusts[ca_file] = (changed_ns, await asyncio.to_thread(_read_trust, ca_file))
        return cached[1]

    def _client(self, ca_file: str, host: str, trust: ssl.SSLContext) -> httpx.AsyncClient:
        """Return the client for a host and CA file.

        Not shared among hosts: they may have one address, and a connection is kept by address and port.
        """
        cached = self._clients.get((ca_file, host))
        if cached is not None and cached[0] is trust:
            return cached[1]
        # The timeout covers the whole attempt: httpx limits each read by itself, so a server that sends a byte now and
        # then could keep the connection for ever.
        client = httpx.AsyncClient(
            verify=trust,
            timeout=None,  # noqa: S113
            trust_env=False,
            follow_redirects=False,
            headers={"user-agent": f"kitchen-patrol/{__version__}", "accept": "application/json, text/plain, */*"},
        )
        self._clients[ca_file, host] = (trust, client)
        return client


def send_once(
    endpoint: EndpointSettings, notice: Notice, source: str, now_wall_ns: int, is_refused: IsRefused
) -> AttemptResult:
    """Send one notice on a connection of its own; return the result."""

    async def send() -> AttemptResult:
        async with Webhook(is_refused) as webhook:
            return await webhook.send(endpoint, notice, source, now_wall_ns)

    return asyncio.run(send())


async def _addresses(host: str, port: int | None) -> list[Address]:
    """Return the addresses of a host, in the order of preference. Raises socket.gaierror."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(address[0]) for *_, address in found]


async def _post(
    client: httpx.AsyncClient,
    to: httpx.URL,
    url: httpx.URL,
    request_headers: dict[str, str],
    body: bytes,
    now_wall_ns: int,
) -> AttemptResult:
    """POST to the address in `to`, and speak to the host in `url`."""
    named = {**request_headers, "host": url.netloc.decode("ascii")}
    secure = {"sni_hostname": url.raw_host.decode("ascii")}
    async with client.stream("POST", to, content=body, headers=named, extensions=secure) as response:
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
        return 0  # _read_trust reports what is wrong


def _read_trust(ca_file: str) -> ssl.SSLContext:
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
