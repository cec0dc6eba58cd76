"""How a rehearsal went: lags exactly enough, and a row of figures every few minutes. Pure."""

from dataclasses import dataclass, field

from engine.clock import ns, seconds
from engine.scheduler.classes import CLASSES
from engine.scheduler.core import Scheduler
from engine.simulation.machine import Machine

_BITS = 5


class LagHistogram:
    """Lags in buckets of a 32nd of an octave (milliseconds below 64), so a percentile is off by 3 % at most."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.max_ns = 0

    def add(self, lag_ns: int) -> None:
        """A visit began so late."""
        ms = lag_ns // 1_000_000
        shift = max(0, ms.bit_length() - _BITS - 1)
        bucket = (shift << _BITS) + (ms >> shift)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        if lag_ns > self.max_ns:
            self.max_ns = lag_ns

    def merge(self, other: "LagHistogram") -> None:
        """Take the other's lags in."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.max_ns = max(self.max_ns, other.max_ns)

    def percentile_s(self, share: float) -> float:
        """In seconds; 0 if there was nothing."""
        wanted, total = share * sum(self._counts.values()), 0
        for bucket in sorted(self._counts):
            total += self._counts[bucket]
            if total >= wanted:
                shift = max(0, (bucket >> _BITS) - 1)
                ms = (bucket - (shift << _BITS)) << shift
                return min(ms / 1000, seconds(self.max_ns))
        return 0.0


@dataclass(slots=True)
class Row:
    """One step of the course. Counts are of this step, `*_max` its highest; `demand_per_s` is as it stood at its
    beginning, `stretch`, `offline`, `allowed` at its end. None: no visits, or no periods due, in this step.
    """

    at_s: float
    until_s: float = 0.0
    demand_per_s: float = 0.0
    started: list[int] = field(default_factory=lambda: [0] * len(CLASSES))
    in_flight_max: int = 0
    mbit_s_max: float = 0.0
    core_share: float = 0.0
    frames_waiting_max: int = 0
    lag_s_p99: list[float | None] = field(default_factory=lambda: [None] * len(CLASSES))
    coverage: list[float | None] = field(default_factory=lambda: [None] * len(CLASSES))
    stretch: list[float] = field(default_factory=lambda: [1.0] * len(CLASSES))
    offline: int = 0
    allowed: int = 0


class Timeline:
    """Keeps the rows. The first round, in which every camera is looked at as fast as the caps allow, is set apart: what
    an engine does that has just begun says nothing of how it keeps its periods.
    """

    def __init__(self, core: Scheduler, machine: Machine) -> None:
        self._core = core
        self._machine = machine
        self.rows: list[Row] = []
        self.first_rows = 0
        self.first_lags = [LagHistogram() for _ in CLASSES]
        self.lags = [LagHistogram() for _ in CLASSES]
        self.row = Row(0.0)
        self.row_lags = [LagHistogram() for _ in CLASSES]
        self._done_ns = 0
        self._due, self._kept = [0.0] * len(CLASSES), [0] * len(CLASSES)

    @property
    def settled(self) -> list[Row]:
        """Those after the first round; all, where nothing came after it."""
        return self.rows[self.first_rows :] or self.rows

    def begin(self, now_ns: int) -> None:
        """A row begins."""
        self.row = Row(seconds(now_ns), demand_per_s=sum(self._core.timing.demand_per_s(now_ns)))
        self.row_lags = [LagHistogram() for _ in CLASSES]

    def end_first_round(self, now_ns: int) -> None:
        """Every camera was looked at, or has had its chance; a new row begins."""
        self.end(now_ns)
        self.first_rows = len(self.rows)
        self.first_lags, self.lags = self.lags, self.first_lags
        self.begin(now_ns)

    def end(self, now_ns: int) -> None:
        """The row is over."""
        row, core, machine = self.row, self._core, self._machine
        row.until_s = seconds(now_ns)
        done_ns = machine.done_ns(now_ns)
        row.core_share = (done_ns - self._done_ns) / max(1, now_ns - ns(row.at_s)) / machine.servers
        self._done_ns = done_ns
        row.frames_waiting_max, machine.waiting_max = machine.waiting_max, 0
        row.stretch = list(core.overload.stretch)
        row.allowed = core.dispatch.visits_allowed
        row.offline = sum(core.timing.counts[-1].values())
        tally = core.statistics
        for kind in CLASSES:
            if row.started[kind]:
                row.lag_s_p99[kind] = self.row_lags[kind].percentile_s(0.99)
                self.lags[kind].merge(self.row_lags[kind])
            due = tally.periods_due[kind] - self._due[kind]
            if due:
                row.coverage[kind] = min(1.0, (tally.periods_kept[kind] - self._kept[kind]) / due)
        self._due, self._kept = list(tally.periods_due), list(tally.periods_kept)
        self.rows.append(row)
