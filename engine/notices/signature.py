"""Signs and verifies webhooks as in Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from engine.errors import ConfigError

SECRET_PREFIX = "whsec_"  # noqa: S105 (a prefix, not a secret)
SECRETS_MAX = 2
"""The secret in use, and the old one while it is being replaced."""
TOLERANCE_S = 300
"""A receiver refuses a signature older, or further in the future, than this, so that old notices cannot be replayed."""
_SECRET_BYTES_MIN, _SECRET_BYTES_MAX = 24, 64


def parse_secrets(text: str, name: str) -> tuple[bytes, ...]:
    """Parse a secret file: one secret per line, `#` begins a comment. `name`: of the file, for messages.

    Raises ConfigError if the text is invalid; the message contains no secret.
    """
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    if not 1 <= len(lines) <= SECRETS_MAX:
        raise ConfigError(f"{name}: holds {len(lines)} secrets; wanted: one, or two while they change; one a line")
    return tuple(_secret(line, f"{name}, secret {number}") for number, line in enumerate(lines, 1))


def headers(secrets: Sequence[bytes], event_id: str, sent_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers of one attempt, signed with every secret.

    `sent_s`: time of this attempt, in seconds since 1970 UTC.
    """
    signed = f"{event_id}.{sent_s}.".encode() + body
    digests = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(sent_s),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }


def verified(secret: bytes, received: Mapping[str, str], body: bytes, now_s: int) -> bool:
    """Return whether a request is signed with this secret and recent; what a receiver checks.

    `received`: its headers, names in lower case.
    """
    sent = received.get("webhook-timestamp", "")
    if not (sent.isascii() and sent.isdecimal()) or abs(now_s - int(sent)) > TOLERANCE_S:
        return False
    expected = headers([secret], received.get("webhook-id", ""), int(sent), body)["webhook-signature"]
    signatures = received.get("webhook-signature", "").split()
    return any(hmac.compare_digest(signature.encode(), expected.encode()) for signature in signatures)


def _secret(line: str, name: str) -> bytes:
    remedy = (
        f"wanted: {SECRET_PREFIX} and {_SECRET_BYTES_MIN} to {_SECRET_BYTES_MAX} random bytes in base64; make one with "
        f"`echo {SECRET_PREFIX}$(openssl rand -base64 32)`"
    )
    if not line.startswith(SECRET_PREFIX):
        raise ConfigError(f"{name}: does not begin with {SECRET_PREFIX}; {remedy}")
    try:
        secret = base64.b64decode(line.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigError(f"{name}: is no base64; {remedy}") from error
    if not _SECRET_BYTES_MIN <= len(secret) <= _SECRET_BYTES_MAX:
        raise ConfigError(f"{name}: is of {len(secret)} bytes; {remedy}")
    return secret
