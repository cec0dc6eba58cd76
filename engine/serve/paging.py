"""Pages (AIP-158): their size, and tokens that say where the next one begins.

A token holds the place itself, not a number of rows, so that what comes and goes meanwhile neither repeats nor skips
anything; and it holds a digest of all else that was asked for, so that it fits no other question. Pure.
"""

import base64
import hashlib
import json
from typing import Any

from engine.errors import InvalidArgumentError

PAGE_SIZE = 100
_MARK_BYTES = 8


class Pages:
    """Tokens of one question. `question`: all that its pages depend on, the caller's region too; JSON can hold it."""

    def __init__(self, *question: Any) -> None:
        self._mark = hashlib.blake2b(json.dumps(question).encode(), digest_size=_MARK_BYTES).digest()

    def token(self, place: Any) -> str:
        """Opaque to callers; empty where `place` is None: there is no next page."""
        if place is None:
            return ""
        return base64.urlsafe_b64encode(self._mark + json.dumps(place).encode()).decode()

    def place(self, token: str) -> Any:
        """Where the page begins; None for no token. Raises InvalidArgumentError."""
        if not token:
            return None
        try:
            raw = base64.urlsafe_b64decode(token.encode())
            if raw[:_MARK_BYTES] == self._mark:
                return json.loads(raw[_MARK_BYTES:])
        except ValueError:
            pass
        raise InvalidArgumentError(
            "page_token", "is none of ours for this question; send the last reply's, and leave all else as it was"
        )


def page_size_of(wanted: int, most: int) -> int:
    """Rows of a page; 0 asks for what is usual, and more than `most` for `most` (AIP-158)."""
    return min(wanted or PAGE_SIZE, most)
