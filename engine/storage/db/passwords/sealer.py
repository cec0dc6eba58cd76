"""Seals the URLs of cameras that hold a secret, so that neither a dump nor a stolen disk shows it (AES-256-GCM).

The camera's id is bound in: a sealed URL that is copied to another camera does not open there.
"""

import secrets
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.redact import KNOWN, redact_url
from engine.storage.db.passwords.keys import KEY_ID_BYTES, Key, KeySource, KeyUnavailableError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORM = b"\x01"
_NONCE_BYTES = 12
PREFIX_BYTES = len(_FORM) + KEY_ID_BYTES
"""A sealed URL begins with its form and the id of its key."""


@dataclass(frozen=True, slots=True)
class StoredUrl:
    """A URL as the database has it. `shown`: without its secrets. `sealed`: the whole URL; None if it has no secret."""

    shown: str
    sealed: bytes | None = None


class Sealer:
    """Seals and opens URLs with the keys of `source`, read when they are first needed. Any thread may call."""

    def __init__(self, source: KeySource) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._keys: list[Key] = []
        self._unreadable = ""

    def seal(self, camera_id: str, url: str) -> StoredUrl:
        """Return a URL as it is to be stored. Raises KeyUnavailableError if it has a secret and there is no key."""
        shown = redact_url(url)
        if shown == url:
            return StoredUrl(url)
        keys = self._keys or self.load()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = _cipher(keys[0]).encrypt(nonce, url.encode(), _bound(camera_id))
        return StoredUrl(shown, _FORM + keys[0].key_id + nonce + sealed)

    def open(self, camera_id: str, stored: StoredUrl) -> str:
        """Return a URL with its secrets; with `***` in their place if no key opens it."""
        if stored.sealed is None:
            return stored.shown
        url = self._opened(camera_id, stored.sealed)
        if url is None:
            return stored.shown
        KNOWN.add(url)
        return url

    def load(self) -> list[Key]:
        """Read the keys; return them. Raises KeyUnavailableError."""
        with self._lock:
            self._keys = self.source.read()
            self._unreadable = ""
            return self._keys

    def create(self) -> None:
        """Make a key if there is none: only while nothing is sealed. Raises KeyUnavailableError."""
        with self._lock:
            self._keys = self.source.create()
            self._unreadable = ""

    @property
    def why_unreadable(self) -> str:
        """Return why the keys could not be read; empty if they could, or nothing was to be opened."""
        return self._unreadable

    def key_ids(self) -> set[bytes]:
        """Return the ids of the keys; empty if they cannot be read."""
        return {key.key_id for key in self._known_keys()}

    def _opened(self, camera_id: str, sealed: bytes) -> str | None:
        from cryptography.exceptions import InvalidTag

        key_id = sealed[len(_FORM) : PREFIX_BYTES]
        nonce, body = sealed[PREFIX_BYTES : PREFIX_BYTES + _NONCE_BYTES], sealed[PREFIX_BYTES + _NONCE_BYTES :]
        for key in self._known_keys():
            if key.key_id == key_id and sealed.startswith(_FORM):
                try:
                    return _cipher(key).decrypt(nonce, body, _bound(camera_id)).decode()
                except (InvalidTag, ValueError):
                    return None
        return None

    def _known_keys(self) -> list[Key]:
        if not self._keys and not self._unreadable:
            try:
                self.load()
            except KeyUnavailableError as error:
                self._unreadable = str(error)
        return self._keys


@lru_cache(maxsize=64)
def _cipher(key: Key) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # most commands need none: the import takes a while

    return AESGCM(key.secret)


def _bound(camera_id: str) -> bytes:
    return b"camera url\0" + camera_id.encode()
