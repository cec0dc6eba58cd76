"""Loads a TOML file beside the configuration (calendar, world, faults) into a section, with helpful errors."""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from engine.config.setting import Section
from engine.config.wrong_value import shown_value, where, wrong_value
from engine.errors import ConfigError

Kind = TypeVar("Kind", bound=Section)


def read_section(path: Path, kind: type[Kind], *, bytes_max: int = 1024 * 1024, label: str = "") -> Kind:
    """Read one file. `label`: names it in messages; empty means its path.

    Raises ConfigError, which names each wrong entry, if the file cannot be used.
    """
    label = label or str(path)
    try:
        if path.stat().st_size > bytes_max:
            raise ConfigError(f"{label}: more than {bytes_max:,} bytes; shorten it")
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{label}: {error.strerror}; give a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{label}: is not TOML: {error}") from error
    except ValidationError as error:
        errors = error.errors()
        lines = [f"{path}: {_sentence(item, kind)}" for item in errors if not _is_consequence(item, errors)]
        raise ConfigError("\n".join(lines)) from error


def unknown_key(location: Sequence[int | str], kind: type[BaseModel]) -> str:
    """Return the message about a key that `kind` does not have at this location."""
    names = _key_names(location, kind)
    near = difflib.get_close_matches(str(location[-1]), names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    path = ".".join(map(str, location))
    return f"{path}: unknown key; {hint}known here: {', '.join(names)}; correct the name or delete the line"


def _sentence(error: Any, kind: type[Section]) -> str:
    """Return one Pydantic error as: location, value, what is wrong, remedy."""
    if error["type"] == "extra_forbidden":
        return unknown_key(error["loc"], kind)
    path = where(error["loc"]) or "file"
    if error["type"] == "missing":
        return f"{path}: is missing; add it"
    return f"{path}{shown_value(error['input'])}: {wrong_value(error)}; correct the entry"


def _is_consequence(error: Any, errors: Sequence[Any]) -> bool:
    """Return whether a list counts as too short only because its entries are wrong, each of which is reported."""
    location = error["loc"]
    return error["type"] == "too_short" and any(
        len(other["loc"]) > len(location) and other["loc"][: len(location)] == location for other in errors
    )


def _key_names(location: Sequence[int | str], kind: type[BaseModel]) -> list[str]:
    """Return the names that are allowed at this location."""
    model = kind
    for part in location[:-1]:
        if isinstance(part, int):
            continue  # index in a list
        annotation = model.model_fields[part].annotation
        inner = next((kind for kind in (annotation, *get_args(annotation)) if _is_model(kind)), None)
        if inner is None:
            return []
        model = inner
    return sorted(model.model_fields)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
