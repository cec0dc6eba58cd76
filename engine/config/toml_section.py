"""A TOML file beside the configuration (calendar, world, faults) as one section, with errors a person can act on."""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

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
        problems = error.errors()
        lines = [f"{path}: {_sentence(one, kind)}" for one in problems if not _follows(one, problems)]
        raise ConfigError("\n".join(lines)) from error


def unknown_key(location: Sequence[int | str], kind: type[BaseModel]) -> str:
    """What to say of a key that `kind` does not have at this place."""
    known = _names(location, kind)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    path = ".".join(map(str, location))
    return f"{path}: unknown key; {hint}known here: {', '.join(known)}; mend the name or delete the line"


def _sentence(problem: Any, kind: type[Section]) -> str:
    if problem["type"] == "extra_forbidden":
        return unknown_key(problem["loc"], kind)
    where = ".".join(map(str, problem["loc"])) or "file"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{where}: is missing; add it"
    return f"{where} = {shorten(repr(problem['input']), _VALUE_CHARS_MAX)}: {message}; mend the entry"


def _follows(problem: Any, problems: Sequence[Any]) -> bool:
    """A list counts as too short where all of its entries are wrong; each of them is named already."""
    location = problem["loc"]
    return problem["type"] == "too_short" and any(
        len(other["loc"]) > len(location) and other["loc"][: len(location)] == location for other in problems
    )


def _names(location: Sequence[int | str], kind: type[BaseModel]) -> list[str]:
    """Names that stand at this place."""
    model = kind
    for part in location[:-1]:
        if isinstance(part, int):
            continue  # which one of a list
        annotation = model.model_fields[part].annotation
        inner = next((one for one in (annotation, *get_args(annotation)) if _is_model(one)), None)
        if inner is None:
            return []
        model = inner
    return sorted(model.model_fields)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
