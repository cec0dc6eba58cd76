"""Loads a TOML file beside the configuration (calendar, world, faults) into a section, with helpful errors."""

import difflib
import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from engine.config.reading.bounded_file import read_bounded
from engine.config.reading.toml_text import parse_toml
from engine.config.reading.wrong_value import cut, sentences, shown_value, where, wrong_value
from engine.config.setting import Section
from engine.errors import ConfigError

Kind = TypeVar("Kind", bound=Section)


def read_section(path: Path, kind: type[Kind], *, bytes_max: int = 1024 * 1024, label: str = "") -> Kind:
    """Read one file. `label`: names it in messages; empty means its path.

    Raises ConfigError, which names each wrong entry, if the file cannot be used.
    """
    label = label or str(path)
    try:
        return kind.model_validate(parse_toml(read_bounded(path, bytes_max).decode(), label))
    except OSError as error:
        remedy = "shorten it" if error.errno == errno.EFBIG else "give a readable TOML file"
        raise ConfigError(f"{label}: {error.strerror}; {remedy}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{label}: is not TOML: {error}") from error
    except ValidationError as error:
        lines = sentences(error, lambda item: _sentence(item, kind), _is_consequence)
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines)) from error


def unknown_key(location: Sequence[int | str], kind: type[BaseModel]) -> str:
    """Return the message about a key that `kind` does not have at this location."""
    names = _key_names(location, kind)
    near = difflib.get_close_matches(cut(str(location[-1])), names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    path = cut(".".join(map(str, location)))
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
