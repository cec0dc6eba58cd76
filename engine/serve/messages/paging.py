"""Pages (AIP-158): their size, and tokens that say where the next one begins.

A token holds the place itself, not a number of rows, so that what comes and goes meanwhile neither repeats nor skips
anything; and it holds a digest of all else that was asked for, so that it fits no other question. Pure.
"""

import base64
import hashlib
import json
from typing import Any, NoReturn

from engine.errors import InvalidArgumentError

PAGE_SIZE = 100
_MARK_BYTES = 8
_NUMBER_MAX = 2**63 - 1


class Pages:
    """Tokens of one question. `question`: all that its pages depend on, the caller's region too; JSON can hold it."""

    def __init__(self, *question: Any) -> None:
        self._mark = hashlib.blake2b(json.dumps(question).encode(), digest_size=_MARK_BYTES).digest()

    def token(self, place: Any) -> str:
        """Opaque to callers; empty where `place` is None: there is no next page."""
        if place is None:
            return ""
        return base64.urlsafe_b64encode(self._mark + json.dumps(place).encode()).decode()

    def number(self, token: str) -> int:
        """Where the page begins, a number; 0 for no token. Raises InvalidArgumentError."""
        place = self._place(token, 0)
        return place if isinstance(place, int) and 0 <= place <= _NUMBER_MAX else self._refuse()

    def texts(self, token: str, count: int) -> list[str]:
        """The same where it is so many texts; none for no token."""
        place: Any = self._place(token, [])
        if not isinstance(place, list) or len(place) not in (0, count):
            self._refuse()
        if not all(isinstance(one, str) and "\0" not in one for one in place):
            self._refuse()
        return [str(one) for one in place]

    def _place(self, token: str, nowhere: Any) -> Any:
        if not token:
            return nowhere
        try:
            raw = base64.urlsafe_b64decode(token.encode())
            if raw[:_MARK_BYTES] == self._mark:
                return json.loads(raw[_MARK_BYTES:])
        except ValueError:
            pass
        return self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise InvalidArgumentError(
            "page_token", "is none of ours for this question; send the last reply's, and leave all else as it was"
        )


def page_size_of(wanted: int, most: int) -> int:
    """Rows of a page; 0 asks for what is usual, and more than `most` for `most` (AIP-158)."""
    return min(wanted or PAGE_SIZE, most)
