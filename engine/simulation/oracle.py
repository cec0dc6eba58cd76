"""What must hold while a patrol runs, counted independently of the scheduler's own books. Pure.

- every order ends exactly once: a keyframe, a failure, or expired;
- no cap is exceeded: visits in flight in all, on a recorder, on a platform; new connections a second;
- no camera that can be reached waits beyond its bound: twice its period, and as much longer as periods are stretched;
- the scheduler's own books balance (scheduler/invariants.py): no back-off above its ceiling, nobody passed over.

No bound is promised to cameras behind a recorder or platform that cannot carry their periods (bottlenecks.py), nor to a
class that is stretched as far as it may be: their missed periods are counted as shed, by reason.
A broken promise is kept as a sentence, the first hundred of them.
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

SENTENCES_MAX = 100
_UNSEEN_PERIODS_MAX = 2.0
_BURST_S = 0.25
"""What the rates let through at once, in seconds of their rate; see engine/scheduler/gates.py."""
_NATURES = (CameraClass.KEY_POINT, CameraClass.ORDINARY)


class Oracle:
    """Told of every start and end of a visit; `look` from time to time. `crowded`: see bottlenecks.py, by camera."""

    def __init__(self, fleet: Fleet, settings: SchedulerSettings, crowded: npt.NDArray[np.bool_]) -> None:
        self._fleet = fleet
        self._settings = settings
        self._key_point = np.array(fleet.key_point, dtype=bool)
        self._bound = ~crowded
        self._periods_s = (settings.key_period_s, settings.ordinary_period_s)
        self._uplinks = array("H", bytes(2 * len(fleet.uplinks)))
        self._hosts = array("I", bytes(4 * len(fleet.hosts)))
        self._host_caps = [settings.host_visits_max.get(name, settings.visits_per_host_max) for name in fleet.hosts]
        self._starts = _Meter(settings.starts_per_s_max)
        self._host_starts = [_Meter(settings.host_starts_per_s_max) for _ in fleet.hosts]
        self._opened_ns = array("q")
        self._looked_ns = 0
        self._stretched = [(1.0, 0)] * len(_NATURES)  # most, and until when it excuses
        self.flights: dict[int, int] = {}
        self.seen = array("q", bytes(8 * len(fleet)))
        self.ended = self.expired = self.looks = 0
        self.broken: list[str] = []
        self.unseen_periods_max = [0.0] * len(_NATURES)
        self.working = np.ones(len(fleet), dtype=bool)

    def begun(self, visit_id: int, camera: int, now_ns: int) -> None:
        """A visit begins."""
        settings, flights = self._settings, self.flights
        if visit_id in flights:
            self._break(f"visit {visit_id} began twice")
        flights[visit_id] = camera
        if len(flights) > settings.visits_max:
            self._break(f"{len(flights)} visits in flight, scheduler.visits_max is {settings.visits_max}")
        if self._starts.over(now_ns):
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
            if self._host_starts[host].over(now_ns):
                self._break(
                    f"more connections to platform {self._fleet.hosts[host]} than scheduler.host_starts_per_s_max "
                    f"allows ({settings.host_starts_per_s_max:g})"
                )

    def over(self, visit_id: int) -> bool:
        """An answer has come; False if its visit had expired, and is not to be counted again."""
        if not self._end(visit_id):
            return False
        self.ended += 1
        return True

    def expire(self, visit_id: int) -> None:
        """The scheduler gave a visit up."""
        if self._end(visit_id):
            self.expired += 1
        else:
            self._break(f"visit {visit_id} expired, and had ended before")

    def balance(self, core: Scheduler, now_ns: int) -> None:
        """The scheduler's own books, and whether they say what was counted here."""
        try:
            check_invariants(core, now_ns)
        except SchedulerInvariantError as error:
            self._break(str(error))
        tally = core.statistics
        if (tally.started, tally.ended, tally.expired) != (
            self.ended + self.expired + len(self.flights),
            self.ended,
            self.expired,
        ):
            self._break(
                f"the scheduler counts {tally.started} visits, {tally.ended} ended, {tally.expired} expired; "
                f"{self.ended} ended, {self.expired} expired, {len(self.flights)} are in flight"
            )

    def look(self, core: Scheduler, nature: CameraModel, now_ns: int) -> None:
        """All of it, and who has not been seen for how long."""
        self.looks += 1
        self.balance(core, now_ns)
        self.bounds(core, nature, now_ns)
        self._looked_ns = now_ns

    def bounds(self, core: Scheduler, nature: CameraModel, now_ns: int) -> None:
        """Cameras that can be reached and whose kitchens work: the longest time unseen, in their periods."""
        opened_ns = np.array(self._opened(core, now_ns), dtype=np.int64)
        opened = opened_ns[_column(core.table.window)]  # slots of a fresh core follow the fleet
        self.working = opened >= 0
        since = np.maximum(np.maximum(_column(self.seen), _column(nature.reachable_since)), opened)
        reachable = (_column(nature.why) == 0) & self.working
        for kind, period_s in zip(_NATURES, self._periods_s, strict=True):
            wanted = reachable & (self._key_point == (kind == CameraClass.KEY_POINT))
            if not wanted.any():
                continue
            waits = np.where(wanted, now_ns - since, 0)
            periods = seconds(int(waits.max())) / period_s
            self.unseen_periods_max[kind] = max(self.unseen_periods_max[kind], periods)
            allowed = self._periods_allowed(core, kind, period_s, now_ns)
            waits = np.where(self._bound, waits, 0)
            longest = int(waits.argmax())
            periods = seconds(int(waits[longest])) / period_s
            if periods > allowed:
                self._break(
                    f"{kind.label.replace('_', ' ')} camera {self._fleet.ids[longest]} can be reached and was not seen "
                    f"for {periods:.2f} periods, promised are {allowed:g}"
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

    def _periods_allowed(self, core: Scheduler, kind: CameraClass, period_s: float, now_ns: int) -> float:
        """How long a camera may be unseen. A stretch excuses for as long as a camera that it put off may still wait."""
        stretch = core.overload.stretch[kind]
        if core.overload.capacity_per_s is not None and stretch >= self._settings.stretch_max:
            stretch = math.inf
        most, until_ns = self._stretched[kind]
        if stretch > 1 and (stretch >= most or now_ns >= until_ns):
            lasts_s = 2 * min(stretch, self._settings.stretch_max) * period_s
            self._stretched[kind] = stretch, now_ns + ns(lasts_s)
        elif now_ns >= until_ns:
            self._stretched[kind] = 1.0, now_ns
        most = self._stretched[kind][0]
        if most == 1:
            return _UNSEEN_PERIODS_MAX
        # One in so many of its periods, rounded up; see Timing.shed_for_overload.
        return _UNSEEN_PERIODS_MAX + (math.ceil(most) if math.isfinite(most) else most)

    def _opened(self, core: Scheduler, now_ns: int) -> "array[int]":
        """By window: since when it is open (to the precision of looks), -1 while it is shut."""
        windows = core.timing.sites.windows
        while len(self._opened_ns) < len(windows):
            self._opened_ns.append(-1)
        for number, window in enumerate(windows):
            if not window.is_open(now_ns + core.timing.wall_offset_ns):
                self._opened_ns[number] = -1
            elif self._opened_ns[number] < 0:
                self._opened_ns[number] = self._looked_ns
        return self._opened_ns

    def _break(self, sentence: str) -> None:
        if len(self.broken) < SENTENCES_MAX:
            self.broken.append(sentence)


class _Meter:
    """Counts what goes through against a rate, with `_BURST_S` of it at once: a leaky bucket that leaks by time."""

    def __init__(self, per_s: float) -> None:
        self._each_ns = max(1, round(NS_PER_S / per_s))
        self._depth_ns = max(self._each_ns, round(self._each_ns * per_s * _BURST_S))
        self._level_ns = self._at_ns = 0

    def over(self, now_ns: int) -> bool:
        """One more goes through; whether it is one too many."""
        self._level_ns = max(0, self._level_ns - (now_ns - self._at_ns)) + self._each_ns
        self._at_ns = now_ns
        return self._level_ns > self._depth_ns


def _column(column: "array[int]") -> npt.NDArray[Any]:
    return np.frombuffer(column, dtype=column.typecode)
