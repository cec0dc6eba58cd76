"""Waits for a condition of something that runs beside the test."""

import inspect
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T | Literal[False] | None], timeout_s: float = 20.0, *, what: str = "", poll_s: float = 0.02
) -> T:
    """Call `condition` until its result is true, and return that result.

    Raises AssertionError after `timeout_s` with `what` was waited for (the condition's source if `what` is empty) and
    the last result.
    """
    give_up_s = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > give_up_s:
            raise AssertionError(
                f"waited {timeout_s:g} s in vain for: {what or _source(condition)}; last result: {result!r}"
            )
        time.sleep(poll_s)


def _source(condition: Callable[[], Any]) -> str:
    try:
        return " ".join(inspect.getsource(condition).split())[:500]
    except (OSError, TypeError):
        return repr(condition)
