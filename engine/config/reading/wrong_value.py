"""Says in our words what Pydantic found wrong with a value: what is allowed, and the remedy. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from engine.redact import redact

_SHOWN_CHARS = 120
_SENTENCES_MAX = 50
"""Wrong entries that are named; a file of a megabyte may have tens of thousands."""
_WORDS: Mapping[str, str] = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "finite_number": "a finite number",
    "multiple_of": "a multiple of {multiple_of}",
}
_KINDS: tuple[tuple[str, str], ...] = (
    ("int_", "a whole number"),
    ("float_", "a number"),
    ("bool_", "true or false"),
    ("string_", 'text in quotes, like "x"'),
    ("model_", "a table of keys"),
    ("dict_", "a table of keys"),
    ("tuple_", "a list, like [ ... ]"),
    ("list_", "a list, like [ ... ]"),
    ("datetime_", "a date and time, like 2026-10-01T05:00:00"),
    ("date_", "a date, like 2026-10-01"),
    ("time_", "a time of day, like 05:00:00"),
)
_OURS = "value_error"
"""A check of ours failed: its message says what is allowed."""


def sentences(
    error: ValidationError,
    sentence: Callable[[Any], str],
    skip: Callable[[Any, Sequence[Any]], bool] = lambda item, items: False,
) -> list[str]:
    """Return a sentence for each wrong entry that is not skipped; beyond the first fifty only their number."""
    items: list[Any] = error.errors(include_url=False)
    named = items[:_SENTENCES_MAX]
    lines = [sentence(item) for item in named if not skip(item, named)]
    more = len(items) - len(named)
    return [*lines, f"{more:,} more entries are wrong; correct these first"] if more else lines


def cut(text: str) -> str:
    """Return the text, of at most 120 characters."""
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."


def wrong_value(error: Any) -> str:
    """Return what is wrong with the value of one Pydantic error (a dict of `ValidationError.errors()`)."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == _OURS:
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in ("literal_error", "enum"):
        return f"allowed: {_choices(str(context['expected']))}"
    if kind in _WORDS:
        return f"allowed: {_WORDS[kind].format_map({name: _number(value) for name, value in context.items()})}"
    words = next((words for start, words in _KINDS if kind.startswith(start)), "")
    return f"allowed: {words}" if words else str(error["msg"])


def shown_value(value: Any) -> str:
    """Return ` = VALUE` for a message, without passwords and cut to 120 characters; empty for tables and lists."""
    if isinstance(value, dict | list | tuple):
        return ""
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
    text = redact(text)
    return f" = {cut(text)}"


def where(location: Sequence[int | str]) -> str:
    """Return the place of a value: `notices.endpoints.0.name`."""
    return cut(".".join(map(str, location)).removesuffix(".[key]"))


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _choices(expected: str) -> str:
    """Turn Pydantic's `'a', 'b' or 'c'` into `a, b, c`."""
    return expected.replace("' or '", "', '").replace("'", "")
