"""Computes how long the scheduler waits before it visits a camera again that failed. Pure."""

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.model.visit import FailureReason

_CONNECT = frozenset(
    {FailureReason.REFUSED, FailureReason.DNS, FailureReason.UNREACHABLE, FailureReason.TIMEOUT_CONNECT}
)
_LASTING = frozenset(
    {
        FailureReason.UNAUTHORIZED,
        FailureReason.NOT_FOUND,
        FailureReason.NO_VIDEO,
        FailureReason.UNSUPPORTED_CODEC,
        FailureReason.SOURCE_REFUSED,
        FailureReason.REDIRECT_REFUSED,
        FailureReason.FLOOD,
    }
)
_DOUBLINGS_MAX = 32
_FAILURE_WEIGHT = 4
_MEMORY_MAX = 250


def first_wait_s(reason: FailureReason, settings: SchedulerSettings) -> float:
    """Return the wait after one failure: short after a missing keyframe, long after a wrong password."""
    if reason in _CONNECT:
        return settings.backoff_connect_first_s
    if reason in _LASTING:
        return settings.backoff_lasting_first_s
    return settings.backoff_stream_first_s


def updated_memory(memory: int, failed: bool) -> int:
    """Return a camera's failure memory after one more visit: a failure adds 4, a keyframe removes a quarter.

    A camera that flaps therefore waits longer each time, up to a bound: one that fails every other visit reaches the
    weight of 3 failures. The memory fits a byte; a camera that was dead for days is trusted again after about twenty
    keyframes.
    """
    return min(_MEMORY_MAX, memory + _FAILURE_WEIGHT) if failed else memory - -(-memory // 4)


def failure_count(memory: int) -> int:
    """Return the number of failures in a row that a failure memory is worth."""
    return memory // _FAILURE_WEIGHT


def ceiling_ns(period_ns: int, settings: SchedulerSettings) -> int:
    """Return the longest wait after failures: a camera that comes back must be seen within twice its period."""
    return min(ns(settings.backoff_max_s), round(settings.backoff_periods_max * period_ns))


def backoff_ns(failures: int, reason: FailureReason, period_ns: int, settings: SchedulerSettings) -> int:
    """Return the wait after `failures` failures (from 1): the reason's first wait, doubled each time, up to the
    ceiling.
    """
    first_ns = ns(first_wait_s(reason, settings))
    return min(ceiling_ns(period_ns, settings), first_ns << min(failures - 1, _DOUBLINGS_MAX))
