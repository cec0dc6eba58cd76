"""Bounds the CPU time that a worker spends on one picture. When it is spent, the kernel ends the process.

FFmpeg cannot be interrupted inside the decoding of a picture, and no Python code runs meanwhile. So the bound is a
timer of the kernel (ITIMER_PROF), whose signal ends the process; the supervisor starts another, and the hub judges the
picture too_costly. CPU time, not time on the clock: a loaded machine takes longer for every picture, and accuses none.
"""

import signal

BUDGET_SPENT_SIGNAL = signal.SIGPROF
"""Ends a process whose budget is spent."""
RENDER_SHARE = 4.0
"""A picture for people is decoded twice, drawn on and encoded: so many times the budget of a measurement."""

_LEAST_SHARE = 0.4
_FULL_PIXELS = 16 * 1024 * 1024


def budget_s(width: int, height: int, limit_s: float) -> float:
    """Return the CPU seconds that a picture of this size in pixels may take: 0.4 to 1 times `limit_s`.

    A picture of 1080p gets 0.47 of it, one of 4K 0.7, one of 16 megapixels or more all. On a core of 2020 they take
    0.01 to 0.1, 0.05 to 0.2, and 0.15 to 0.35 s.
    """
    return limit_s * min(1.0, _LEAST_SHARE + (1 - _LEAST_SHARE) * width * height / _FULL_PIXELS)


class CpuBudget:
    """The timer of this process. `limit_s`: CPU seconds that the largest picture may take.

    Only for a process that may end at any time: `begin` arms it, and whoever does not `end` in time dies.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._share = 1.0
        signal.signal(BUDGET_SPENT_SIGNAL, signal.SIG_DFL)  # a parent may have ignored it

    def begin(self, share: float = 1.0) -> None:
        """Allow a job of unknown size the whole limit, `share` times."""
        self._share = share
        self._arm(self._limit_s)

    def size_known(self, width: int, height: int) -> None:
        """Allow the budget of a picture of this size from now on."""
        self._arm(budget_s(width, height, self._limit_s))

    def end(self) -> None:
        """Allow any time."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _arm(self, seconds: float) -> None:
        signal.setitimer(signal.ITIMER_PROF, self._share * seconds)
