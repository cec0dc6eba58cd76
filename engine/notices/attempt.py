"""Classifies the result of one attempt to send a notice. Pure."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from engine.clock import NS_PER_S


class Outcome(StrEnum):
    """How an attempt ended. Metrics, lists and logs use the same word."""

    DELIVERED = "delivered"
    """2xx."""
    REFUSED = "refused"
    """400, 413, 415, 422: the endpoint rejects this notice; others may pass."""
    THROTTLED = "throttled"
    """429: too many notices; the endpoint is healthy."""
    GONE = "gone"
    """410: the endpoint accepts no more notices."""
    REDIRECTED = "redirected"
    """3xx: not followed, since a notice goes to the configured URL only."""
    CLIENT_ERROR = "client_error"
    """Any other 4xx."""
    SERVER_ERROR = "server_error"
    """5xx, and any number that is not an HTTP status."""
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    """The name does not resolve, or to an address of this machine or its surroundings; there is no route, nothing
    listens, or the TLS certificate is not trusted."""
    BROKEN = "broken"
    """The connection ended, or the answer was not HTTP."""
    NO_SECRET = "no_secret"  # noqa: S105 (a word of the metric)
    """The secret file or the CA file cannot be used; nothing was sent."""
    INTERNAL = "internal"
    """A bug of the engine; see the log."""

    @property
    def counts_for_circuit(self) -> bool:
        """Whether it means that the endpoint is unhealthy, and not only that this notice or the pace is at fault."""
        return self not in (Outcome.DELIVERED, Outcome.REFUSED, Outcome.THROTTLED)


_REFUSALS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of one attempt.

    `detail`: one line for people. `retry_after_ns`: the wait that the endpoint asked for; None if it did not.
    """

    outcome: Outcome
    detail: str = ""
    retry_after_ns: int | None = None


def outcome_of(status: int) -> Outcome:
    """Return the outcome that an HTTP status stands for."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if 300 <= status < 400:
        return Outcome.REDIRECTED
    if status in _REFUSALS:
        return Outcome.REFUSED
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Outcome.THROTTLED
    if status == HTTPStatus.GONE:
        return Outcome.GONE
    return Outcome.CLIENT_ERROR if 400 <= status < 500 else Outcome.SERVER_ERROR


def retry_after_ns(header: str, now_wall_ns: int) -> int | None:
    """Return the wait that a Retry-After header asks for (RFC 9110, 10.2.3); None if it is not valid."""
    text = header.strip()
    if text.isascii() and text.isdecimal() and len(text) < 12:
        return int(text) * NS_PER_S
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0, int(at.timestamp()) * NS_PER_S - now_wall_ns)
