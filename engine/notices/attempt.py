"""What an attempt came to, and what that means for the next. Pure."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from engine.clock import NS_PER_S


class Outcome(StrEnum):
    """How an attempt ended: the same word in metric, list and log."""

    DELIVERED = "delivered"
    """2xx."""
    REFUSED = "refused"
    """400, 413, 415, 422: this notice, and no other, is not taken."""
    THROTTLED = "throttled"
    """429: too many; the endpoint is well."""
    GONE = "gone"
    """410: the endpoint wants nothing any more."""
    REDIRECTED = "redirected"
    """3xx: not followed, since a notice goes where it was told to and nowhere else."""
    CLIENT_ERROR = "client_error"
    """Any other 4xx."""
    SERVER_ERROR = "server_error"
    """5xx, and what is no status at all."""
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    """No name, no route, nobody listens, or no TLS that holds."""
    BROKEN = "broken"
    """The connection ended, or no HTTP came back."""
    NO_SECRET = "no_secret"  # noqa: S105 (a word of the metric)
    """The file of the secrets cannot be used; nothing was sent."""
    INTERNAL = "internal"
    """A mistake of ours; the log has it."""

    @property
    def counts_for_circuit(self) -> bool:
        """Whether it says that the endpoint is not well, and not only this notice or the pace."""
        return self not in (Outcome.DELIVERED, Outcome.REFUSED, Outcome.THROTTLED)


_ABOUT_THE_NOTICE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What an attempt came to. `retry_after_ns`: the wait that it asked for; `detail`: one line for people."""

    outcome: Outcome
    detail: str = ""
    retry_after_ns: int | None = None


def outcome_of(status: int) -> Outcome:
    """What an HTTP status means."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if 300 <= status < 400:
        return Outcome.REDIRECTED
    if status in _ABOUT_THE_NOTICE:
        return Outcome.REFUSED
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Outcome.THROTTLED
    if status == HTTPStatus.GONE:
        return Outcome.GONE
    return Outcome.CLIENT_ERROR if 400 <= status < 500 else Outcome.SERVER_ERROR


def retry_after_ns(header: str, now_wall_ns: int) -> int | None:
    """The wait that a Retry-After asks for, in seconds or as a date (RFC 9110, 10.2.3); None if it is neither."""
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
