"""Checks the promises of a patrol, counted independently of the scheduler's own state. Pure.

- every order ends exactly once: with a keyframe, with a failure, or expired;
- no cap is exceeded: visits in flight in all, on a recorder, on a platform; new connections a second;
- no camera that can be reached waits beyond its bound: twice its period, and longer while periods are stretched;
- the scheduler's own invariants hold (scheduler/invariants.py): no back-off above its ceiling, no camera passed over.

No bound is promised to cameras behind a recorder or platform that cannot carry their periods (bottlenecks.py), nor to a
class that is stretched as far as allowed: their missed periods are counted as shed, by reason. Each broken promise is
recorded as a sentence, up to a hundred of them.
"""

import math
from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, ns, seconds
from engine.config.schema import SchedulerSettings
from engine.scheduler.classes import CameraClass
from engine.scheduler.core import Scheduler
from engine.scheduler.invariants import SchedulerInvariantError, check_invariants
from engine.simulation.camera_model import CameraModel
from engine.simulation.fleet import Fleet

BROKEN_MAX = 100
_UNSEEN_PERIODS_MAX = 2.0
_BURST_S = 0.25
"""The burst that the rates allow, in seconds of their rate; see engine/scheduler/gates.py."""
_BASE_CLASSES = (CameraClass.KEY_POINT, CameraClass.ORDINARY)


class Oracle:
    """Call it at every start and end of a visit, and `check` from time to time. `is_crowded`: by camera; see
    bottlenecks.py.
    """

    def __init__(self, fleet: Fleet, settings: SchedulerSettings, is_crowded: npt.NDArray[np.bool_]) -> None:
        self._fleet = fleet
        self._settings = settings
        self._is_key_point = np.array(fleet.key_point, dtype=bool)
        self._is_bounded = ~is_crowded
        self._periods_s = (settings.key_period_s, settings.ordinary_period_s)
        self._uplinks = array("H", bytes(2 * len(fleet.uplinks)))
        self._hosts = array("I", bytes(4 * len(fleet.hosts)))
        self._host_caps = [settings.host_visits_max.get(name, settings.visits_per_host_max) for name in fleet.hosts]
        self._starts = _LeakyBucket(settings.starts_per_s_max)
        self._host_starts = [_LeakyBucket(settings.host_starts_per_s_max) for _ in fleet.hosts]
        self._opened_ns = array("q")
        self._last_check_ns = 0
        self._stretched = [(1.0, 0)] * len(_BASE_CLASSES)  # the largest stretch, and until when it excuses
        self.flights: dict[int, int] = {}
        self.last_keyframe = array("q", bytes(8 * len(fleet)))
        self.ended = self.expired = self.checks = 0
        self.broken: list[str] = []
        self.unseen_periods_max = [0.0] * len(_BASE_CLASSES)
        self.kitchen_works = np.ones(len(fleet), dtype=bool)

    def visit_started(self, visit_id: int, camera: int, now_ns: int) -> None:
        """Count a visit that begins, and check the caps and rates."""
        settings, flights = self._settings, self.flights
        if visit_id in flights:
            self._break(f"visit {visit_id} began twice")
        flights[visit_id] = camera
        if len(flights) > settings.visits_max:
            self._break(f"{len(flights)} visits in flight, scheduler.visits_max is {settings.visits_max}")
        if self._starts.overflows(now_ns):
            self._break(f"more visits began than scheduler.starts_per_s_max allows ({settings.starts_per_s_max:g})")
        uplink, host = self._fleet.uplink[camera], self._fleet.host[camera]
        if uplink >= 0:
            self._uplinks[uplink] += 1
            if self._uplinks[uplink] > settings.visits_per_uplink_max:
                self._break(
                    f"{self._uplinks[uplink]} visits on recorder {self._fleet.uplinks[uplink]}, "
                    f"scheduler.visits_per_uplink_max is {settings.visits_per_uplink_max}"
                )
        if host >= 0:
            self._hosts[host] += 1
            if self._hosts[host] > self._host_caps[host]:
                self._break(
                    f"{self._hosts[host]} visits on platform {self._fleet.hosts[host]}, allowed {self._host_caps[host]}"
                )
            if self._host_starts[host].overflows(now_ns):
                self._break(
                    f"more connections to platform {self._fleet.hosts[host]} than scheduler.host_starts_per_s_max "
                    f"allows ({settings.host_starts_per_s_max:g})"
                )

    def visit_ended(self, visit_id: int) -> bool:
        """Count an answer; False if its visit had expired and is counted already."""
        if not self._end(visit_id):
            return False
        self.ended += 1
        return True

    def visit_expired(self, visit_id: int) -> None:
        """Count a visit that the scheduler gave up."""
        if self._end(visit_id):
            self.expired += 1
        else:
            self._break(f"visit {visit_id} expired, and had ended before")

    def engine_lost(self) -> None:
        """Forget the visits in flight: the engine is lost with its connections, and another one counts anew."""
        self.flights.clear()
        for column in (self._uplinks, self._hosts):
            column[:] = array(column.typecode, bytes(column.itemsize * len(column)))
        self.ended = self.expired = 0

    def check_scheduler(self, scheduler: Scheduler, now_ns: int) -> None:
        """Check the scheduler's own invariants, and its counts against those of the oracle."""
        try:
            check_invariants(scheduler, now_ns)
        except SchedulerInvariantError as error:
            self._break(str(error))
        statistics = scheduler.statistics
        if (statistics.started, statistics.ended, statistics.expired) != (
            self.ended + self.expired + len(self.flights),
            self.ended,
            self.expired,
        ):
            self._break(
                f"the scheduler counts {statistics.started} visits, {statistics.ended} ended, {statistics.expired} "
                f"expired; {self.ended} ended, {self.expired} expired, {len(self.flights)} are in flight"
            )

    def check(self, scheduler: Scheduler, camera_model: CameraModel, now_ns: int) -> None:
        """Check everything."""
        self.checks += 1
        self.check_scheduler(scheduler, now_ns)
        self.check_bounds(scheduler, camera_model, now_ns)
        self._last_check_ns = now_ns

    def check_bounds(self, scheduler: Scheduler, camera_model: CameraModel, now_ns: int) -> None:
        """Check how long cameras have gone unseen that can be reached and whose kitchens work, in their periods."""
        opened_by_window = np.array(self._update_opened(scheduler, now_ns), dtype=np.int64)
        opened_ns = opened_by_window[_column(scheduler.table.window)]  # a new scheduler's slots follow the fleet
        self.kitchen_works = opened_ns >= 0
        last_ns = np.maximum(_column(self.last_keyframe), _column(camera_model.reachable_since))
        last_ns = np.maximum(last_ns, opened_ns)
        is_reachable = (_column(camera_model.unreachable_reason) == 0) & self.kitchen_works
        for base_class, period_s in zip(_BASE_CLASSES, self._periods_s, strict=True):
            counts = is_reachable & (self._is_key_point == (base_class == CameraClass.KEY_POINT))
            if not counts.any():
                continue
            unseen_ns = np.where(counts, now_ns - last_ns, 0)
            periods = seconds(int(unseen_ns.max())) / period_s
            self.unseen_periods_max[base_class] = max(self.unseen_periods_max[base_class], periods)
            allowed = self._periods_allowed(scheduler, base_class, period_s, now_ns)
            unseen_ns = np.where(self._is_bounded, unseen_ns, 0)
            longest = int(unseen_ns.argmax())
            periods = seconds(int(unseen_ns[longest])) / period_s
            if periods > allowed:
                self._break(
                    f"{base_class.label.replace('_', ' ')} camera {self._fleet.ids[longest]} can be reached and was "
                    f"not seen for {periods:.2f} periods, allowed: {allowed:g}"
                )

    def _end(self, visit_id: int) -> bool:
        camera = self.flights.pop(visit_id, None)
        if camera is None:
            return False
        uplink, host = self._fleet.uplink[camera], self._fleet.host[camera]
        if uplink >= 0:
            self._uplinks[uplink] -= 1
        if host >= 0:
            self._hosts[host] -= 1
        return True

    def _periods_allowed(self, scheduler: Scheduler, base_class: CameraClass, period_s: float, now_ns: int) -> float:
        """Return how many periods a camera may go unseen. A stretch excuses for as long as a camera that was skipped
        because of it may still wait.
        """
        stretch = scheduler.overload.stretch[base_class]
        if scheduler.overload.capacity_per_s is not None and stretch >= self._settings.stretch_max:
            stretch = math.inf
        largest, until_ns = self._stretched[base_class]
        if stretch > 1 and (stretch >= largest or now_ns >= until_ns):
            excuse_s = 2 * min(stretch, self._settings.stretch_max) * period_s
            self._stretched[base_class] = stretch, now_ns + ns(excuse_s)
        elif now_ns >= until_ns:
            self._stretched[base_class] = 1.0, now_ns
        largest = self._stretched[base_class][0]
        if largest == 1:
            return _UNSEEN_PERIODS_MAX
        # A camera keeps one in this many of its periods, rounded up; see Timing.shed_for_overload.
        return _UNSEEN_PERIODS_MAX + (math.ceil(largest) if math.isfinite(largest) else largest)

    def _update_opened(self, scheduler: Scheduler, now_ns: int) -> "array[int]":
        """Return by window since when it is open (to the precision of the checks), -1 while it is closed."""
        windows = scheduler.timing.sites.windows
        while len(self._opened_ns) < len(windows):
            self._opened_ns.append(-1)
        for index, window in enumerate(windows):
            if not window.is_open(now_ns + scheduler.timing.wall_offset_ns):
                self._opened_ns[index] = -1
            elif self._opened_ns[index] < 0:
                self._opened_ns[index] = self._last_check_ns
        return self._opened_ns

    def _break(self, sentence: str) -> None:
        """Record a broken promise."""
        if len(self.broken) < BROKEN_MAX:
            self.broken.append(sentence)


class _LeakyBucket:
    """Checks events against a rate with a burst of `_BURST_S` of it; the bucket's level is in nanoseconds."""

    def __init__(self, per_s: float) -> None:
        self._each_ns = max(1, round(NS_PER_S / per_s))
        self._depth_ns = max(self._each_ns, round(self._each_ns * per_s * _BURST_S))
        self._level_ns = self._at_ns = 0

    def overflows(self, now_ns: int) -> bool:
        """Count one event; return whether it is one too many."""
        self._level_ns = max(0, self._level_ns - (now_ns - self._at_ns)) + self._each_ns
        self._at_ns = now_ns
        return self._level_ns > self._depth_ns


def _column(column: "array[int]") -> npt.NDArray[Any]:
    return np.frombuffer(column, dtype=column.typecode)
