"""Reads the key that seals sessions from its file, and makes the file if there is none."""

import os
import secrets
from pathlib import Path

from engine.errors import ConfigError
from engine.web.console.sessions.sealed import KEY_BYTES

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


def session_key(path: Path | None) -> bytes:
    """Return the key in a file, which is made with its folder; without a file a new one, so that a restart ends all
    sessions. Raises ConfigError.
    """
    if path is None:
        return secrets.token_bytes(KEY_BYTES)
    try:
        return _read_or_make(path)
    except OSError as error:
        raise ConfigError(
            f"web.session_key_file: {path}: {error.strerror or error}; name a file that this user may write"
        ) from error


def _read_or_make(path: Path) -> bytes:
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):  # the hub, which starts at the same time, makes it too
        folder.mkdir(_FOLDER_MODE, exist_ok=True)
    made = path.with_name(f"{path.name}.{os.getpid()}.new")
    if not path.exists():
        descriptor = os.open(made, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(made, path)  # whole or not at all, and never over the key of another process
        except FileExistsError:
            pass
        finally:
            made.unlink()
    with path.open("rb") as file:
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"web.session_key_file: {path} has {len(key)} bytes or more; a key has {KEY_BYTES}. Delete the file and a "
            "new one is made; all users sign in again"
        )
    return key
