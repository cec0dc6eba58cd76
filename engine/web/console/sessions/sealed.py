"""Seals a signed-in user's token into a cookie, and makes and checks the tokens of forms. Pure.

A cookie is sealed with Fernet (AES-128-CBC and HMAC-SHA256, https://github.com/fernet/spec), so that a browser cannot
read or change it, and a console that restarts still knows it. A form's token is different in each page, because pages
are compressed: one that repeats could be guessed from the sizes of pages (BREACH, http://breachattack.com).
"""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken

KEY_BYTES = 32
COOKIE_CHARS_MAX = 2048
_FORM_TOKEN_BYTES = 32
_LOCAL = "local"


@dataclass(frozen=True)
class Session:
    """A signed-in user. `token`: what calls of the engine carry. `secret`: of this session's forms. `begin_s`: when the
    cookie was sealed, in seconds since 1970.
    """

    token: str
    secret: str
    begin_s: int


class Sessions:
    """`key`: KEY_BYTES bytes. `hours`: how long a cookie is valid."""

    def __init__(self, key: bytes, hours: float) -> None:
        self._fernet = Fernet(urlsafe_b64encode(key))
        self._key = hashlib.sha256(b"forms" + key).digest()
        self.seconds = int(hours * 3600)

    def seal(self, token: str, now_s: int, secret: str = "") -> str:
        """Return the cookie of a session that begins, or with its `secret` of one that is renewed."""
        content = json.dumps({"token": token, "secret": secret or secrets.token_urlsafe(16)})
        return self._fernet.encrypt_at_time(content.encode(), now_s).decode()

    def open(self, cookie: str, now_s: int) -> Session | None:
        """Return the session in a cookie; None if it is not ours, or no longer valid."""
        if not cookie or len(cookie) > COOKIE_CHARS_MAX:
            return None
        try:
            content = json.loads(self._fernet.decrypt_at_time(cookie.encode(), self.seconds, now_s))
            begin_s = self._fernet.extract_timestamp(cookie.encode())
        except (InvalidToken, ValueError):
            return None
        return Session(content["token"], content["secret"], begin_s)

    def form_token(self, session: Session | None) -> str:
        """Return a token for the forms of a page. `session`: None for a user of this machine without a token."""
        pad = secrets.token_bytes(_FORM_TOKEN_BYTES)
        return urlsafe_b64encode(pad + _xor(pad, self._digest(session))).decode()

    def is_form_token(self, text: str, session: Session | None) -> bool:
        """Whether a form's token was made for this session."""
        try:
            data = urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            return False
        if len(data) != 2 * _FORM_TOKEN_BYTES:
            return False
        pad, hidden = data[:_FORM_TOKEN_BYTES], data[_FORM_TOKEN_BYTES:]
        return hmac.compare_digest(_xor(pad, hidden), self._digest(session))

    def _digest(self, session: Session | None) -> bytes:
        return hmac.digest(self._key, (session.secret if session else _LOCAL).encode(), "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
