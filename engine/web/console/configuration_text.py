"""Composes a configuration from the settings in force and what a user typed for some of them. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import InvalidArgumentError

SECRET = "***"  # noqa: S105 (what stands for one)


def sections(settings: Sequence[Any]) -> list[str]:
    """Return the names of the sections that the API may change, in order. `settings`: of EngineConfig."""
    return list(dict.fromkeys(section_of(setting.key) for setting in settings if is_changeable(setting)))


def section_of(key: str) -> str:
    """Return the section of a key such as scheduler.key_period_s."""
    return key.rpartition(".")[0]


def is_changeable(setting: Any) -> bool:
    """Whether ApplyConfig may change a key."""
    return not setting.file_only and setting.value != SECRET


def compose(settings: Sequence[Any], typed: Mapping[str, str]) -> str:
    """Return the configuration as TOML: the keys that differ from their defaults.

    `typed`: TOML values by key, for those that the user saw; the others stay as they are in force. Raises
    InvalidArgumentError for a text that is no TOML value, all of them at once.
    """
    tables: dict[str, list[str]] = {}
    wrong: list[tuple[str, str]] = []
    for setting in settings:
        if not is_changeable(setting):
            continue
        text = typed.get(setting.key, setting.value).strip()
        try:
            value = _value(text)
        except ValueError as error:
            wrong.append((setting.key, f"{text[:80]!r} is no TOML value ({error}); texts stand in quotes"))
            continue
        if value != _value(setting.default_value):
            section, _, name = setting.key.rpartition(".")
            tables.setdefault(section, []).append(f"{name} = {text}")
    if wrong:
        raise InvalidArgumentError(*wrong[0], more=wrong[1:])
    parts = ["\n".join([f"[{section}]", *lines]) if section else "\n".join(lines) for section, lines in tables.items()]
    return "\n\n".join(parts) + "\n" if parts else ""


def _value(text: str) -> Any:
    """Return what a TOML value means. Raises ValueError if the text is none, or more than one."""
    parsed = tomllib.loads(f"value = {text}\n")
    if set(parsed) != {"value"}:
        raise ValueError("it has more than one value")
    return parsed["value"]
