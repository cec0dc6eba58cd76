"""Records how a simulation went: lag histograms, and a row of figures every few minutes. Pure."""

from dataclasses import dataclass, field

from engine.clock import ns, seconds
from engine.scheduler.classes import CLASSES
from engine.scheduler.core import Scheduler
from engine.scheduler.lag_histogram import LagHistogram
from engine.simulation.machine import Machine


@dataclass(slots=True)
class Row:
    """One step of the timeline. Counts are of this step, `*_max` its highest values; `demand_per_s` is the value at its
    beginning; `stretch`, `offline`, `allowed` those at its end; `lag_s_all` median and 99th percentile of all classes.
    None: no visits, or no periods due, in this step.
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
    lag_s_all: tuple[float | None, float | None] = (None, None)
    coverage: list[float | None] = field(default_factory=lambda: [None] * len(CLASSES))
    stretch: list[float] = field(default_factory=lambda: [1.0] * len(CLASSES))
    offline: int = 0
    allowed: int = 0


class Timeline:
    """Records the rows. The first round, in which every camera is visited as fast as the caps allow, is kept apart:
    figures of an engine that has just started do not tell how it keeps its periods.
    """

    def __init__(self, scheduler: Scheduler, machine: Machine) -> None:
        self._scheduler = scheduler
        self._machine = machine
        self.rows: list[Row] = []
        self.first_round_rows = 0
        self.first_round_lags = [LagHistogram() for _ in CLASSES]
        self.lags = [LagHistogram() for _ in CLASSES]
        self.row = Row(0.0)
        self.row_lags = [LagHistogram() for _ in CLASSES]
        self._cpu_done_ns = 0
        self._periods_due, self._periods_kept = [0.0] * len(CLASSES), [0] * len(CLASSES)

    @property
    def settled_rows(self) -> list[Row]:
        """The rows after the first round; all of them if there are none after it."""
        return self.rows[self.first_round_rows :] or self.rows

    def begin_row(self, now_ns: int) -> None:
        """Begin a row."""
        self.row = Row(seconds(now_ns), demand_per_s=sum(self._scheduler.timing.demand_per_s(now_ns)))
        self.row_lags = [LagHistogram() for _ in CLASSES]

    def restart(self, scheduler: Scheduler, machine: Machine, now_ns: int) -> None:
        """Go on with another engine; begin a row."""
        self._scheduler, self._machine = scheduler, machine
        self._cpu_done_ns = machine.done_ns(now_ns)
        self._periods_due, self._periods_kept = [0.0] * len(CLASSES), [0] * len(CLASSES)
        self.begin_row(now_ns)

    def end_first_round(self, now_ns: int) -> None:
        """End the first round: every camera was visited, or had its chance; begin a new row."""
        self.end_row(now_ns)
        self.first_round_rows = len(self.rows)
        self.first_round_lags, self.lags = self.lags, self.first_round_lags
        self.begin_row(now_ns)

    def end_row(self, now_ns: int) -> None:
        """Complete the current row and store it."""
        row, scheduler, machine = self.row, self._scheduler, self._machine
        row.until_s = seconds(now_ns)
        done_ns = machine.done_ns(now_ns)
        row.core_share = (done_ns - self._cpu_done_ns) / max(1, now_ns - ns(row.at_s)) / machine.servers
        self._cpu_done_ns = done_ns
        row.frames_waiting_max, machine.waiting_max = machine.waiting_max, 0
        row.stretch = list(scheduler.overload.stretch)
        row.allowed = scheduler.dispatch.visits_allowed
        row.offline = sum(scheduler.timing.counts[-1].values())
        statistics, all_lags = scheduler.statistics, LagHistogram()
        for camera_class in CLASSES:
            if row.started[camera_class]:
                row.lag_s_p99[camera_class] = self.row_lags[camera_class].percentile_s(0.99)
                self.lags[camera_class].merge(self.row_lags[camera_class])
                all_lags.merge(self.row_lags[camera_class])
            due = statistics.periods_due[camera_class] - self._periods_due[camera_class]
            kept = statistics.periods_kept[camera_class] - self._periods_kept[camera_class]
            if due:
                row.coverage[camera_class] = min(1.0, kept / due)
        if any(row.started):
            row.lag_s_all = all_lags.percentile_s(0.5), all_lags.percentile_s(0.99)
        self._periods_due, self._periods_kept = list(statistics.periods_due), list(statistics.periods_kept)
        self.rows.append(row)
