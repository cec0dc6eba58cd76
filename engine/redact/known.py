"""Remembers the secrets of cameras, and masks them wherever they turn up in a text. Any thread may call."""

import base64
import threading
from collections.abc import Iterable
from urllib.parse import quote, unquote

from engine.redact.text import MASK, redact, secrets_in

_GRAM = 4
"""Secrets are found by their first characters: a text of any length is searched for all of them in one pass."""
_CHARS_MIN = 6
_DIGITS_MAX = 17
"""Longer numbers are ids."""
SECRETS_MAX = 200_000


class KnownSecrets:
    """The secrets of at most `most` logins; beyond it the oldest are forgotten.

    Only secrets that are not mistaken for other words are searched for in all texts: of 6 characters and more, and not
    a mere word in small letters. `without_secrets_of` masks the others in what is said of their camera.
    """

    def __init__(self, most: int = SECRETS_MAX) -> None:
        self._most = most
        self._secrets: dict[str, None] = {}
        self._lengths: dict[str, dict[int, int]] = {}
        """By the beginning of secrets: how many there are of each length."""
        self._lock = threading.Lock()

    def add(self, url: str) -> None:
        """Remember the secrets in a URL."""
        for secret in secrets_in(url):
            if secret not in self._secrets and _is_distinct(secret):
                with self._lock:
                    self._remember(secret)

    def redact(self, text: str) -> str:
        """Return the text without secrets: those that `redact` recognises, and those that are remembered."""
        return self.mask(redact(text))

    def mask(self, text: str) -> str:
        """Return the text with the remembered secrets replaced by `***`, where they stand as words of their own."""
        if not self._secrets:
            return text
        parts: list[str] = []
        done = at = 0
        while at <= len(text) - _GRAM:
            lengths = self._lengths.get(text[at : at + _GRAM])
            end = 0 if lengths is None else self._end_of_secret(text, at, sorted(lengths, reverse=True))
            if end:
                parts += [text[done:at], MASK]
                done = at = end
            else:
                at += 1
        return "".join([*parts, text[done:]]) if parts else text

    def _end_of_secret(self, text: str, at: int, lengths: Iterable[int]) -> int:
        """Return where the longest secret ends that stands here; 0 if none does."""
        for length in lengths:
            if text[at : at + length] in self._secrets and _is_word(text, at, at + length):
                return at + length
        return 0

    def _remember(self, secret: str) -> None:
        if secret in self._secrets:
            return
        if len(self._secrets) >= self._most:
            oldest = next(iter(self._secrets))
            del self._secrets[oldest]
            self._count(oldest, -1)
        self._secrets[secret] = None
        self._count(secret, 1)

    def _count(self, secret: str, more: int) -> None:
        """Count a secret by its beginning. The numbers are replaced, never changed: other threads read them."""
        beginning, length = secret[:_GRAM], len(secret)
        lengths = dict(self._lengths.get(beginning, {}))
        lengths[length] = lengths.get(length, 0) + more
        if not lengths[length]:
            del lengths[length]
        if lengths:
            self._lengths[beginning] = lengths
        else:
            self._lengths.pop(beginning, None)


KNOWN = KnownSecrets()
"""The secrets of the cameras that this process has read or visits."""


def without_secrets_of(url: str, text: str) -> str:
    """Return a text about a camera without secrets: those of its URL in any form, and all that `redact` recognises."""
    text = redact(text)
    for secret in sorted(_forms(url), key=len, reverse=True):
        text = text.replace(secret, MASK) if len(secret) >= _CHARS_MIN else _mask_words(text, secret)
    return text


def _forms(url: str) -> Iterable[str]:
    """Return the forms in which the secrets of a URL may come back from a server or a library."""
    secrets = secrets_in(url)
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote(secret))}
    login = url.partition("://")[2].rpartition("@")[0]
    if ":" in login:
        forms |= {base64.b64encode(each.encode()).decode() for each in (login, unquote(login))}
    return {form for form in forms if form}


def _is_distinct(secret: str) -> bool:
    if len(secret) < _CHARS_MIN or MASK in secret:
        return False
    if secret.isdecimal():
        return len(secret) <= _DIGITS_MAX
    return not (secret.isalpha() and secret.islower())


def _mask_words(text: str, secret: str) -> str:
    at = text.find(secret)
    while at >= 0:
        end = at + len(secret)
        if _is_word(text, at, end):
            text, end = f"{text[:at]}{MASK}{text[end:]}", at + len(MASK)
        at = text.find(secret, end)
    return text


def _is_word(text: str, begin: int, end: int) -> bool:
    """Return whether no letter or digit continues the text at either end."""
    before, after = text[begin - 1 : begin], text[end : end + 1]
    return not (before.isalnum() and text[begin].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())
