"""Reads files with secrets of the cluster, and refuses those that other users of the machine can read."""

from pathlib import Path

from engine.errors import ConfigError


def require_secret(path: Path, key: str, remedy: str) -> None:
    """Raise ConfigError if a file is not there, or others can read it. `key`: of the configuration, that names it."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{key} = {str(path)!r}: {error.strerror}; {remedy}") from error
    if mode & 0o077:
        raise ConfigError(f"{key} = {str(path)!r}: others can read it; chmod 600")


def read_secret(path: Path, key: str, remedy: str) -> str:
    """Return what the file has, without white space around it. Raises ConfigError."""
    require_secret(path, key, remedy)
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key} = {str(path)!r}: {error}; {remedy}") from error
