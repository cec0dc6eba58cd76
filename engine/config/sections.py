"""A TOML file beside the configuration (calendar, world, faults) as one section, with errors a person can act on."""

import tomllib
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

from pydantic import ValidationError

from engine.config.setting import Section
from engine.errors import ConfigError

Kind = TypeVar("Kind", bound=Section)
_VALUE_CHARS_MAX = 80


def read_section(path: Path, kind: type[Kind], *, bytes_max: int = 1024 * 1024, named: str = "") -> Kind:
    """Read one file. `named`: how messages call it; else its path. Raises ConfigError that names each wrong entry."""
    named = named or str(path)
    try:
        if path.stat().st_size > bytes_max:
            raise ConfigError(f"{named}: more than {bytes_max:,} bytes; shorten it")
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{named}: {error.strerror}; give a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{named}: is not TOML: {error}") from error
    except ValidationError as error:
        lines = [f"{path}: {_sentence(one)}; mend the entry" for one in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def _sentence(problem: Any) -> str:
    """One pydantic problem: the entry, its value unless it is a table, what is wrong."""
    entry = ".".join(map(str, problem["loc"])) or "file"
    value = problem["input"]
    shown = "" if isinstance(value, dict | list | tuple) else f" = {shorten(repr(value), _VALUE_CHARS_MAX)}"
    return f"{entry}{shown}: {problem['msg'].removeprefix('Value error, ')}"
