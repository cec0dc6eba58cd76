"""Asks an HTTP server what it has at a camera's URL, where FFmpeg finds no stream.

It may be a JPEG without a length, which FFmpeg takes for cut short, or a web page: a login, an error, a path that is
wrong.
"""

import contextlib
import secrets
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import httpx

from engine.clock import monotonic_ns, seconds
from engine.feed.rtsp import auth
from engine.feed.tls import client_context
from engine.media.jpeg import START_OF_IMAGE
from engine.model.keyframe import PAYLOAD_BYTES_MAX
from engine.redact import redact

_START = START_OF_IMAGE + b"\xff"
_HEADERS = {"user-agent": "kitchen-patrol", "accept": "image/jpeg, */*", "accept-encoding": "identity"}
_CHALLENGES_MAX = 2
"""401s that are answered: the second is for a nonce that has become stale."""
_HTML_KINDS = ("text/html", "application/xhtml+xml")
_HTML_STARTS = (b"<!doctype html", b"<html")
_BEGIN_BYTES = 256
_LOCATION_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Page:
    """What the server has there. `jpeg`: the picture; None if it is none, too large or too late.

    `kind`: media type in lower case, like text/html; empty if the server did not say. `location`: where it sends
    callers on to, without passwords; empty if it does not. `begin`: the first bytes. `answered`: whether it said 2xx
    and the body came to its end, or to something that is no JPEG. `is_late`: whether it stalled, or a JPEG had no end.
    """

    jpeg: bytes | None = None
    kind: str = ""
    location: str = ""
    begin: bytes = b""
    answered: bool = False
    is_late: bool = False

    @property
    def is_html(self) -> bool:
        """Whether it is a web page, by its type or its first bytes."""
        return self.kind in _HTML_KINDS or self.begin.lstrip().lower().startswith(_HTML_STARTS)

    @property
    def is_empty(self) -> bool:
        """Whether the server answered, with a body of no bytes."""
        return self.answered and not self.begin

    @property
    def is_text(self) -> bool:
        """Whether it is text of another kind: XML or JSON, mostly an error."""
        return self.kind.startswith("text/") or self.kind.endswith(("/json", "/xml", "+json", "+xml"))


def get_page(url: str, timeout_s: float, deadline_ns: int, tls_verify: bool, *, with_picture: bool = True) -> Page:
    """Return what is at `url` (http or https, Basic or Digest); empty if nobody answers, or with an error.

    `timeout_s` bounds each wait, `deadline_ns` (monotonic) all of them. `with_picture`: read a JPEG to its end. Proxies
    of the environment are not used and redirects not followed.
    """
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    # httpx would send the password of a URL unasked, as Basic; its DigestAuth reads bodies of any size.
    try:
        with httpx.Client(
            verify=client_context(tls_verify), trust_env=False, follow_redirects=False, headers=_HEADERS
        ) as client:
            return _get(client, bare, login, timeout_s, deadline_ns, with_picture)
    except httpx.ReadTimeout:
        return Page(is_late=True)
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return Page()


def _get(
    client: httpx.Client,
    url: str,
    login: tuple[str, str] | None,
    timeout_s: float,
    deadline_ns: int,
    with_picture: bool,
) -> Page:
    headers: dict[str, str] = {}
    challenge: auth.Challenge | None = None
    for _ in range(1 + _CHALLENGES_MAX):
        left_s = seconds(deadline_ns - monotonic_ns())
        if left_s <= 0:
            return Page()
        with client.stream("GET", url, headers=headers, timeout=min(timeout_s, left_s)) as response:
            if response.is_success:
                return _read(response, deadline_ns, with_picture)
            if response.has_redirect_location:
                return Page(location=redact(response.headers["location"])[:_LOCATION_CHARS_MAX])
            previous, challenge = challenge, auth.choose("\n".join(response.headers.get_list("www-authenticate")))
            if response.status_code != 401 or login is None or challenge is None or challenge == previous:
                return Page()
            target = response.request.url.raw_path.decode("ascii")
            headers["authorization"] = auth.authorization(challenge, *login, "GET", target, 1, secrets.token_hex(8))
    return Page()


def _read(response: httpx.Response, deadline_ns: int, with_picture: bool) -> Page:
    """Read a JPEG to its end if `with_picture`, and of anything else the first bytes."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    with contextlib.suppress(httpx.RemoteProtocolError):  # a picture that was cut off is for the decoder to judge
        for chunk in response.iter_raw():
            body += chunk
            if monotonic_ns() > deadline_ns:
                return Page(None, kind, "", bytes(body[:_BEGIN_BYTES]), is_late=True)
            is_jpeg = body.startswith(_START[: len(body)])
            if not (is_jpeg and with_picture) or len(body) > PAYLOAD_BYTES_MAX:
                return Page(None, kind, "", bytes(body[:_BEGIN_BYTES]), answered=True)
    jpeg = bytes(body) if body.startswith(_START) else None
    return Page(jpeg, kind, "", bytes(body[:_BEGIN_BYTES]), answered=True)
