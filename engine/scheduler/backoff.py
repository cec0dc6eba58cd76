"""How long a camera that fails is left alone. Pure."""

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.model.visit import FailureReason

_CONNECT = frozenset(
    {FailureReason.REFUSED, FailureReason.DNS, FailureReason.UNREACHABLE, FailureReason.TIMEOUT_CONNECT}
)
_LASTING = frozenset(
    {FailureReason.UNAUTHORIZED, FailureReason.NOT_FOUND, FailureReason.NO_VIDEO, FailureReason.UNSUPPORTED_CODEC}
)
_DOUBLINGS_MAX = 32
_FAILURE = 4
_MEMORY_MAX = 250


def first_wait_s(reason: FailureReason, settings: SchedulerSettings) -> float:
    """After one failure: a missing keyframe is tried again soon, a wrong password is not."""
    if reason in _CONNECT:
        return settings.backoff_connect_first_s
    if reason in _LASTING:
        return settings.backoff_lasting_first_s
    return settings.backoff_stream_first_s


def remember(memory: int, failed: bool) -> int:
    """What a camera's past weighs after one more visit: a failure adds 4, a keyframe takes a quarter away.

    So a camera that flaps is left alone longer each time, up to a bound: one that fails every other visit comes to 3
    failures. A byte holds it; one that was dead for days is trusted again after some twenty keyframes.
    """
    return min(_MEMORY_MAX, memory + _FAILURE) if failed else memory - -(-memory // 4)


def failures_of(memory: int) -> int:
    """The failures in a row that it weighs as much as."""
    return memory // _FAILURE


def ceiling_ns(period_ns: int, settings: SchedulerSettings) -> int:
    """No wait after failures is longer: a camera that comes back must be seen within twice its period."""
    return min(ns(settings.backoff_max_s), round(settings.backoff_periods_max * period_ns))


def backoff_ns(failures: int, reason: FailureReason, period_ns: int, settings: SchedulerSettings) -> int:
    """The wait after so many failures (from 1): the reason's first wait, doubled each time, up to the ceiling."""
    first_ns = ns(first_wait_s(reason, settings))
    return min(ceiling_ns(period_ns, settings), first_ns << min(failures - 1, _DOUBLINGS_MAX))
