"""Keeps the keys that seal cameras' URLs: in a file of this user, or given by a command such as a KMS client.

The text of either has a key a line, 32 bytes in base64, `#` before comments. The first key seals; each of them opens
what it has sealed, so that a key can be changed.
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL

from engine.config.schema import RecordSettings
from engine.errors import StoreError
from engine.storage.db.database import parse_url, sqlite_file
from engine.storage.private_files import FILE_MODE, make_folder

KEY_BYTES = 32
KEY_ID_BYTES = 4
_TEXT_BYTES_MAX = 65_536
_COMMAND_S = 30.0
_HEAD = (
    "# Opens the URLs of cameras, with their passwords, in the database of the patrol engine.\n"
    "# Keep a copy of it, apart from the backups of the database.\n"
)


class KeyUnavailableError(StoreError):
    """The keys cannot be read. `missing`: there is no key file."""

    def __init__(self, text: str, *, missing: bool = False) -> None:
        super().__init__(text)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `key_id`: tells which key has sealed something, and nothing of the key."""

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> bytes:
        """Return what tells this key from others."""
        return hashlib.sha256(b"kitchen-patrol key id\0" + self.secret).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the keys come from: `command` if it is given (a program and its arguments), else `file`."""

    file: Path | None = None
    command: tuple[str, ...] = ()

    def read(self) -> list[Key]:
        """Return the keys, the one that seals first. Raises KeyUnavailableError."""
        if self.command:
            return parse(_output(self.command), f"record.key_command = {self.command[0]!r}")
        if self.file is None:
            raise KeyUnavailableError("record.key_file: none is given, and the URLs of cameras need one", missing=True)
        return parse(_content(self.file), f"record.key_file = {str(self.file)!r}")

    def create(self) -> list[Key]:
        """Make a key file for this user alone, unless there is one; return the keys in it.

        Raises KeyUnavailableError if it cannot be written, or if the keys come from a command.
        """
        if self.command or self.file is None:
            return self.read()
        if not self.file.exists():
            self.write([new_key()], replace=False)
        return self.read()

    def write(self, keys: list[Key], *, replace: bool) -> None:
        """Write a key file, whole or not at all. If not `replace`, one that is there stays.

        Raises KeyUnavailableError.
        """
        if self.file is None:
            raise KeyUnavailableError("record.key_file: none is given; give the path of a file that can be written")
        text = _HEAD + "".join(base64.b64encode(key.secret).decode() + "\n" for key in keys)
        part = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        try:
            make_folder(self.file.parent)
            descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, FILE_MODE)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                part.replace(self.file)
            else:
                with suppress(FileExistsError):
                    os.link(part, self.file)  # never over a key that somebody else has just made
            _sync_folder(self.file.parent)
        except OSError as error:
            raise KeyUnavailableError(
                f"record.key_file = {str(self.file)!r}: {error.strerror}; give a path that can be written, apart from "
                "the backups of the database"
            ) from error
        finally:
            part.unlink(missing_ok=True)


class _OwnKey(KeySource):
    """A key that only this process has."""

    def read(self) -> list[Key]:
        """Return a new key."""
        return [new_key()]


def source_of(record: RecordSettings) -> KeySource:
    """Return where the keys come from that a configuration names.

    If it names none, they are in a file beside the SQLite database, or with PostgreSQL beside `record.evidence_dir`.
    Raises StoreError for a bad `record.url`.
    """
    if record.key_command:
        return KeySource(command=record.key_command)
    if record.key_file:
        return KeySource(Path(record.key_file))
    url = parse_url(record.url)
    if url.get_backend_name() == "sqlite":
        return source_beside(url)
    return KeySource(Path(record.evidence_dir).parent / "patrol.key")


def source_beside(url: URL) -> KeySource:
    """Return the key file beside a SQLite database. In memory a database has a key of its own; PostgreSQL has none."""
    path = sqlite_file(url)
    if path is not None:
        return KeySource(path.with_name(path.name + ".key"))
    return _OwnKey() if url.get_backend_name() == "sqlite" else KeySource()


def new_key() -> Key:
    """Make a key."""
    return Key(secrets.token_bytes(KEY_BYTES))


def parse(text: str, where: str) -> list[Key]:
    """Return the keys in a text. Raises KeyUnavailableError if there is none, or a line is no key; names no key."""
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.partition("#")[0].strip()
        if not written:
            continue
        try:
            secret = base64.b64decode(written, validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != KEY_BYTES:
            raise KeyUnavailableError(f"{where}: line {number} is no key; allowed: {KEY_BYTES} bytes in base64 a line")
        keys.append(Key(secret))
    if not keys:
        raise KeyUnavailableError(f"{where}: holds no key; allowed: {KEY_BYTES} bytes in base64 a line")
    return keys


def _content(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hold us up
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise KeyUnavailableError(f"record.key_file = {str(path)!r}: is no regular file; give one")
            return file.read(_TEXT_BYTES_MAX).decode("ascii", "replace")
    except FileNotFoundError as error:
        raise KeyUnavailableError(f"record.key_file = {str(path)!r}: no such file", missing=True) from error
    except OSError as error:
        raise KeyUnavailableError(
            f"record.key_file = {str(path)!r}: {error.strerror}; let the engine's user read it"
        ) from error


def _output(command: tuple[str, ...]) -> str:
    """Return what a command prints. What it says on stderr goes to ours; no key is in an error."""
    where = f"record.key_command = {command[0]!r}"
    try:
        done = subprocess.run(  # noqa: S603 (the operator's own command, without a shell)
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_COMMAND_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise KeyUnavailableError(f"{where}: has not ended after {_COMMAND_S:.0f} s; run it by hand") from error
    except OSError as error:
        raise KeyUnavailableError(f"{where}: {error.strerror}; give a program that can be run") from error
    if done.returncode:
        raise KeyUnavailableError(f"{where}: has ended with {done.returncode}; run it by hand")
    return done.stdout[:_TEXT_BYTES_MAX].decode("ascii", "replace")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
