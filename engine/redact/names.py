"""The names of parameters that hold secrets, as camera vendors, platforms and clouds write them. Pure."""

import re
from functools import lru_cache
from urllib.parse import unquote

_ENDINGS = (
    "password", "passwd", "passcode", "passphrase", "passwort", "pwd", "psw", "pswd", "userpass", "loginpass",
    "loginpas", "secret", "token", "credential", "credentials", "signature", "ticket", "bearer", "cookie",
    "authorization", "jwt",
    "apikey", "appkey", "accesskey", "secretkey", "authkey", "streamkey", "playkey", "pushkey", "privatekey", "signkey",
    "accesskeyid", "authbasic", "authdigest", "authinfo", "authcode", "verifycode", "validatecode", "sessionid",
)  # fmt: skip
"""A name that ends so is of a secret: `user_password`, `access_token`, `txSecret` (Tencent), `authbasic` (Dahua)."""
_WORDS = frozenset(
    ("pass", "pas", "pw", "psd", "key", "auth", "sign", "sig", "cred", "pin", "otp", "session", "sid", "passw")
)
"""Too short to be looked for at the end of any name: these are whole words of it, as in `stream_key`, `streamKey`."""
_ORDINARY = (
    "user", "usr", "username", "userid", "name", "login", "loginuse", "account", "channel", "chan", "chn", "ch",
    "stream", "subtype", "streamtype", "type", "mode", "unicast", "proto", "protocol", "transport", "port", "app",
    "cmd", "rs", "id", "lang", "real_stream", "onvif", "expires", "expire", "time", "t", "resolution", "fps", "codec",
)  # fmt: skip
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_TAIL = re.compile(r"[A-Za-z0-9_.\-]*\]?\Z", re.ASCII)
_DECODINGS_MAX = 3

TELLING_SEGMENTS = "(?:password|passwd|passwort|pwd|psw|pass|token|secret|access_?token|api_?key|auth_?key|stream_?key)"
"""As a folder in a path these announce a secret: `/live/token/SECRET/1`. A regular expression."""
NEXT_NAME = rf"(?:{'|'.join(sorted({*_ORDINARY, *_ENDINGS, *_WORDS, 'access_token'}, key=len, reverse=True))})"
"""Names that may follow a value after `_`, `,` or `/`, which may also be part of the value. A regular expression."""


@lru_cache(maxsize=4096)
def is_secret_name(written: str) -> bool:
    """Return whether a parameter of this name holds a secret. `written`: as in the text, percent-encoded or not.

    What stands before the name may come with it: `1_password`, `%26pwd`.
    """
    for _ in range(_DECODINGS_MAX):
        if "%" not in written:
            break
        written = unquote(written)
    found = _TAIL.search(written)
    name = found.group().rstrip("]0123456789") if found else ""
    joined = re.sub(r"[^a-z]", "", name.lower())
    if joined.endswith(_ENDINGS):
        return True
    words = _PARTS.findall(name)
    return bool(words) and words[-1].lower() in _WORDS
