"""What the scheduler counts: looks, lags, periods kept and missed, by class and county. Pure."""

from bisect import bisect_left

from engine.clock import NS_PER_S
from engine.scheduler.classes import CLASSES

_WINDOW_NS = 60 * NS_PER_S
_BOUNDS_NS = [round(0.01 * NS_PER_S * 1.08**n) for n in range(192)]
"""10 ms to 6 hours; a percentile is off by 8 % at most."""


class LagWindow:
    """Lags of the last minute or two: the running minute and the one before it."""

    def __init__(self) -> None:
        self._now = [0] * (len(_BOUNDS_NS) + 1)
        self._before = list(self._now)
        self._until_ns = 0

    def add(self, lag_ns: int, now_ns: int) -> None:
        """A visit began so late."""
        self._turn(now_ns)
        self._now[bisect_left(_BOUNDS_NS, lag_ns)] += 1

    def percentile_ns(self, share: float, now_ns: int) -> int:
        """The upper bound of the bucket below which this share lies; 0 if there was nothing."""
        self._turn(now_ns)
        counts = [a + b for a, b in zip(self._now, self._before, strict=True)]
        wanted, total = share * sum(counts), 0
        for index, count in enumerate(counts):
            total += count
            if count and total >= wanted:
                return _BOUNDS_NS[min(index, len(_BOUNDS_NS) - 1)] if index else 0
        return 0

    def _turn(self, now_ns: int) -> None:
        if now_ns < self._until_ns:
            return
        gone = now_ns - self._until_ns
        self._before = self._now if gone < _WINDOW_NS else [0] * len(self._now)
        self._now = [0] * len(self._before)
        self._until_ns = now_ns + _WINDOW_NS


class RecentRate:
    """How many a second, of the last 10 to 20 s: the running span and the one before it."""

    _SPAN_NS = 10 * NS_PER_S

    def __init__(self) -> None:
        self._now = self._before = 0
        self._began_ns = self._until_ns = 0

    def add(self, now_ns: int) -> None:
        """One more."""
        self._turn(now_ns)
        self._now += 1

    def per_s(self, now_ns: int) -> float:
        """0 if there was nothing in the last span."""
        self._turn(now_ns)
        return (self._now + self._before) * NS_PER_S / max(NS_PER_S, now_ns - self._began_ns)

    def _turn(self, now_ns: int) -> None:
        if now_ns < self._until_ns:
            return
        if now_ns - self._until_ns < self._SPAN_NS:
            self._began_ns, self._before = self._until_ns - self._SPAN_NS, self._now
        else:
            self._began_ns, self._before = now_ns, 0
        self._now = 0
        self._until_ns = now_ns + self._SPAN_NS


class Gaps:
    """From one look at a camera by its period to the next: the mean of the last minute or two, and of all."""

    def __init__(self) -> None:
        self._now = self._before = (0, 0)  # sum in ns, count
        self._until_ns = 0
        self._sum_ns = self._count = 0

    def add(self, gap_ns: int, now_ns: int) -> None:
        """A look came so long after the last one."""
        if now_ns >= self._until_ns:
            self._turn(now_ns)
        sum_ns, count = self._now
        self._now = (sum_ns + gap_ns, count + 1)
        self._sum_ns += gap_ns
        self._count += 1

    def recent_ns(self, now_ns: int) -> float:
        """0 if there was none."""
        if now_ns >= self._until_ns:
            self._turn(now_ns)
        count = self._now[1] + self._before[1]
        return (self._now[0] + self._before[0]) / count if count else 0.0

    @property
    def mean_ns(self) -> float:
        """Since the start; 0 if there was none."""
        return self._sum_ns / self._count if self._count else 0.0

    def _turn(self, now_ns: int) -> None:
        self._before = self._now if now_ns - self._until_ns < _WINDOW_NS else (0, 0)
        self._now = (0, 0)
        self._until_ns = now_ns + _WINDOW_NS


class Counties:
    """By county: the longest lag of the last minute or two; periods due and kept since the start."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._index: dict[str, int] = {}
        self._now: list[int] = []
        self._before: list[int] = []
        self._until_ns = 0
        self.periods_due: list[int] = []
        self.periods_kept: list[int] = []

    def index(self, county: str) -> int:
        """The number of a county."""
        index = self._index.get(county)
        if index is None:
            index = self._index[county] = len(self.names)
            self.names.append(county)
            self._now.append(0)
            self._before.append(0)
            self.periods_due.append(0)
            self.periods_kept.append(0)
        return index

    def add(self, index: int, lag_ns: int, now_ns: int) -> None:
        """A visit in it began so late."""
        if now_ns >= self._until_ns:
            self._before, self._now = self._now, [0] * len(self._now)
            self._until_ns = now_ns + _WINDOW_NS
        if lag_ns > self._now[index]:
            self._now[index] = lag_ns

    def worst(self) -> list[int]:
        """By index, in nanoseconds."""
        return [max(pair) for pair in zip(self._now, self._before, strict=True)]


class Statistics:
    """Counters since the start, one a class where a list stands."""

    def __init__(self) -> None:
        many = len(CLASSES)
        self.started = self.ended = self.expired = 0
        self.starts = RecentRate()
        self.looks = [0] * many
        self.failures = [0] * many
        self.periods_due = [0] * many
        self.periods_kept = [0] * many
        self.gaps = [Gaps() for _ in range(many)]
        self.lags = [LagWindow() for _ in range(many)]
        self.shed: dict[str, int] = {}
        self.presumed = 0
        self.outages = 0
        self.counties = Counties()
        self._passed: dict[str, tuple[int, int]] = {}

    def periods(self, camera_id: str, kind: int, county: int, due: int, kept: int, reason: str) -> None:
        """So many periods were due, and so many of them had a look; the others went by because of this."""
        due_before, kept_before = self._passed.get(camera_id, (0, 0))
        self._passed[camera_id] = (due_before + due, kept_before + kept)
        self.periods_due[kind] += due
        self.periods_kept[kind] += kept
        self.counties.periods_due[county] += due
        self.counties.periods_kept[county] += kept
        if due > kept:
            self.shed[reason] = self.shed.get(reason, 0) + due - kept

    def take_periods(self) -> dict[str, tuple[int, int]]:
        """Periods due and kept since the last call, by camera; those of a camera that left are among them."""
        passed, self._passed = self._passed, {}
        return passed
