"""Pages (AIP-158): their size, and the tokens of the next page. Pure.

A token holds the place where the next page begins, not a number of rows, so that rows that come or go meanwhile neither
repeat nor skip others. It also holds a digest of the query, so that it is refused with any other query.
"""

import hashlib
import json
from typing import Any, NoReturn

from engine.errors import ErrorReason, InvalidArgumentError
from engine.serve.messages.places import Places

PAGE_SIZE = 100
"""Rows of a page if the request does not say."""
_DIGEST_BYTES = 8
_NUMBER_MAX = 2**63 - 1


class PageTokens:
    """The page tokens of one query. `what`: is listed. `places`: of the caller. `query`: all that the pages depend on
    beside the caller's region; JSON values."""

    def __init__(self, what: str, places: Places, *query: Any) -> None:
        self._about = f"page {what}"
        self._places = places
        depends_on = json.dumps((what, places.region, *query)).encode()
        self._digest = hashlib.blake2b(depends_on, digest_size=_DIGEST_BYTES).digest()

    def token(self, place: Any) -> str:
        """Return the token of a page that begins at `place`, a JSON value; empty for None: there is no next page."""
        if place is None:
            return ""
        return self._places.token(self._about, self._digest + json.dumps(place).encode())

    def number(self, token: str) -> int:
        """Return the place in a token, a number; 0 for an empty token. Raises InvalidArgumentError for a bad one."""
        place = self._place(token, 0)
        return place if isinstance(place, int) and 0 <= place <= _NUMBER_MAX else self._refuse()

    def texts(self, token: str, count: int) -> list[str]:
        """Return the place in a token, `count` texts; none for an empty token. Raises InvalidArgumentError."""
        place: Any = self._place(token, [])
        if not isinstance(place, list) or len(place) not in (0, count):
            self._refuse()
        if not all(isinstance(text, str) and "\0" not in text for text in place):
            self._refuse()
        return [str(text) for text in place]

    def numbers(self, token: str, count: int) -> list[int]:
        """Return the place in a token, `count` numbers; none for an empty token. Raises InvalidArgumentError."""
        place: Any = self._place(token, [])
        if not isinstance(place, list) or len(place) not in (0, count):
            self._refuse()
        if not all(isinstance(number, int) and 0 <= number <= _NUMBER_MAX for number in place):
            self._refuse()
        return [int(number) for number in place]

    def _place(self, token: str, default: Any) -> Any:
        if not token:
            return default
        try:
            raw = self._places.place(self._about, token)
            if raw is not None and raw[:_DIGEST_BYTES] == self._digest:
                return json.loads(raw[_DIGEST_BYTES:])
        except ValueError:
            pass
        return self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise InvalidArgumentError(
            "page_token",
            "is not valid for this request; send that of the last reply, and change no other field",
            reason=ErrorReason.PAGE_TOKEN_INVALID,
        )


def page_size_of(requested: int, rows_max: int) -> int:
    """Return the rows of a page: PAGE_SIZE if the request says 0, and never more than `rows_max` (AIP-158)."""
    return min(requested or PAGE_SIZE, rows_max)
