"""The only reader of clocks. Cores take `now_ns` as an argument; shells get it here.

Clocks that are never mixed: the monotonic one orders events and measures durations; the wall clock stamps what people
and other systems read; the processor's tells what a thread costs, however long it waited for a core.
"""

import time

NS_PER_S = 1_000_000_000


def monotonic_ns() -> int:
    """Nanoseconds of a clock that never jumps; its zero means nothing outside this machine's boot."""
    return time.monotonic_ns()


def wall_ns() -> int:
    """Nanoseconds since 1970-01-01 UTC."""
    return time.time_ns()


def thread_cpu_ns() -> int:
    """Nanoseconds of processor time that the calling thread has used."""
    return time.thread_time_ns()


def seconds(duration_ns: int) -> float:
    """Nanoseconds to seconds, for the edge (metrics, replies, tables)."""
    return duration_ns / NS_PER_S


def ns(duration_s: float) -> int:
    """Seconds (as people configure them) to nanoseconds."""
    return round(duration_s * NS_PER_S)
