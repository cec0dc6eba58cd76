"""Reads the clocks; nothing else in the engine does. Cores take `now_ns` as an argument; shells get it here.

The clocks are never mixed. The monotonic clock orders events and measures durations. The wall clock stamps what people
and other systems read. The processor clock measures what a thread costs, without the time it waited for a core.
"""

import time

NS_PER_S = 1_000_000_000


def monotonic_ns() -> int:
    """Return nanoseconds of a clock that never jumps. Its zero is arbitrary: compare values of one boot only."""
    return time.monotonic_ns()


def wall_ns() -> int:
    """Return nanoseconds since 1970-01-01 UTC."""
    return time.time_ns()


def thread_cpu_ns() -> int:
    """Return the processor time that the calling thread has used, in nanoseconds."""
    return time.thread_time_ns()


def seconds(duration_ns: int) -> float:
    """Convert nanoseconds to seconds, for output (metrics, replies, tables)."""
    return duration_ns / NS_PER_S


def ns(duration_s: float) -> int:
    """Convert seconds, as configured, to nanoseconds."""
    return round(duration_s * NS_PER_S)
