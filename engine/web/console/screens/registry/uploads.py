"""Keeps uploaded files between their check and their import, in memory, a few of them and not for long.

The rows of a file go through an import once to be checked and once to be stored; between them a person reads what is
wrong. A file is kept compressed, for the session that has sent it.
"""

import secrets
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field

from engine.web.console.screens.registry.rows import Found

_KEPT_MAX = 8
_KEPT_S = 1800.0
_BYTES_MAX = 64 * 1024 * 1024
_KEY_BYTES = 16
_LEVEL = 3


@dataclass
class Upload:
    """A file that was checked. `owner`: the token of the session that sent it. `counts`: added, changed, unchanged."""

    owner: str
    name: str
    packed: bytes
    began_s: float
    found: Found
    counts: tuple[int, int, int]
    key: str = field(default_factory=lambda: secrets.token_urlsafe(_KEY_BYTES))

    def data(self) -> bytes:
        """Return the file."""
        return zlib.decompress(self.packed)


def packed(data: bytes) -> bytes:
    """Return a file as it is kept."""
    return zlib.compress(data, _LEVEL)


class Uploads:
    """The files that are kept; the oldest make room for new ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Upload] = OrderedDict()

    def keep(self, upload: Upload) -> None:
        """Keep a file; one session has one, so that its last is forgotten."""
        for key in [key for key, other in self._kept.items() if other.owner == upload.owner]:
            del self._kept[key]
        self._kept[upload.key] = upload
        while len(self._kept) > 1 and (len(self._kept) > _KEPT_MAX or self._bytes() > _BYTES_MAX):
            self._kept.popitem(last=False)

    def find(self, key: str, owner: str, now_s: float) -> Upload | None:
        """Return a file that this session has sent; None if it is not kept."""
        upload = self._kept.get(key)
        if upload is None or upload.owner != owner or now_s - upload.began_s > _KEPT_S:
            return None
        return upload

    def forget(self, key: str) -> None:
        """Forget a file."""
        self._kept.pop(key, None)

    def _bytes(self) -> int:
        return sum(len(upload.packed) for upload in self._kept.values())
