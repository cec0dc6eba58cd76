"""TOML to Settings, with errors that a person can act on."""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.config.checks import problems
from engine.config.schema import Settings
from engine.errors import ConfigError

_SHOWN_CHARS = 120


def load(path: Path) -> Settings:
    """Read one file. Raises ConfigError that names every wrong key with value, what is allowed and the remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); give the path of a readable TOML file"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    return loads(text, name=str(path))


def loads(text: str, name: str = "config") -> Settings:
    """The same from a string."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: is not TOML: {error}") from error
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        lines = [_sentence(problem) for problem in error.errors()]
        raise ConfigError("\n".join(f"{name}: {line}" for line in lines)) from error
    wrong = problems(settings)
    if wrong:
        raise ConfigError("\n".join(f"{name}: {line}" for line in wrong))
    return settings


def _sentence(problem: Any) -> str:
    """One pydantic problem as: key, value, what is allowed."""
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _siblings(problem["loc"])
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{path}: unknown key; {hint}known here: {', '.join(known)}; mend the name or delete the line"
    shown = repr(problem["input"])
    if len(shown) > _SHOWN_CHARS:
        shown = f"{shown[:_SHOWN_CHARS]}..."
    return f"{path} = {shown}: {problem['msg'][0].lower()}{problem['msg'][1:]}; mend the value"


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    """Names that stand at this place of the schema."""
    model: type[BaseModel] = Settings
    for part in location[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return sorted(model.model_fields)
