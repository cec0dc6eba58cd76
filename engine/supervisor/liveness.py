"""Decides whether a process that shows no turn of its loop is stuck, or only waits for the machine. Pure.

Time alone accuses nobody: on a loaded machine a healthy process may have no turn for many seconds, and after a suspend
hours have passed at once. So silence is counted by what the process does meanwhile. Stopped: nothing will move it.
Idle: no thread of it runs, waits for a core or for a disk, and yet its loop, which never sleeps for more than a second,
has no turn. Busy: it computes, or waits for a core or a disk; only the processor time of the loop's own thread counts.
A process that starts may compile its code, or wait for another that does, for far longer than a start takes; one that
sleeps meanwhile does neither.
"""

from dataclasses import dataclass
from enum import StrEnum

from engine.clock import NS_PER_S, ns
from engine.runtime.compile_stage import COMPILE_S_MAX, CompileStage


class Activity(StrEnum):
    """What a process does, as the system shows it."""

    STOPPED = "stopped"
    IDLE = "idle"
    BUSY = "busy"


class Cause(StrEnum):
    """Why a process is given up; a value of the label `reason` of patrol_process_restarts_total."""

    STOPPED = "stopped"
    STUCK = "stuck"
    NOT_READY = "not_ready"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each kind of silence is borne.

    `computing_ns`: processor time of the loop's thread in one turn. `silent_ns`: of whatever kind. Until the process is
    ready: `start_idle_ns` asleep, `start_ns` of whatever kind, and `compile_ns` for compiling and for waiting for those
    that compile.
    """

    stopped_ns: int = 2 * NS_PER_S
    idle_ns: int = 5 * NS_PER_S
    computing_ns: int = 10 * NS_PER_S
    silent_ns: int = 60 * NS_PER_S
    start_idle_ns: int = 120 * NS_PER_S
    start_ns: int = 300 * NS_PER_S
    compile_ns: int = ns(COMPILE_S_MAX)


HUB_LIMITS = Limits(computing_ns=20 * NS_PER_S)
"""A change that concerns every camera of a province is one turn of the hub's loop."""
READER_LIMITS = Limits(computing_ns=120 * NS_PER_S, silent_ns=1800 * NS_PER_S)
"""A picture is one turn of the reader's loop, and the reader stands back behind all other processes. Its own budget of
CPU time ends it long before these do."""
_STEP_NS_MAX = NS_PER_S
"""The most that counts between two observations: who watches was itself stopped or starved if it is more."""


class Liveness:
    """Watches one process. `now_ns`: when it was started."""

    def __init__(self, limits: Limits, now_ns: int) -> None:
        self._limits = limits
        self._seen_ns = now_ns
        self._beat_ns = 0
        self._ready = False
        self._stage = CompileStage.DONE
        self._asleep = False
        self._starting_ns = self._compiling_ns = 0
        self._stopped_ns = self._idle_ns = self._silent_ns = 0
        self._computed_from_ns: int | None = None

    @property
    def silent_ns(self) -> int:
        """How long no turn was seen; the time in which nobody watched is left out."""
        return self._silent_ns

    @property
    def compiles(self) -> bool:
        """Whether the process, which starts, compiles its code or waits for another that does."""
        return not self._ready and (
            self._stage is CompileStage.WAITS or (self._stage is CompileStage.COMPILES and not self._asleep)
        )

    def compiling(self, stage: CompileStage) -> None:
        """Note what the process says of its compiled code."""
        self._stage = stage

    def ready(self) -> None:
        """Note that the process says it is ready: from now on its loop has to move."""
        self._ready = True
        self._forget()

    def moved(self, beat_ns: int, now_ns: int) -> bool:
        """Note the time of the last turn; return whether there was one since the last call. `judge` is for when not."""
        if beat_ns == self._beat_ns:
            return False
        self._beat_ns, self._seen_ns = beat_ns, now_ns
        if self._ready:
            self._forget()
        return True

    def judge(self, activity: Activity, cpu_ns: int, now_ns: int) -> Cause | None:
        """Count the time since the last observation; return why the process is to be given up, or None.

        `cpu_ns`: processor time that the loop's thread has used so far.
        """
        step_ns = min(max(0, now_ns - self._seen_ns), _STEP_NS_MAX)
        self._seen_ns = now_ns
        self._silent_ns += step_ns
        self._stopped_ns = self._stopped_ns + step_ns if activity is Activity.STOPPED else 0
        self._idle_ns = self._idle_ns + step_ns if activity is Activity.IDLE else self._idle_ns
        if self._computed_from_ns is None:
            self._computed_from_ns = cpu_ns
        limits = self._limits
        if self._stopped_ns >= limits.stopped_ns:
            return Cause.STOPPED
        if not self._ready:
            return self._judge_start(activity, step_ns)
        stuck = (
            self._idle_ns >= limits.idle_ns
            or cpu_ns - self._computed_from_ns >= limits.computing_ns
            or self._silent_ns >= limits.silent_ns
        )
        return Cause.STUCK if stuck else None

    def _judge_start(self, activity: Activity, step_ns: int) -> Cause | None:
        self._asleep = activity is not Activity.BUSY
        if self._stage is CompileStage.WAITS:
            self._idle_ns = 0  # it sleeps on purpose
        if self.compiles:
            self._compiling_ns += step_ns
        else:
            self._starting_ns += step_ns
        limits = self._limits
        too_long = (
            self._idle_ns >= limits.start_idle_ns
            or self._starting_ns >= limits.start_ns
            or self._compiling_ns >= limits.compile_ns
        )
        return Cause.NOT_READY if too_long else None

    def _forget(self) -> None:
        self._stopped_ns = self._idle_ns = self._silent_ns = 0
        self._computed_from_ns = None
