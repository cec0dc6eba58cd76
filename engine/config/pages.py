"""Tables of keys for pages of docs/, from the models that read the files. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from engine.config.setting import Section

_BOUNDS = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}


def with_block(page: str, name: str, lines: Iterable[str]) -> str:
    """The page with these lines between its marks `<!-- NAME -->` and `<!-- /NAME -->`; ValueError if it has none."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise ValueError(f"the page needs one {begin} with one {end} behind it")
    block = "\n".join([begin, "", *lines, "", end])
    return pattern.sub(lambda _: block, page)


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table in Markdown."""
    head, *body = ("| " + " | ".join(row) + " |" for row in (columns, *rows))
    return [head, "|" + "---|" * len(columns), *body]


def key_table(kind: type[Section]) -> list[str]:
    """Every key of a file, those of its tables behind it: `streams[].share`."""
    return table(("key", "default", "unit", "allowed", "meaning"), _key_rows(kind, ""))


def shown(value: Any) -> str:
    """The value as TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(shown(one) for one in value)}]"
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


def _key_rows(kind: type[Section], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, field in kind.model_fields.items():
        extra: Any = field.json_schema_extra or {}
        nested = tables_of(field)
        if field.is_required():
            default = "-"
        else:
            default = "below" if nested and field.default else f"`{shown(field.default)}`"
        yield (
            f"`{prefix}{name}`",
            default,
            extra.get("unit") or "-",
            "-" if nested else allowed(field) or "-",
            field.description or "-",
        )
        for part in nested:
            yield from _key_rows(part, f"{prefix}{name}[].")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
