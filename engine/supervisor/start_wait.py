"""Decides how long a start may last: time in which processes compile their code has a bound of its own. Pure."""

from engine.clock import NS_PER_S, ns
from engine.errors import PatrolError
from engine.runtime.compile_stage import COMPILE_S_MAX

START_TIMEOUT_S = 120.0
"""Time for a start beside that for compiling; a start takes seconds."""
_TOLD_FIRST_NS = 10 * NS_PER_S
_TOLD_NS = 60 * NS_PER_S
_STEP_NS_MAX = NS_PER_S
"""The most that counts between two turns: the machine was suspended if it is more."""


class StartWait:
    """Measures one start. `now_ns`: when it began."""

    def __init__(self, now_ns: int) -> None:
        self._seen_ns = now_ns
        self._waited_ns = self._compiled_ns = 0

    def turn(self, compiles: bool, now_ns: int) -> PatrolError | None:
        """Count the time since the last turn; return why the start is given up, or None.

        `compiles`: whether a process compiles, or waits for one that does.
        """
        step_ns = min(max(0, now_ns - self._seen_ns), _STEP_NS_MAX)
        self._seen_ns = now_ns
        if compiles:
            self._compiled_ns += step_ns
        else:
            self._waited_ns += step_ns
        if self._waited_ns > ns(START_TIMEOUT_S):
            return PatrolError(f"the engine is not ready after {START_TIMEOUT_S:.0f} s; its log says why")
        if self._compiled_ns > ns(COMPILE_S_MAX):
            return too_slow()
        return None


class CompileNews:
    """Says when the log is to tell that processes compile: after ten seconds, then once a minute."""

    def __init__(self) -> None:
        self._since_ns = 0
        self._next_ns = 0

    def turn(self, compiles: bool, now_ns: int) -> int:
        """Return for how long processes have been compiling, in nanoseconds, if that is to be told now; else 0."""
        if not compiles:
            self._since_ns = 0
            return 0
        if not self._since_ns:
            self._since_ns, self._next_ns = now_ns, now_ns + _TOLD_FIRST_NS
        if now_ns < self._next_ns:
            return 0
        self._next_ns = now_ns + _TOLD_NS
        return now_ns - self._since_ns


def too_slow() -> PatrolError:
    """Return the error of a machine that does not compile the engine's code in time."""
    return PatrolError(
        f"this machine is too slow or too busy: it has not compiled the engine's code within {COMPILE_S_MAX / 60:.0f} "
        "minutes, and a free core needs half of one. Start again when a core is free: what is compiled by then is "
        "kept, if its folder can be written (`patrol doctor` examines that)"
    )
