"""Says why a visit through FFmpeg failed, by FFmpeg's error and log."""

import re
from collections.abc import Sequence

import av.error

from engine.config.feed import FeedSettings
from engine.feed.own_limits import is_own_limit, own_limit_detail
from engine.feed.sources.http import NO_SUCH_STREAM
from engine.feed.sources.progress import Progress
from engine.model.visit import FailureReason

_REASONS: tuple[tuple[type[BaseException], FailureReason, str], ...] = (
    (av.error.HTTPUnauthorizedError, FailureReason.UNAUTHORIZED, "the server refuses this user and password (401)"),
    (av.error.HTTPForbiddenError, FailureReason.UNAUTHORIZED, "the server refuses access (403)"),
    (av.error.HTTPNotFoundError, FailureReason.NOT_FOUND, f"{NO_SUCH_STREAM} (404)"),
    (av.error.FileNotFoundError, FailureReason.NOT_FOUND, ""),
    (av.error.PermissionError, FailureReason.UNAUTHORIZED, ""),
)
_ERRNO_NOT_PERMITTED, _ERRNO_IO = 1, 5
_ERRNO_TIMED_OUT = {110, 11}
_ERRNO_CLOSED = {104, 32}
_RTMP_REFUSAL = re.compile(r"Server error: (.*)")
_RTMP_UNKNOWN = re.compile(r"not ?found|no such|not exist|unknown stream", re.IGNORECASE)
_RTMP_DENIED = re.compile(r"auth|denied|forbidden|permission|accessmanager", re.IGNORECASE)
_RTMP_CLOSED = "the server closed the connection and played nothing; perhaps it has no stream of that name"
_NEARLY = 0.9


def explain(
    error: BaseException, log: Sequence[str], url: str, settings: FeedSettings, progress: Progress
) -> tuple[FailureReason, str]:
    """Return the reason and a sentence for it. `log`: what FFmpeg logged as errors in this visit."""
    if is_own_limit(error):
        return FailureReason.EXHAUSTED, own_limit_detail(error)
    text = str(getattr(error, "strerror", "") or error)
    number = getattr(error, "errno", None)
    scheme = url.partition(":")[0].lower()
    is_late = progress.waited_s() >= _NEARLY * settings.connect_timeout_s
    if scheme in ("rtmp", "rtmps"):
        if number == _ERRNO_NOT_PERMITTED:
            return _rtmp_refusal(log)
        if number == _ERRNO_IO and is_late:
            late = progress.late()  # FFmpeg's RTMP says so of a read that timed out
            return late.reason, f"{late.detail}; perhaps it has no stream of that name"
        if number == _ERRNO_IO or number in _ERRNO_CLOSED:
            return FailureReason.PROTOCOL_ERROR, _RTMP_CLOSED
    for kind, reason, sentence in _REASONS:
        if isinstance(error, kind):
            return reason, sentence or text
    timed_out = isinstance(error, av.error.ExitError | TimeoutError) or number in _ERRNO_TIMED_OUT
    # FFmpeg's RTSP takes a response that did not come in time for one that is none.
    if timed_out or (scheme in ("rtsp", "rtsps") and isinstance(error, av.error.InvalidDataError) and is_late):
        late = progress.late()
        return late.reason, late.detail
    if number in _ERRNO_CLOSED:
        return FailureReason.PROTOCOL_ERROR, "the server closed the connection"
    return FailureReason.PROTOCOL_ERROR, text


def _rtmp_refusal(log: Sequence[str]) -> tuple[FailureReason, str]:
    """Return what the server's own sentence means; FFmpeg gives the same error for every refusal of an RTMP server."""
    said = next((match[1].strip() for line in log if (match := _RTMP_REFUSAL.match(line))), "")
    if _RTMP_UNKNOWN.search(said):
        return FailureReason.NOT_FOUND, f"{NO_SUCH_STREAM} ({said})"
    if _RTMP_DENIED.search(said):
        return FailureReason.UNAUTHORIZED, f"the server refuses access ({said})"
    return FailureReason.PROTOCOL_ERROR, f"the server refuses to play this stream ({said or 'it does not say why'})"
