"""Counts visits, lags, periods kept and periods missed, by class and county. Pure."""

from engine.clock import NS_PER_S
from engine.scheduler.classes import CLASSES
from engine.scheduler.lag_histogram import LagWindow

_WINDOW_NS = 60 * NS_PER_S


class RecentRate:
    """Events a second of the last 10 to 20 s: the current span and the previous one."""

    _SPAN_NS = 10 * NS_PER_S

    def __init__(self) -> None:
        self._current = self._previous = 0
        self._began_ns = self._until_ns = 0

    def add(self, now_ns: int) -> None:
        """Count one event."""
        self._rotate(now_ns)
        self._current += 1

    def per_s(self, now_ns: int) -> float:
        """Return the rate; 0 without events."""
        self._rotate(now_ns)
        return (self._current + self._previous) * NS_PER_S / max(NS_PER_S, now_ns - self._began_ns)

    def _rotate(self, now_ns: int) -> None:
        if now_ns < self._until_ns:
            return
        if now_ns - self._until_ns < self._SPAN_NS:
            self._began_ns, self._previous = self._until_ns - self._SPAN_NS, self._current
        else:
            self._began_ns, self._previous = now_ns, 0
        self._current = 0
        self._until_ns = now_ns + self._SPAN_NS


class Gaps:
    """Times from one periodic visit of a camera to the next: the mean of the last one to two minutes, and of all."""

    def __init__(self) -> None:
        self._current = self._previous = (0, 0)  # sum in ns, count
        self._until_ns = 0
        self._sum_ns = self._count = 0

    def add(self, gap_ns: int, now_ns: int) -> None:
        """Count a visit that began this long after the last one."""
        if now_ns >= self._until_ns:
            self._rotate(now_ns)
        sum_ns, count = self._current
        self._current = (sum_ns + gap_ns, count + 1)
        self._sum_ns += gap_ns
        self._count += 1

    def recent_ns(self, now_ns: int) -> float:
        """Return the mean of the last one to two minutes; 0 without gaps."""
        if now_ns >= self._until_ns:
            self._rotate(now_ns)
        count = self._current[1] + self._previous[1]
        return (self._current[0] + self._previous[0]) / count if count else 0.0

    @property
    def mean_ns(self) -> float:
        """The mean since the start; 0 without gaps."""
        return self._sum_ns / self._count if self._count else 0.0

    def _rotate(self, now_ns: int) -> None:
        self._previous = self._current if now_ns - self._until_ns < _WINDOW_NS else (0, 0)
        self._current = (0, 0)
        self._until_ns = now_ns + _WINDOW_NS


class Counties:
    """By county: the longest lag of the last one to two minutes; periods due and kept since the start."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._index: dict[str, int] = {}
        self._current: list[int] = []
        self._previous: list[int] = []
        self._until_ns = 0
        self.periods_due: list[int] = []
        self.periods_kept: list[int] = []

    def index_of(self, county: str) -> int:
        """Return the index of a county; a new one gets the next index."""
        index = self._index.get(county)
        if index is None:
            index = self._index[county] = len(self.names)
            self.names.append(county)
            self._current.append(0)
            self._previous.append(0)
            self.periods_due.append(0)
            self.periods_kept.append(0)
        return index

    def add(self, index: int, lag_ns: int, now_ns: int) -> None:
        """Record the lag of a visit in this county."""
        if now_ns >= self._until_ns:
            self._previous, self._current = self._current, [0] * len(self._current)
            self._until_ns = now_ns + _WINDOW_NS
        if lag_ns > self._current[index]:
            self._current[index] = lag_ns

    def longest_lags_ns(self) -> list[int]:
        """Return the longest recent lag of each county, by index."""
        return [max(pair) for pair in zip(self._current, self._previous, strict=True)]


class Statistics:
    """Counters since the start; lists are by class."""

    def __init__(self) -> None:
        classes = len(CLASSES)
        self.started = self.ended = self.expired = 0
        self.starts = RecentRate()
        self.visits = [0] * classes
        self.periods_due = [0] * classes
        self.periods_kept = [0] * classes
        self.gaps = [Gaps() for _ in range(classes)]
        self.lags = [LagWindow() for _ in range(classes)]
        self.shed: dict[str, int] = {}
        self.presumed = 0
        self.counties = Counties()
        self._periods_by_camera: dict[str, tuple[int, int]] = {}

    def record_periods(self, camera_id: str, base_class: int, county: int, due: int, kept: int, reason: str) -> None:
        """Count periods that were due, and those of them that had a visit; `reason`: why the others were missed."""
        due_before, kept_before = self._periods_by_camera.get(camera_id, (0, 0))
        self._periods_by_camera[camera_id] = (due_before + due, kept_before + kept)
        self.periods_due[base_class] += due
        self.periods_kept[base_class] += kept
        self.counties.periods_due[county] += due
        self.counties.periods_kept[county] += kept
        if due > kept:
            self.shed[reason] = self.shed.get(reason, 0) + due - kept

    def drain_periods(self) -> dict[str, tuple[int, int]]:
        """Return periods due and kept since the last call, by camera, cameras removed since then included."""
        drained, self._periods_by_camera = self._periods_by_camera, {}
        return drained
