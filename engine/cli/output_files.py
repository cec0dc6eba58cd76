"""Checks the files that a command is to write before its work begins, and writes them."""

import os
from collections.abc import Sequence
from pathlib import Path

from engine.cli.options import ERR
from engine.errors import ConfigError, PatrolError


def check_output(path: Path | None, name: str, endings: Sequence[str] = ()) -> None:
    """Raise ConfigError if this file could not be written; do nothing for None. Writes nothing.

    `name`: of the option or argument, for the message. `endings`: allowed endings of the file; empty: any.
    """
    if path is None:
        return
    what = f"{name} {path}"
    if endings and path.suffix.lower() not in endings:
        raise ConfigError(f"{what}: its ending is not known; allowed: {', '.join(endings)}")
    if path.is_dir():
        raise ConfigError(f"{what}: is a folder; name a file in it")
    folder = path.parent
    if not folder.exists():
        raise ConfigError(f"{what}: there is no folder {folder}; make it, or name another")
    if not folder.is_dir():
        raise ConfigError(f"{what}: {folder} is no folder; name another")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError(f"{what}: may not be written; change its permissions, or name another")


def write_text(path: Path, text: str) -> None:
    """Write a file as UTF-8 and say so on stderr. Raises PatrolError if it cannot be written after all."""
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise PatrolError(f"{path}: {error.strerror}; give another file") from error
    ERR.out(f"wrote {path}", highlight=False)
