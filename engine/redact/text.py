"""Finds the secrets in a text by the form in which they are written, and masks them. Pure.

When in doubt more is masked, never less: people type passwords with `/`, `@` and `&` unescaped.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from engine.redact.names import NEXT_NAME, TELLING_SEGMENTS, is_secret_name

MASK = "***"
"""Replaces each secret."""

Span = tuple[int, int]
"""Where a secret begins, and where it ends."""

_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.%~-[]")
_NAME_CHARS_MAX = 80
_MAYBE = re.compile(r"[=@#]|://|%(?:25)*3[dD]|%(?:25)*40|asic |earer |ookie|orization|[\"']\s*:\s*[\"']|kp_|whsec_")
"""What a text with a secret has at least one of: most texts have none, and are done."""
_BLANK = re.compile(r"\s")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*", re.ASCII)
_PLAIN_URL = re.compile(
    r"[a-z]+://(?:[^/?#\s:@%=]*:(?P<secret>[^/?#\s@%=]+)@)?[^/?#\s:@%=]+(?::\d+)?(?:/[^\s:@%=#]*)?", re.ASCII
)
"""The form of nearly all camera URLs, in which the login is the only secret."""
_ENCODED_LOGIN = re.compile(r"(?:%(?:25)*3a|:)(?:%(?:25)*2f){2}(?P<secret>[^\s&]*)(?:%(?:25)*40|@)", re.IGNORECASE)
_EQUALS = re.compile(r"=|%(?:25)*3[dD]")
_NEXT = (
    rf"[&;](?:amp;)?[A-Za-z][\w.%\[\]-]*=|[_,/#|?]{NEXT_NAME}\d?=(?!=|&|\Z)|%(?:25)*26[A-Za-z][\w.-]*(?:=|%(?:25)*3d)"
)
_VALUE_END_OF_URL = re.compile(_NEXT, re.IGNORECASE)
_VALUE_END = re.compile(rf"\s|[<>]|[\"'](?=[\s,;:)\]}}>.]|\Z)|{_NEXT}", re.IGNORECASE)
_QUOTED = re.compile(r"(?:\\?(?P<quote>[\"']))(?P<secret>.*?)\\?(?P=quote)", re.DOTALL)
_PORT = re.compile(r"\d{1,5}[/?#]")
_PATH_LOGIN = re.compile(r"(?<!/)[/?&#][^/?&#=:@\s\"'<>]+:(?P<secret>[^/?&#\s\"'<>]+)")
_SEGMENT = re.compile(rf"/{TELLING_SEGMENTS}/(?P<secret>[^/?&#\s\"'<>]+)", re.IGNORECASE)
_NAMED = re.compile(
    r"(?P<name>[A-Za-z][\w.-]{0,60})\\?[\"']?(?:\s*:\s*|\s+=\s+|\s*=\s+)(?P<value>\\?(?P<quote>[\"'])(?P<secret>.*?)\\?(?P=quote))",
    re.DOTALL,
)
_IN_TEXT = (
    re.compile(r"\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?P<secret>[^\r\n]+)", re.IGNORECASE),
    re.compile(r"\b(?:set-)?cookie[\"']?\s*:\s*[\"']?(?P<secret>[^\r\n]+)", re.IGNORECASE),
    re.compile(r"\b(?:basic|bearer)\s+(?!auth|realm|token)(?P<secret>[\w+/.~=-]{8,})", re.IGNORECASE),
    re.compile(r"(?P<secret>\b(?:kp|whsec)_[\w+/=-]{16,})"),
)
"""Headers, and the engine's own tokens and signing secrets."""
_CAMERA_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps")


def redact(text: str) -> str:
    """Return the text with every secret in it replaced by `***`. Of a login the user's name stays.

    The same text always gives the same answer, and an answer stays as it is when it is redacted again.
    """
    if _MAYBE.search(text) is None:
        return text
    return _masked(text, _spans(text, is_url=_URL.fullmatch(text) is not None))


def redact_url(url: str) -> str:
    """Return a URL without its secrets; as `redact`, but all of the text is a URL, with whatever characters."""
    return _masked(url, _spans(url, is_url=True))


def secrets_in(url: str) -> set[str]:
    """Return the secrets in a URL: as they are written, and decoded. Empty if it has none."""
    if _MAYBE.search(url) is None:
        return set()
    written = {url[begin:end] for begin, end in _spans(url, is_url=True)} - {MASK}
    return written | {unquote(secret) for secret in written if "%" in secret}


def _masked(text: str, spans: Iterator[Span]) -> str:
    parts: list[str] = []
    at = 0
    covered = 0
    for begin, end in sorted(spans):
        if end <= covered:
            continue
        if begin >= covered or not parts:
            parts += [text[at:begin], MASK]
        at = covered = end
    parts.append(text[at:])
    return "".join(parts)


def _spans(text: str, *, is_url: bool) -> Iterator[Span]:
    """Yield where secrets are; they may overlap."""
    if is_url and (plain := _PLAIN_URL.fullmatch(text)) is not None and _SEGMENT.search(text) is None:
        if plain.group("secret"):
            yield plain.span("secret")
        return
    yield from _logins(text, is_url=is_url)
    yield from _parameters(text, is_url=is_url)
    for found in _SEGMENT.finditer(text):
        yield found.span("secret")
    if not is_url:
        for pattern in _IN_TEXT:
            for found in pattern.finditer(text):
                yield found.span("secret")
        yield from _named(text)


def _logins(text: str, *, is_url: bool) -> Iterator[Span]:
    """Yield the logins of the URLs in a text: before the host, and in paths."""
    for found in _ENCODED_LOGIN.finditer(text):
        if found.group("secret"):
            yield found.span("secret")
    covered = 0
    at = text.find("://")
    while at >= 0:
        begin = at + 3
        if begin > covered:
            end = len(text) if is_url else _blank_after(text, begin)
            login = _login(text, begin, end, is_url=is_url)
            if login is not None:
                yield login
                covered = login[1]
            authority = covered if covered > begin else begin
            is_port = login is not None and _PORT.match(text, login[0]) is not None
            # Behind what may be a port, the `@` may be part of a password in the path.
            for found in _PATH_LOGIN.finditer(text, begin if is_port else authority, end):
                yield found.span("secret")
            yield from _fragment(text, at, authority, end, is_url=is_url)
        at = text.find("://", begin)


def _login(text: str, begin: int, end: int, *, is_url: bool) -> Span | None:
    """Return the password before the host, or all that stands there if no name is told from it."""
    last = text.rfind("@", begin, end)
    delimiter = min((at for at in (text.find(char, begin, end) for char in "/?#") if at >= 0), default=end)
    colon = text.find(":", begin, end if last < 0 else last)
    if last >= 0 and 0 <= colon < delimiter:
        name_end = colon if "@" not in text[begin:colon] else begin - 1
        return (name_end + 1, last) if last > name_end + 1 else None
    at = text.rfind("@", begin, delimiter)
    if at > begin:
        return begin, at
    if is_url and last < 0 and 0 <= colon < delimiter and text[begin] != "[":
        # No `@`: what stands for the port may be a password whose host was forgotten.
        port = text[colon + 1 : delimiter]
        return None if port.isdecimal() or not port or MASK in port else (colon + 1, delimiter)
    return None


def _fragment(text: str, at: int, authority: int, end: int, *, is_url: bool) -> Iterator[Span]:
    """Yield what follows `#`: no camera wants it, so it is a password that was not escaped, or nothing."""
    if not is_url and not text[:at].lower().endswith(_CAMERA_SCHEMES):
        return
    hash_at = text.find("#", authority, end)
    if 0 <= hash_at < end - 1 and "=" not in text[hash_at:end]:
        yield hash_at + 1, end


def _parameters(text: str, *, is_url: bool) -> Iterator[Span]:
    """Yield the values of parameters with a secret's name: `?pwd=`, `_password=`, `;token=`, `%26key%3D`."""
    for equals in _EQUALS.finditer(text):
        name_end = name_begin = equals.start()
        while name_begin > 0 and name_end - name_begin < _NAME_CHARS_MAX and text[name_begin - 1] in _NAME_CHARS:
            name_begin -= 1
        if name_begin == name_end or not is_secret_name(text[name_begin:name_end]):
            continue
        begin = equals.end()
        quoted = None if is_url else _QUOTED.match(text, begin)
        if quoted is not None:
            if quoted.group("secret"):
                yield quoted.span("secret")
            continue
        found = (_VALUE_END_OF_URL if is_url else _VALUE_END).search(text, begin)
        end = len(text) if found is None else found.start()
        if end > begin:
            yield begin, end


def _named(text: str) -> Iterator[Span]:
    """Yield quoted values with a secret's name, as JSON, Python and TOML write them: `"password": "..."`."""
    for found in _NAMED.finditer(text):
        name = found.group("name")
        if name.lower() not in ("key", "sign", "auth", "pass") and found.group("secret") and is_secret_name(name):
            yield found.span("secret")


def _blank_after(text: str, begin: int) -> int:
    found = _BLANK.search(text, begin)
    return len(text) if found is None else found.start()
