"""Checks every field of every request against its .proto: field_behavior and bounds. Pure.

One walk over the message; the checks of a message type are derived from its descriptor once.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.latlng_pb2 import LatLng

from engine.errors import ErrorReason, InvalidArgumentError
from patrol.v1 import bounds_pb2

_SHOWN_CHARS = 60
_PATHS_MAX = 100
_DEPTH_MAX = 8
_SECONDS_MAX = 9_223_372_035  # in 2262: the last whose nanoseconds fit 64 bits
_DURATION_S_MAX = 315_360_000  # ten years
_NANOS_MAX = 999_999_999


class Violation(NamedTuple):
    """What is wrong with one field. `value`, `allowed`, `limit`: facts for programs; empty if there is none."""

    field: str
    description: str
    reason: ErrorReason = ErrorReason.FIELD_INVALID
    value: str = ""
    allowed: str = ""
    limit: int = 0

    @property
    def metadata(self) -> dict[str, object]:
        """The facts that there are."""
        facts = {"value": self.value, "allowed": self.allowed, "limit": self.limit or ""}
        return {key: fact for key, fact in facts.items() if fact}


Check = Callable[[Any, str], Iterator[Violation]]


def check(request: Message, *, skip_rows: bool = False) -> None:
    """Raise InvalidArgumentError with a violation for every field that is missing or out of bounds.

    `skip_rows`: repeated messages in the request are counted, but not checked; the service calls `violations` for each.
    """
    problems = list(_violations(request, "", 0, skip_rows))
    if problems:
        first = problems[0]
        raise InvalidArgumentError(
            first.field,
            first.description,
            [(problem.field, problem.description) for problem in problems[1:]],
            reason=first.reason,
            metadata=first.metadata,
        )


def violations(row: Message) -> list[tuple[str, str]]:
    """Return what is wrong with one row of many: field, and what is allowed."""
    return [(problem.field, problem.description) for problem in _violations(row, "", 0)]


def check_mask(mask: FieldMask, kind: Any, field: str) -> None:
    """Raise InvalidArgumentError for a path that is no field of `kind` (a descriptor); `*` means all fields."""
    if len(mask.paths) > _PATHS_MAX:
        raise InvalidArgumentError(f"{field}.paths", f"{len(mask.paths)} paths; allowed: at most {_PATHS_MAX}")
    for index, path in enumerate(mask.paths):
        if path != "*" and not _is_path(path, kind):
            raise InvalidArgumentError(f"{field}.paths[{index}]", f"{path[:_SHOWN_CHARS]!r} is no field of {kind.name}")


def bounds_of(field: FieldDescriptor) -> bounds_pb2.Bounds:
    """Return the bounds that the .proto sets for a field."""
    options: Any = field.GetOptions()
    bounds: bounds_pb2.Bounds = options.Extensions[bounds_pb2.bounds]
    return bounds


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request without the field is refused."""
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def is_output_only(field: FieldDescriptor) -> bool:
    """Whether the field is ignored in requests."""
    return field_behavior_pb2.OUTPUT_ONLY in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def _violations(message: Message, path: str, depth: int, skip_rows: bool = False) -> Iterator[Violation]:
    required, checks = _checks_of(message.DESCRIPTOR)
    for name in required:
        if not _filled(message, name):
            yield Violation(f"{path}{name}", "is missing; it must be given", ErrorReason.FIELD_MISSING)
    for field, value in message.ListFields():
        check_field = checks.get(field.name)
        if check_field is None:
            continue
        where = f"{path}{field.name}"
        if field.message_type is None:
            yield from check_field(value, where)
        elif field.is_repeated:
            yield from check_field(value, where)
            for index, item in enumerate(() if skip_rows else value):
                yield from _inside(item, f"{where}[{index}]", depth)
        else:
            yield from _inside(value, where, depth)


def _inside(message: Message, where: str, depth: int) -> Iterator[Violation]:
    if isinstance(message, Timestamp):
        if not (0 <= message.seconds <= _SECONDS_MAX and 0 <= message.nanos <= _NANOS_MAX):
            allowed = "1970-01-01T00:00:00Z to 2262-04-11T23:47:15Z"
            yield Violation(where, f"is not between 1970 and 2262; allowed: {allowed}", allowed=allowed)
    elif isinstance(message, Duration):
        if not (0 <= message.seconds <= _DURATION_S_MAX and 0 <= message.nanos <= _NANOS_MAX):
            allowed, value = f"0 s to {_DURATION_S_MAX} s", f"{message.seconds} s and {message.nanos} ns"
            yield Violation(where, f"{value}; allowed: {allowed}", value=value, allowed=allowed)
    elif isinstance(message, LatLng):
        if not (-90.0 <= message.latitude <= 90.0 and -180.0 <= message.longitude <= 180.0):
            allowed = "latitude -90 to 90, longitude -180 to 180, in degrees"
            value = f"{message.latitude:g}, {message.longitude:g}"
            yield Violation(where, f"{value}; allowed: {allowed}", value=value, allowed=allowed)
    elif depth < _DEPTH_MAX:
        yield from _violations(message, f"{where}.", depth + 1)


def _filled(message: Message, name: str) -> bool:
    value = getattr(message, name)
    if isinstance(value, Message):
        return bool(message.HasField(name))
    return bool(value)


@cache
def _checks_of(kind: Descriptor) -> tuple[tuple[str, ...], Mapping[str, Check]]:
    """Return the names of the required fields, and a check for each field that has one."""
    required = tuple(field.name for field in kind.fields if is_required(field))
    checks = {field.name: check for field in kind.fields if (check := _check_of(field)) is not None}
    return required, checks


def _check_of(field: FieldDescriptor) -> Check | None:
    if is_output_only(field):
        return None
    bounds = bounds_of(field)
    if field.message_type is not None:
        check: Check = _no_check  # _violations walks into the message
    elif field.type == FieldDescriptor.TYPE_STRING:
        check = _text(bounds.chars_max, re.compile(bounds.pattern, re.ASCII | re.DOTALL), bounds.allowed)
    elif field.type == FieldDescriptor.TYPE_BYTES:
        check = _bytes(bounds.bytes_max)
    elif field.enum_type is not None:
        check = _enum(field.enum_type)
    elif bounds.most:
        check = _number(bounds.most)
    else:
        return None
    return _each(check, bounds.items_max) if field.is_repeated else check


def _no_check(_: Any, __: str) -> Iterator[Violation]:
    return iter(())


def _beyond(where: str, found: str, allowed: str, limit: int) -> Violation:
    return Violation(where, f"{found}; allowed: {allowed}", value=found, allowed=allowed, limit=limit)


def _text(chars_max: int, pattern: "re.Pattern[str]", allowed: str) -> Check:
    def check_text(value: str, where: str) -> Iterator[Violation]:
        if chars_max and len(value) > chars_max:
            yield _beyond(where, f"{len(value)} characters", f"at most {chars_max}", chars_max)
        elif "\0" in value:
            yield Violation(where, "has a NUL character; leave it out")
        elif pattern.pattern and not pattern.fullmatch(value):
            shown = value[:_SHOWN_CHARS]
            yield Violation(where, f"{shown!r}; allowed: {allowed}", value=shown, allowed=allowed)

    return check_text


def _bytes(bytes_max: int) -> Check:
    def check_bytes(value: bytes, where: str) -> Iterator[Violation]:
        if bytes_max and len(value) > bytes_max:
            yield _beyond(where, f"{len(value):,} bytes", f"at most {bytes_max:,}", bytes_max)

    return check_bytes


def _enum(kind: Any) -> Check:
    numbers = {value.number for value in kind.values}
    names = ", ".join(value.name for value in kind.values if value.number)

    def check_enum(value: int, where: str) -> Iterator[Violation]:
        if value not in numbers:
            yield Violation(where, f"{value}; allowed: {names}", value=str(value), allowed=names)

    return check_enum


def _number(most: int) -> Check:
    def check_number(value: int, where: str) -> Iterator[Violation]:
        if value > most:
            yield _beyond(where, f"{value}", f"0 to {most}", most)

    return check_number


def _each(check_item: Check, items_max: int) -> Check:
    def check_items(values: Iterable[Any], where: str) -> Iterator[Violation]:
        items = list(values)
        if items_max and len(items) > items_max:
            yield _beyond(where, f"{len(items)} items", f"at most {items_max}", items_max)
            return
        for index, value in enumerate(items):
            yield from check_item(value, f"{where}[{index}]")

    return check_items


def _is_path(path: str, kind: Descriptor) -> bool:
    name, _, rest = path.partition(".")
    field = kind.fields_by_name.get(name)
    if field is None:
        return False
    return not rest or (field.message_type is not None and not field.is_repeated and _is_path(rest, field.message_type))
