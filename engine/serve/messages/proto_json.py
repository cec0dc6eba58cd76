"""Writes messages of patrol.v1 as proto3 JSON, as the API and every `--json` of the command line have it. Pure.

Names are lowerCamelCase, enums are words as in the protos, 64-bit integers are strings, times are RFC 3339 in UTC. A
field of a message that has its default (0, false, empty) is left out.
"""

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from engine.serve.messages.convert import timestamp


def message_json(message: Message) -> dict[str, Any]:
    """Return a message as the API's JSON has it."""
    tree: dict[str, Any] = MessageToDict(message)
    return tree


def time_json(wall_ns: int) -> str | None:
    """Return a moment as the API's JSON has it; None for 0 (never)."""
    moment = timestamp(wall_ns)
    return None if moment is None else moment.ToJsonString()
