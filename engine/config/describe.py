"""Lists every key with its default, bounds, unit and meaning, for `patrol config show` and docs/. Pure."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from engine.config.schema import Settings
from engine.config.setting import Section

_BOUNDS = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key of the file. `hot`: a reload takes it while the engine runs. `file_only`: the API cannot change it."""

    section: str
    key: str
    value: str
    default: str
    allowed: str
    unit: str
    meaning: str
    hot: bool
    file_only: bool


def rows(settings: Settings | None = None) -> list[KeyRow]:
    """All keys in the order of the file; `value` is that of `settings`, else the default."""
    return list(_rows(settings or Settings()))


def toml(settings: Settings | None = None) -> str:
    """A file with every key and its meaning; it loads back to the same settings."""
    lines: list[str] = []
    section = ""
    for row in rows(settings):
        if row.section != section:
            section = row.section
            lines += ["", f"[{section}]"]
        unit = f" [{row.unit}]" if row.unit else ""
        lines += [f"# {row.meaning}{unit} {row.allowed}".rstrip(), f"{row.key} = {row.value}"]
    return "\n".join(lines).strip() + "\n"


def shown(value: Any) -> str:
    """The value as TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(shown(item) for item in value)}]"
    if isinstance(value, Section):
        return shown({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(name)} = {shown(one)}" for name, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return json.dumps(value, ensure_ascii=False)


def allowed(field: FieldInfo) -> str:
    """Bounds and choices in words; empty if there are none."""
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(map(str, get_args(annotation)))
    if annotation is bool:
        return "true or false"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return "one of " + ", ".join(annotation)
    for part in get_args(annotation):
        if isinstance(part, type) and issubclass(part, StrEnum):
            return "of " + ", ".join(part)
    words = []
    for bound in field.metadata:
        for name, text in _BOUNDS.items():
            limit = getattr(bound, name, None)
            if limit is not None:
                words.append(text.format(f"{limit:,}".replace(",", " ")))
    return ", ".join(words)


def tables_of(field: FieldInfo) -> list[type[Section]]:
    """What the entries of a list of tables are made of; empty if the key is no such list."""
    return [part for part in get_args(field.annotation) if isinstance(part, type) and issubclass(part, Section)]


def _rows(settings: Settings) -> Iterator[KeyRow]:
    for section in Settings.model_fields:
        values = getattr(settings, section)
        for key, field in type(values).model_fields.items():
            extra: Any = field.json_schema_extra
            yield KeyRow(
                section=section,
                key=key,
                value=shown(getattr(values, key)),
                default=shown(field.default),
                allowed=allowed(field),
                unit=extra["unit"],
                meaning=field.description or "",
                hot=extra["hot"],
                file_only=extra["file_only"] or type(values).all_file_only,
            )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
