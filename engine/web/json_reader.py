"""Reads requests from JSON bodies and from the query of a URL, and names every field that is wrong. Pure.

google.protobuf.json_format stops at the first error, names no path, and knows no queries.
"""

import base64
import binascii
import math
import re
from collections.abc import Container, Iterable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from engine.errors import InvalidArgumentError

Violations = list[tuple[str, str]]
_VIOLATIONS_MAX = 50
_QUERY_FIELDS_MAX = 2000
_SHOWN_CHARS = 60
_BITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_TEXT_TYPES = ("google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask")
"""Messages that JSON writes as a string."""


def read_json(body: bytes, message: Message, path: str = "") -> None:
    """Fill a message from proto3 JSON; an empty body leaves it empty. `path`: of the message in the request.

    Raises InvalidArgumentError with a violation for every field that is wrong.
    """
    if not body.strip():
        return
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgumentError(path, f"the body is not JSON: {error}; send one JSON object in UTF-8") from error
    violations: Violations = []
    _fill(message, tree, path, violations)
    _raise(violations)


def read_query(query: str, message: Message, taken: Container[str]) -> None:
    """Fill a message from the query of a URL: `filter.regionPrefix=13&pageSize=10`; names in either spelling.

    `taken`: paths of fields that the URL's path or the body gives. Raises InvalidArgumentError as `read_json` does.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS_MAX)
    except UnicodeDecodeError as error:
        raise InvalidArgumentError("", "the query does not decode as UTF-8; percent-encode UTF-8") from error
    except ValueError as error:
        raise InvalidArgumentError(
            "", f"the query has too many fields; allowed: at most {_QUERY_FIELDS_MAX}"
        ) from error
    violations: Violations = []
    seen: set[str] = set()
    for name, text in pairs:
        _fill_from_query(message, name, text, taken, seen, violations)
    _raise(violations)


def set_path(message: Message, path: str, text: str) -> None:
    """Set the string field at a path such as `camera.name`."""
    *parents, name = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    setattr(message, name, text)


def _raise(violations: Violations) -> None:
    if violations:
        raise InvalidArgumentError(*violations[0], more=violations[1:_VIOLATIONS_MAX])


@cache
def _fields(kind: Descriptor) -> dict[str, FieldDescriptor]:
    """Return the fields of a message by both of their names."""
    return {name: field for field in kind.fields for name in (field.name, field.json_name)}


def _unknown(kind: Descriptor) -> str:
    names = ", ".join(field.json_name for field in kind.fields) or "none"
    return f"is no field of {kind.name}; allowed: {names}"


def _fill(message: Any, tree: Any, path: str, violations: Violations) -> None:
    kind = message.DESCRIPTOR
    if kind.full_name in _TEXT_TYPES:
        _fill_text_type(message, tree, path, violations)
        return
    if not isinstance(tree, dict):
        violations.append((path, f"{_shown(tree)} is no JSON object; allowed: an object of {kind.name}"))
        return
    fields = _fields(kind)
    for name, value in tree.items():
        field = fields.get(name)
        if len(violations) >= _VIOLATIONS_MAX:
            return
        if field is None:
            violations.append((f"{path}.{name}".lstrip("."), _unknown(kind)))
        elif value is not None:
            _fill_field(message, field, value, f"{path}.{field.name}".lstrip("."), violations)


def _fill_field(message: Any, field: FieldDescriptor, value: Any, path: str, violations: Violations) -> None:
    oneof = field.containing_oneof
    if oneof is not None and message.WhichOneof(oneof.name) is not None:
        violations.append((path, f"another field of {oneof.name} is given too; leave one of them out"))
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        _fill_map(getattr(message, field.name), field.message_type, value, path, violations)
    elif field.is_repeated:
        if not isinstance(value, list):
            violations.append((path, f"{_shown(value)} is no JSON array; allowed: an array"))
            return
        _fill_items(getattr(message, field.name), field, value, path, violations)
    elif field.message_type is not None:
        child = getattr(message, field.name)
        child.SetInParent()
        _fill(child, value, path, violations)
    else:
        try:
            setattr(message, field.name, _scalar(field, value))
        except ValueError as error:
            violations.append((path, str(error)))


def _fill_items(items: Any, field: FieldDescriptor, values: Iterable[Any], path: str, violations: Violations) -> None:
    for index, value in enumerate(values):
        if len(violations) >= _VIOLATIONS_MAX:
            return
        if field.message_type is not None:
            _fill(items.add(), value, f"{path}[{index}]", violations)
            continue
        try:
            items.append(_scalar(field, value))
        except ValueError as error:
            violations.append((f"{path}[{index}]", str(error)))


def _fill_map(entries: Any, entry: Descriptor, tree: Any, path: str, violations: Violations) -> None:
    if not isinstance(tree, dict):
        violations.append((path, f"{_shown(tree)} is no JSON object; allowed: an object"))
        return
    key_field, value_field = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for name, value in tree.items():
        try:
            key = _scalar(key_field, name, text=True)
            if value_field.message_type is not None:
                _fill(entries[key], value, f"{path}[{name}]", violations)
            else:
                entries[key] = _scalar(value_field, value)
        except ValueError as error:
            violations.append((f"{path}[{name}]", str(error)))


def _fill_text_type(message: Any, value: Any, path: str, violations: Violations) -> None:
    """Fill a timestamp, duration or field mask."""
    name = message.DESCRIPTOR.name
    if not isinstance(value, str):
        violations.append((path, f"{_shown(value)} is no string; allowed: {_EXAMPLES[name]}"))
    elif name == "FieldMask":
        # Paths in either spelling: the engine names those that do not exist.
        message.paths.extend(re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", part) for part in value.split(",") if part)
    else:
        try:
            message.FromJsonString(value)
        except ValueError:
            violations.append((path, f"{_shown(value)}; allowed: {_EXAMPLES[name]}"))


_EXAMPLES = {
    "Timestamp": "a time such as 2026-03-02T08:00:00Z",
    "Duration": "seconds such as 1.5s",
    "FieldMask": "paths with commas between, such as name,displayName",
}


def _fill_from_query(
    message: Any, name: str, text: str, taken: Container[str], seen: set[str], violations: Violations
) -> None:
    """Fill the field that a name such as `filter.regionPrefix` means."""
    *parents, last = name.split(".")
    path = ""
    for part in parents:
        parent = _fields(message.DESCRIPTOR).get(part)
        if parent is None or parent.message_type is None or parent.is_repeated:
            violations.append((name[:_SHOWN_CHARS], _unknown(message.DESCRIPTOR)))
            return
        path += f"{parent.name}."
        message = getattr(message, parent.name)
    field = _fields(message.DESCRIPTOR).get(last)
    if field is None:
        violations.append((name[:_SHOWN_CHARS], _unknown(message.DESCRIPTOR)))
        return
    path += field.name
    if path in taken or path.partition(".")[0] in taken:
        violations.append((path, "is given by the path of the URL or by the body; leave it out of the query"))
    elif field.message_type is not None and (field.is_repeated or field.message_type.full_name not in _TEXT_TYPES):
        names = ", ".join(f"{path}.{inner.json_name}" for inner in field.message_type.fields)
        violations.append((path, f"is a message; allowed in a query: its fields ({names})"))
    elif field.message_type is not None:
        child = getattr(message, field.name)
        child.SetInParent()
        _fill_text_type(child, text, path, violations)
    elif path in seen and not field.is_repeated:
        violations.append((path, "is given twice; leave one of them out"))
    else:
        seen.add(path)
        try:
            value = _scalar(field, text, text=True)
        except ValueError as error:
            violations.append((path, str(error)))
            return
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


def _scalar(field: FieldDescriptor, value: Any, *, text: bool = False) -> Any:
    """Return a JSON value as the field has it; `text`: it comes from a query. Raises ValueError."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return _string(field, value)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        value = {"true": True, "false": False}.get(value, value) if text and isinstance(value, str) else value
        if not isinstance(value, bool):
            raise ValueError(f"{_shown(value)}; allowed: true or false")
        return value
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return _enum(field.enum_type, value)
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return _number(value)
    least, most = _BITS[kind]
    number = _integer(value)
    if number is None or not least <= number <= most:
        raise ValueError(f"{_shown(value)}; allowed: an integer from {least} to {most}")
    return number


def _string(field: FieldDescriptor, value: Any) -> str | bytes:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is no string; put it in quotes")
    if field.type != FieldDescriptor.TYPE_BYTES:
        return value
    try:
        text = value.translate(str.maketrans("-_", "+/")).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{_shown(value)} is not base64") from None


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) else None


def _number(value: Any) -> float:
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9.]+([eE][+-]?[0-9]+)?", value, re.ASCII) is None:
        raise ValueError(f"{_shown(value)}; allowed: a number")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{_shown(value)}; allowed: a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{_shown(value)}; allowed: a number") from None
    if math.isinf(number):
        raise ValueError(f"{_shown(value)} is too large")
    return number


def _enum(kind: Any, value: Any) -> int:
    named = kind.values_by_name.get(value) if isinstance(value, str) else None
    if named is not None:
        return int(named.number)
    number = _integer(value)
    if number is None or not -(2**31) <= number < 2**31:
        names = ", ".join(item.name for item in kind.values if item.number)
        raise ValueError(f"{_shown(value)}; allowed: {names}")
    return number  # the engine names the values that it knows


def _shown(value: Any) -> str:
    return repr(value)[:_SHOWN_CHARS]
