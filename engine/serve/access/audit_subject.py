"""Describes in few words what a call is about, for the audit log: names and numbers, never a secret. Pure."""

from typing import Any

from google.protobuf.message import Message

from engine.redact import redact

_NAMED_MAX = 3
_CHARS_MAX = 500


def subject_of(request: Message) -> str:
    """Return the resource names in a request, or the number of items; empty if it names nothing."""
    described = (_described(field.name, value) for field, value in request.ListFields())
    return redact(", ".join(filter(None, described)))[:_CHARS_MAX]


def _described(name: str, value: Any) -> str:
    if name in ("name", "camera_id", "region_prefix", "uplink", "host", "display_name", "verdict", "parent"):
        return str(value)
    if name == "names" or name == "cameras":
        named = [str(item) for item in value[:_NAMED_MAX]]
        more = len(value) - len(named)
        return " ".join(named) + (f" and {more} more" if more else "")
    if name == "targets" and value:
        return f"{len(value)} findings, {value[0].name} to {value[-1].name}"
    if name == "toml":
        return f"configuration of {len(value)} characters"
    if name == "camera" and isinstance(value, str):
        return value
    if name in ("camera", "canteen", "token", "scope", "filter"):
        return subject_of(value)
    return ""
