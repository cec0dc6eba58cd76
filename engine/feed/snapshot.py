"""Fetches a JPEG from a camera's snapshot page, for cameras that give no length, which FFmpeg takes for cut short."""

import contextlib
import secrets
from urllib.parse import unquote, urlsplit

import httpx

from engine.clock import monotonic_ns, seconds
from engine.feed.rtsp import auth
from engine.feed.tls import client_context
from engine.media.jpeg import START_OF_IMAGE
from engine.model.keyframe import PAYLOAD_BYTES_MAX

_START = START_OF_IMAGE + b"\xff"
_HEADERS = {"user-agent": "kitchen-patrol", "accept": "image/jpeg, */*", "accept-encoding": "identity"}
_CHALLENGES_MAX = 2
"""401s that are answered: the second is for a nonce that has become stale."""


def get_jpeg(url: str, timeout_s: float, deadline_ns: int, tls_verify: bool) -> bytes | None:
    """Return the JPEG at `url` (http or https, Basic or Digest); None if there is none, or it is too large or too late.

    `timeout_s` bounds each wait, `deadline_ns` (monotonic) all of them. Proxies of the environment are not used and
    redirects not followed.
    """
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    # httpx would send the password of a URL unasked, as Basic; its DigestAuth reads bodies of any size.
    try:
        with httpx.Client(
            verify=client_context(tls_verify), trust_env=False, follow_redirects=False, headers=_HEADERS
        ) as client:
            return _get(client, bare, login, timeout_s, deadline_ns)
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return None


def _get(
    client: httpx.Client, url: str, login: tuple[str, str] | None, timeout_s: float, deadline_ns: int
) -> bytes | None:
    headers: dict[str, str] = {}
    challenge: auth.Challenge | None = None
    for _ in range(1 + _CHALLENGES_MAX):
        left_s = seconds(deadline_ns - monotonic_ns())
        if left_s <= 0:
            return None
        with client.stream("GET", url, headers=headers, timeout=min(timeout_s, left_s)) as response:
            if response.is_success:
                return _read_jpeg(response, deadline_ns)
            previous, challenge = challenge, auth.choose("\n".join(response.headers.get_list("www-authenticate")))
            if response.status_code != 401 or login is None or challenge is None or challenge == previous:
                return None
            target = response.request.url.raw_path.decode("ascii")
            headers["authorization"] = auth.authorization(challenge, *login, "GET", target, 1, secrets.token_hex(8))
    return None


def _read_jpeg(response: httpx.Response, deadline_ns: int) -> bytes | None:
    body = bytearray()
    with contextlib.suppress(httpx.RemoteProtocolError):  # a picture that was cut off is for the decoder to judge
        for chunk in response.iter_raw():
            body += chunk
            too_late = monotonic_ns() > deadline_ns
            if too_late or len(body) > PAYLOAD_BYTES_MAX or not body.startswith(_START[: len(body)]):
                return None
    return bytes(body) if body.startswith(_START) else None
