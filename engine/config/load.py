"""Loads the configuration file, with errors that say what to change."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.config.checks import cross_key_errors
from engine.config.reading.bounded_file import read_bounded
from engine.config.reading.toml_section import unknown_key
from engine.config.reading.toml_text import parse_toml
from engine.config.reading.wrong_value import sentences, shown_value, where, wrong_value
from engine.config.schema import Settings
from engine.errors import ConfigError

CONFIG_BYTES_MAX = 4 * 1024 * 1024
"""Size of the largest configuration file."""


def load(path: Path) -> Settings:
    """Read one file.

    Raises ConfigError, which names every wrong key with its value, what is allowed and the remedy.
    """
    try:
        text = read_bounded(path, CONFIG_BYTES_MAX).decode()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); give the path of a readable TOML file"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    return loads(text, name=str(path))


def loads(text: str, name: str = "config") -> Settings:
    """Parse a configuration. `name`: stands for the file in messages. Raises ConfigError as `load` does."""
    tree = parse_toml(text, name)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{name}: {line}" for line in sentences(error, _sentence))) from error
    errors = cross_key_errors(settings)
    if errors:
        raise ConfigError("\n".join(f"{name}: {line}" for line in errors))
    return settings


def _sentence(error: Any) -> str:
    """Return one Pydantic error as: key, value, what is allowed, remedy."""
    if error["type"] == "extra_forbidden":
        return unknown_key(error["loc"], Settings)
    path = where(error["loc"])
    if error["type"] == "missing":
        return f"{path}: is missing; add it"
    return f"{path}{shown_value(error['input'])}: {wrong_value(error)}; correct the value"
