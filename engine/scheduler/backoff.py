"""How long a camera that fails is left alone. Pure."""

from engine.clock import ns


def backoff_ns(failures: int, first_s: float, max_s: float) -> int:
    """The wait after so many failures in a row: `first_s`, doubled each time, `max_s` at most. `failures` from 1."""
    doublings = min(failures - 1, 32)
    return ns(min(max_s, first_s * 2.0**doublings))
