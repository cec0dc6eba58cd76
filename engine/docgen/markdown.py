"""Markdown for the generated pages: marked blocks, tables, and tables of a file's keys. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from engine.config.describe import allowed, shown, tables_of
from engine.config.setting import Section


def with_block(page: str, name: str, lines: Iterable[str]) -> str:
    """Return the page with these lines between its marks `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises ValueError unless the page has the marks exactly once.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise ValueError(f"the page needs one {begin} with one {end} behind it")
    block = "\n".join([begin, "", *lines, "", end])
    return pattern.sub(lambda _: block, page)


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return a table in Markdown."""
    head, *body = ("| " + " | ".join(row) + " |" for row in (columns, *rows))
    return [head, "|" + "---|" * len(columns), *body]


def key_table(kind: type[Section]) -> list[str]:
    """Return a table of every key of a file, followed by those of its tables: `streams[].share`."""
    return table(("key", "default", "unit", "allowed", "meaning"), _key_rows(kind, ""))


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
