"""What a request may hold, as its .proto says: field_behavior and bounds, checked for every field of every request.

One walk over the message; what a descriptor asks for is worked out once. Pure.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from engine.errors import InvalidArgumentError
from patrol.v1 import bounds_pb2

_SHOWN_CHARS = 60
_PATHS_MAX = 100
_DEEPEST = 8
_SECONDS_MAX = 9_223_372_035  # in 2262: the last whose nanoseconds fit 64 bits
_NANOS_MAX = 999_999_999
Check = Callable[[Any, str], Iterator[tuple[str, str]]]


def check(request: Message, *, rows_apart: bool = False) -> None:
    """Raises InvalidArgumentError with a violation for every field that is missing or out of bounds.

    `rows_apart`: repeated messages of the request are counted only; who takes them has `violations` for each.
    """
    found = list(_violations(request, "", 0, rows_apart))
    if found:
        raise InvalidArgumentError(*found[0], more=found[1:])


def violations(row: Message) -> list[tuple[str, str]]:
    """What is wrong with one message of many: field, and what is allowed."""
    return list(_violations(row, "", 0))


def check_mask(mask: FieldMask, kind: Any, field: str) -> None:
    """Raises InvalidArgumentError for a path that is no field of `kind` (a descriptor); `*` is all of them."""
    if len(mask.paths) > _PATHS_MAX:
        raise InvalidArgumentError(f"{field}.paths", f"{len(mask.paths)} paths; allowed: at most {_PATHS_MAX}")
    for index, path in enumerate(mask.paths):
        if path != "*" and not _is_path(path, kind):
            raise InvalidArgumentError(f"{field}.paths[{index}]", f"{path[:_SHOWN_CHARS]!r} is no field of {kind.name}")


def bounds_of(field: FieldDescriptor) -> bounds_pb2.Bounds:
    """What the .proto says of a field."""
    options: Any = field.GetOptions()
    bounds: bounds_pb2.Bounds = options.Extensions[bounds_pb2.bounds]
    return bounds


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request without it is refused."""
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def is_output_only(field: FieldDescriptor) -> bool:
    """Whether what a request says of it is passed over."""
    return field_behavior_pb2.OUTPUT_ONLY in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def _violations(message: Message, path: str, depth: int, rows_apart: bool = False) -> Iterator[tuple[str, str]]:
    required, checks = _plan(message.DESCRIPTOR)
    for name in required:
        if not _filled(message, name):
            yield f"{path}{name}", "is missing; it must be given"
    for field, value in message.ListFields():
        one = checks.get(field.name)
        if one is None:
            continue
        where = f"{path}{field.name}"
        if field.message_type is None:
            yield from one(value, where)
        elif field.is_repeated:
            yield from one(value, where)
            for index, item in enumerate(() if rows_apart else value):
                yield from _inside(item, f"{where}[{index}]", depth)
        else:
            yield from _inside(value, where, depth)


def _inside(message: Message, where: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(message, Timestamp):
        if not (0 <= message.seconds <= _SECONDS_MAX and 0 <= message.nanos <= _NANOS_MAX):
            yield where, "is no moment between 1970 and 2262; allowed: 1970-01-01T00:00:00Z to 2262-04-11T23:47:15Z"
    elif depth < _DEEPEST:
        yield from _violations(message, f"{where}.", depth + 1)


def _filled(message: Message, name: str) -> bool:
    value = getattr(message, name)
    if isinstance(value, Message):
        return bool(message.HasField(name))
    return bool(value)


@cache
def _plan(kind: Descriptor) -> tuple[tuple[str, ...], Mapping[str, Check]]:
    """Names of the required fields, and a check for each field that has one."""
    required = tuple(field.name for field in kind.fields if is_required(field))
    checks = {field.name: found for field in kind.fields if (found := _check_of(field)) is not None}
    return required, checks


def _check_of(field: FieldDescriptor) -> Check | None:
    if is_output_only(field):
        return None
    bounds = bounds_of(field)
    if field.message_type is not None:
        one: Check = _nothing
    elif field.type == FieldDescriptor.TYPE_STRING:
        one = _text(bounds.chars_max, re.compile(bounds.pattern, re.ASCII | re.DOTALL), bounds.allowed)
    elif field.enum_type is not None:
        one = _enum(field.enum_type)
    elif bounds.most:
        one = _number(bounds.most)
    else:
        return None
    return _each(one, bounds.items_max) if field.is_repeated else one


def _nothing(_: Any, __: str) -> Iterator[tuple[str, str]]:
    return iter(())


def _text(chars_max: int, pattern: "re.Pattern[str]", allowed: str) -> Check:
    def check_text(value: str, where: str) -> Iterator[tuple[str, str]]:
        if chars_max and len(value) > chars_max:
            yield where, f"{len(value)} characters; allowed: at most {chars_max}"
        elif "\0" in value:
            yield where, "holds a character of code 0, which no text has; leave it out"
        elif pattern.pattern and not pattern.fullmatch(value):
            yield where, f"{value[:_SHOWN_CHARS]!r}; allowed: {allowed}"

    return check_text


def _enum(kind: Any) -> Check:
    known = {one.number for one in kind.values}
    names = ", ".join(one.name for one in kind.values if one.number)

    def check_enum(value: int, where: str) -> Iterator[tuple[str, str]]:
        if value not in known:
            yield where, f"{value} is none; allowed: {names}"

    return check_enum


def _number(most: int) -> Check:
    def check_number(value: int, where: str) -> Iterator[tuple[str, str]]:
        if value > most:
            yield where, f"{value}; allowed: 0 to {most}"

    return check_number


def _each(one: Check, items_max: int) -> Check:
    def check_items(values: Iterable[Any], where: str) -> Iterator[tuple[str, str]]:
        items = list(values)
        if items_max and len(items) > items_max:
            yield where, f"{len(items)} items; allowed: at most {items_max}"
            return
        for index, value in enumerate(items):
            yield from one(value, f"{where}[{index}]")

    return check_items


def _is_path(path: str, kind: Descriptor) -> bool:
    name, _, rest = path.partition(".")
    field = kind.fields_by_name.get(name)
    if field is None:
        return False
    return not rest or (field.message_type is not None and not field.is_repeated and _is_path(rest, field.message_type))
