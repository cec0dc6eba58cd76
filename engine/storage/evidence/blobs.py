"""Keeps files of bytes in a folder that machines share, or in an S3-compatible store, by URL. The one door for fsspec.

file:///mnt/patrol-evidence        a shared folder; a file appears whole, and is flushed before it does
s3://bucket/prefix                 any store that speaks S3; the libraries read the credentials from where AWS's do
"""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ConfigError, StoreError
from engine.redact.text import redact, redact_url

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

AWAY_S = 10.0
_CONNECT_S = 3
_READ_S = 10
_ATTEMPTS = 2
_CONNECTIONS_MAX = 16


class BlobsAwayError(StoreError):
    """The store does not answer, or refuses; nothing is known of what was asked."""


class Blobs:
    """Files by name under one URL. Any thread may call. `endpoint`: of an S3-compatible store that is not AWS's.

    Every call ends within half a minute, and raises BlobsAwayError where the store does not do what was asked; for
    AWAY_S after that at once, so that a store that hangs does not hold up all who ask.
    Raises ConfigError if the library for this kind of URL is not installed.
    """

    def __init__(self, url: str, endpoint: str = "") -> None:
        self._url = redact_url(url)
        self._is_folder = url.startswith("file:")
        try:
            from fsspec.core import url_to_fs

            self._fs: AbstractFileSystem
            self._fs, root = url_to_fs(url, **({} if self._is_folder else _s3_options(endpoint)))
        except ImportError as error:
            raise ConfigError(
                f"record.archive_url = {self._url!r}: {error}; install it: pip install 'kitchen-patrol[archive]'"
            ) from None
        self._root = root.rstrip("/")
        self._away_until_s = 0.0
        self._why = ""

    def put(self, name: str, content: bytes) -> None:
        """Store a file, durably; replace the one that has this name."""
        with self._told("store"):
            if self._is_folder:
                self._put_in_folder(self._path(name), content)
            else:
                self._fs.pipe_file(self._path(name), content)

    def get(self, name: str, bytes_max: int) -> bytes | None:
        """Return a file; None if there is none. One that is larger than `bytes_max` is none of ours: BlobsAwayError."""
        with self._told("read"):
            try:
                content: bytes = self._fs.cat_file(self._path(name), start=0, end=bytes_max + 1)
            except FileNotFoundError:
                return None
        if len(content) > bytes_max:
            raise BlobsAwayError(f"{self._url}: {name} has more than {bytes_max} bytes; the engine stored no such file")
        return content

    def remove(self, name: str) -> None:
        """Delete a file, if there is one."""
        with self._told("delete"):
            try:
                self._fs.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def _put_in_folder(self, path: str, content: bytes) -> None:
        folder = self._fs._parent(path)
        self._fs.makedirs(folder, exist_ok=True)
        temporary = f"{path}.{uuid.uuid4().hex}.part"
        try:
            with self._fs.open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError:
            if self._fs.exists(temporary):
                self._fs.rm_file(temporary)
            raise
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Raise what the libraries raise, which they do not document, as one error."""
        if time.monotonic() < self._away_until_s:
            raise BlobsAwayError(f"{self._url}: {self._why}")
        try:
            yield
        except Exception as error:
            self._why = f"cannot {what}: {redact(f'{type(error).__name__}: {error}')}"
            self._away_until_s = time.monotonic() + AWAY_S
            raise BlobsAwayError(f"{self._url}: {self._why}") from error


def _s3_options(endpoint: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "use_listings_cache": False,
        "skip_instance_cache": True,
        "config_kwargs": {
            "connect_timeout": _CONNECT_S,
            "read_timeout": _READ_S,
            "retries": {"total_max_attempts": _ATTEMPTS},
            "max_pool_connections": _CONNECTIONS_MAX,
        },
    }
    return options | ({"endpoint_url": endpoint} if endpoint else {})
