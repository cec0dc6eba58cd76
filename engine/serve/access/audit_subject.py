"""What a call is about, in few words for the audit log. Never a secret: names and numbers, no values. Pure."""

from typing import Any

from google.protobuf.message import Message

_NAMED_MAX = 3
_CHARS_MAX = 500


def subject_of(request: Message) -> str:
    """The names in a request, or how many of what."""
    said: list[str] = []
    for field, value in request.ListFields():
        word = _word(field.name, value)
        if word:
            said.append(word)
    return ", ".join(said)[:_CHARS_MAX]


def _word(name: str, value: Any) -> str:
    if name in ("name", "camera_id", "region_prefix", "uplink", "host", "display_name"):
        return str(value)
    if name == "names" or name == "cameras":
        named = [str(one) for one in value[:_NAMED_MAX]]
        more = len(value) - len(named)
        return " ".join(named) + (f" and {more} more" if more else "")
    if name == "toml":
        return f"configuration of {len(value)} characters"
    if name == "camera" and isinstance(value, str):
        return value
    if name in ("camera", "token", "scope"):
        return subject_of(value)
    return ""
