"""Says why a visit through FFmpeg failed: by FFmpeg's error and log, and by whether the host takes connections."""

import re
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import av.error

from engine.clock import monotonic_ns, seconds
from engine.config.schema import FeedSettings
from engine.feed.camera_url import uplink_and_host
from engine.feed.demux_progress import Progress
from engine.feed.own_limits import is_own_limit, own_limit_detail
from engine.model.visit import FailureReason, VisitOrder

NO_SUCH_STREAM = "the server has no stream of that name"
_REASONS: tuple[tuple[type[BaseException], FailureReason, str], ...] = (
    (av.error.HTTPUnauthorizedError, FailureReason.UNAUTHORIZED, "the server refuses this user and password (401)"),
    (av.error.HTTPForbiddenError, FailureReason.UNAUTHORIZED, "the server refuses access (403)"),
    (av.error.HTTPNotFoundError, FailureReason.NOT_FOUND, f"{NO_SUCH_STREAM} (404)"),
    (av.error.FileNotFoundError, FailureReason.NOT_FOUND, ""),
    (av.error.ConnectionRefusedError, FailureReason.REFUSED, "nothing listens on that port"),
    (av.error.PermissionError, FailureReason.UNAUTHORIZED, ""),
)
_ERRNO_NOT_PERMITTED, _ERRNO_IO = 1, 5
_ERRNO_TIMED_OUT, _ERRNO_UNREACHABLE = {110, 11}, {101, 113, 104, 32}
_RTMP_REFUSAL = re.compile(r"Server error: (.*)")
_RTMP_UNKNOWN = re.compile(r"not ?found|no such|not exist|unknown stream", re.IGNORECASE)
_RTMP_DENIED = re.compile(r"auth|denied|forbidden|permission|accessmanager", re.IGNORECASE)
_RTMP_CLOSED = "the server closed the connection and played nothing; perhaps it has no stream of that name"
_PROBE_S_MIN, _PROBE_S_MAX = 0.1, 1.0
_NEARLY = 0.9


def explain(
    error: BaseException, log: Sequence[str], order: VisitOrder, settings: FeedSettings, progress: Progress
) -> tuple[FailureReason, str]:
    """Return the reason and a sentence for it. `log`: what FFmpeg logged as errors in this visit.

    After a time-out it connects to the host once more, for at most a second.
    """
    if is_own_limit(error):
        return FailureReason.EXHAUSTED, own_limit_detail(error)
    text = str(getattr(error, "strerror", "") or error)
    number = getattr(error, "errno", None)
    is_rtmp = order.url.lower().startswith("rtmp")
    if is_rtmp:
        waited_s = seconds(monotonic_ns() - progress.began_ns)
        if number == _ERRNO_NOT_PERMITTED:
            return _rtmp_refusal(log)
        if number == _ERRNO_IO and waited_s >= _NEARLY * settings.connect_timeout_s:
            reason, sentence = timed_out(order, progress)  # FFmpeg's RTMP says so of a read that timed out
            return reason, f"{sentence}; perhaps it has no stream of that name"
    if isinstance(error, av.error.HTTPUnauthorizedError) and not urlsplit(order.url).username:
        return FailureReason.UNAUTHORIZED, "the server asks for a user and password; the URL has none (401)"
    for kind, reason, sentence in _REASONS:
        if isinstance(error, kind):
            return reason, sentence or text
    if any("resolve" in line for line in (*log, text)):
        return FailureReason.DNS, "the host's name does not resolve"
    if isinstance(error, av.error.ExitError) or number in _ERRNO_TIMED_OUT or isinstance(error, TimeoutError):
        return timed_out(order, progress)
    if number in _ERRNO_UNREACHABLE:
        return FailureReason.UNREACHABLE, text
    if is_rtmp and number == _ERRNO_IO:
        return FailureReason.PROTOCOL_ERROR, _RTMP_CLOSED
    return FailureReason.PROTOCOL_ERROR, text


def timed_out(order: VisitOrder, progress: Progress) -> tuple[FailureReason, str]:
    """Return the reason of a visit that came to no end: no connection, or one over which no keyframe came.

    Connects to the host once more, for at most a second, unless FFmpeg had opened the stream.
    """
    waited_ns = monotonic_ns() - progress.began_ns
    after = f"within {seconds(waited_ns):.1f} s"
    left_s = seconds(order.deadline_ns - waited_ns)
    if progress.opened_ns:
        return FailureReason.TIMEOUT_KEYFRAME, f"no keyframe {after}"
    if _takes_connections(order.url, min(_PROBE_S_MAX, max(_PROBE_S_MIN, left_s))):
        return FailureReason.TIMEOUT_KEYFRAME, f"the server takes the connection, but sent no video {after}"
    return FailureReason.TIMEOUT_CONNECT, f"no connection {after}"


def _takes_connections(url: str, timeout_s: float) -> bool:
    host, _, port = uplink_and_host(url)[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout_s).close()
    except (OSError, ValueError):
        return False
    return True


def _rtmp_refusal(log: Sequence[str]) -> tuple[FailureReason, str]:
    """Return what the server's own sentence means; FFmpeg gives the same error for every refusal of an RTMP server."""
    said = next((match[1].strip() for line in log if (match := _RTMP_REFUSAL.match(line))), "")
    if _RTMP_UNKNOWN.search(said):
        return FailureReason.NOT_FOUND, f"{NO_SUCH_STREAM} ({said})"
    if _RTMP_DENIED.search(said):
        return FailureReason.UNAUTHORIZED, f"the server refuses access ({said})"
    return FailureReason.PROTOCOL_ERROR, f"the server refuses to play this stream ({said or 'it does not say why'})"
