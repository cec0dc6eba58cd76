"""Reads forms and query strings within bounds; what comes from a form is hostile."""

import asyncio
import secrets
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from engine.errors import InvalidArgumentError
from engine.web.errors import HttpError, refusal

FORM_BYTES_MAX = 1_048_576
FORM_S = 30.0
_FIELDS_MAX = 2000
_REQUEST_ID_BYTES = 12


async def read_form(request: Request, bytes_max: int = FORM_BYTES_MAX, files_max: int = 0) -> FormData:
    """Return a form. Raises HttpError if it is too large, comes too slowly, or is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise refusal("INVALID_ARGUMENT", "CONTENT_TYPE", f"Content-Type {kind[:60]!r}; send a form", http=415)
    bounded = Request(request.scope, _Bounded(request, bytes_max).receive)
    try:
        async with asyncio.timeout(FORM_S):
            form = await bounded.form(max_files=files_max, max_fields=_FIELDS_MAX, max_part_size=bytes_max)
    except TimeoutError:
        message = f"the form was not complete after {FORM_S:g} s; send it again"
        raise refusal("DEADLINE_EXCEEDED", "BODY_TOO_SLOW", message, http=408) from None
    except HTTPException as error:  # what Starlette says of a form that it cannot read
        raise refusal("INVALID_ARGUMENT", "FORM_MALFORMED", f"the form cannot be read: {error.detail}") from error
    except UnicodeError:  # a part may name an encoding of its own
        raise _no_text() from None
    for name, value in form.multi_items():
        if not _is_text(name) or (isinstance(value, str) and not _is_text(value)):
            raise _no_text()
    return form


def _is_text(value: str) -> bool:
    """Whether a text can be written as UTF-8; halves of surrogate pairs cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_text() -> HttpError:
    return refusal("INVALID_ARGUMENT", "FORM_MALFORMED", "the form has characters that are no text; send it as UTF-8")


class _Bounded:
    """Passes a body on, up to so many bytes."""

    def __init__(self, request: Request, bytes_max: int) -> None:
        self._request = request
        self._bytes_max = bytes_max
        self._bytes = 0

    async def receive(self) -> Message:
        """Return the next piece. Raises HttpError if there is too much."""
        message = await self._request.receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._bytes_max:
            raise _too_large(self._bytes_max)
        return message


def _too_large(bytes_max: int) -> HttpError:
    message = f"the form has more than {bytes_max} bytes, which is the most; send less at once"
    return refusal("INVALID_ARGUMENT", "BODY_TOO_LARGE", message, http=413)


def text(fields: Any, name: str, chars_max: int = 500) -> str:
    """Return a field of a form or query without blanks around it; empty if it is not there.

    Raises InvalidArgumentError if it is too long, or a file.
    """
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise InvalidArgumentError(name, "is a file; write text")
    value = value.strip()
    if len(value) > chars_max:
        raise InvalidArgumentError(name, f"has {len(value)} characters; allowed: up to {chars_max}")
    return value


def number(fields: Any, name: str, default: int = 0, least: int = 0, most: int = 2**31 - 1) -> int:
    """Return a field as a whole number. Raises InvalidArgumentError if it is none, or out of bounds."""
    value = text(fields, name, 20)
    if not value:
        return default
    if not (value.isascii() and value.removeprefix("-").isdigit()) or not least <= int(value) <= most:
        raise InvalidArgumentError(name, f"{value!r}; allowed: whole numbers from {least} to {most}")
    return int(value)


def choice(fields: Any, name: str, allowed: Any, default: str = "") -> str:
    """Return a field that is one of some words. Raises InvalidArgumentError for another word."""
    value = text(fields, name, 64)
    if not value:
        return default
    if value not in allowed:
        raise InvalidArgumentError(name, f"{value!r}; allowed: {', '.join(allowed)}")
    return value


def new_request_id() -> str:
    """Return what makes an action idempotent: its form has it, and sends it again with each try."""
    return secrets.token_urlsafe(_REQUEST_ID_BYTES)


def moment(fields: Any, name: str, zone: ZoneInfo) -> Timestamp | None:
    """Return a field with a date, or date and time, in a time zone; None if it is empty.

    Raises InvalidArgumentError.
    """
    value = text(fields, name, 30)
    if not value:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidArgumentError(
            name, f"{value!r}; allowed: a date such as 2026-11-29, with or without T18:30"
        ) from None
    found = Timestamp()
    try:
        found.FromDatetime(time if time.tzinfo else time.replace(tzinfo=zone))
    except (OverflowError, ValueError):
        raise InvalidArgumentError(name, f"{value!r}; allowed: years 1970 to 9998") from None
    return found
