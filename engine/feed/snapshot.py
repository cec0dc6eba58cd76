"""A JPEG from a camera's snapshot page, for those that give no length and so look cut short to FFmpeg."""

import ssl
import urllib.error
import urllib.request
from urllib.parse import unquote, urlsplit

from engine.model.keyframe import PAYLOAD_BYTES_MAX

_START = b"\xff\xd8\xff"
_CHUNK_BYTES = 65_536


def get_jpeg(url: str, timeout_s: float, tls_verify: bool) -> bytes | None:
    """The JPEG at `url` (http or https, Basic or Digest), or None if what comes is none or too large.

    Raises OSError where the page cannot be had. `timeout_s` holds for each wait; the deadline is the caller's.
    """
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    logins = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if parts.username is not None:
        logins.add_password(None, bare, unquote(parts.username), unquote(parts.password or ""))
    tls = ssl.create_default_context()
    if not tls_verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=tls),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPDigestAuthHandler(logins),
        urllib.request.HTTPBasicAuthHandler(logins),
    ):
        opener.add_handler(handler)
    body = bytearray()
    with opener.open(bare, timeout=timeout_s) as reply:
        while chunk := reply.read(_CHUNK_BYTES):
            body += chunk
            if len(body) > PAYLOAD_BYTES_MAX or not body.startswith(_START[: len(body)]):
                return None
    return bytes(body) if body.startswith(_START) else None
