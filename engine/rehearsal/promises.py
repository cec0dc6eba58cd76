"""What must hold while a patrol runs, counted independently of the scheduler's own books. Pure.

- every order ends exactly once: a keyframe, a failure, or expired;
- no cap is exceeded: visits in flight in all, on a recorder, on a platform; new connections a second;
- no camera that can be reached waits beyond its bound: twice its period, unless periods are stretched.

A broken promise is kept as a sentence, the first hundred of them.
"""

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import seconds
from engine.config.schema import SchedulerSettings
from engine.rehearsal.fleet import Fleet
from engine.rehearsal.nature import Nature
from engine.scheduler.core import Scheduler
from engine.scheduler.invariants import SchedulerInvariantError

_SENTENCES_MAX = 100
_SEEN_PERIODS_MAX = 2.0
_BURST_S = 0.25
"""What the token buckets let through at once, in seconds of their rate; see engine/scheduler/gates.py."""


class Promises:
    """Told of every start and end of a visit; `look` from time to time."""

    def __init__(self, fleet: Fleet, settings: SchedulerSettings) -> None:
        self._fleet = fleet
        self._settings = settings
        self._uplinks = array("H", bytes(2 * len(fleet.uplinks)))
        self._hosts = array("I", bytes(4 * len(fleet.hosts)))
        self._host_starts = array("I", bytes(4 * len(fleet.hosts)))
        self._starts = 0
        self._host_caps = [settings.host_visits_max.get(name, settings.visits_per_host_max) for name in fleet.hosts]
        self._opened_ns = array("q")
        self._looked_ns = 0
        self.flights: dict[int, int] = {}
        self.seen = array("q", bytes(8 * len(fleet)))
        self.ended = self.expired = self.looks = 0
        self.broken: list[str] = []
        self.key_gap_periods_max = 0.0
        self.working = np.ones(len(fleet), dtype=bool)

    def begun(self, visit_id: int, camera: int) -> None:
        """A visit begins."""
        settings, flights = self._settings, self.flights
        if visit_id in flights:
            self._break(f"visit {visit_id} began twice")
        flights[visit_id] = camera
        if len(flights) > settings.visits_max:
            self._break(f"{len(flights)} visits in flight, scheduler.visits_max is {settings.visits_max}")
        self._starts += 1
        uplink, host = self._fleet.uplink[camera], self._fleet.host[camera]
        if uplink >= 0:
            self._uplinks[uplink] += 1
            if self._uplinks[uplink] > settings.visits_per_uplink_max:
                self._break(f"{self._uplinks[uplink]} visits on recorder {self._fleet.uplinks[uplink]}")
        if host >= 0:
            self._hosts[host] += 1
            self._host_starts[host] += 1
            if self._hosts[host] > self._host_caps[host]:
                self._break(f"{self._hosts[host]} visits on platform {self._fleet.hosts[host]}")

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

    def look(self, core: Scheduler, nature: Nature, now_ns: int) -> None:
        """The scheduler's invariants, the rates since the last look, and who has not been seen for how long."""
        self.looks += 1
        try:
            core.check_invariants(now_ns)
        except SchedulerInvariantError as error:
            self._break(str(error))
        tally = core.tally
        if (tally.started, tally.ended, tally.expired) != (
            self.ended + self.expired + len(self.flights),
            self.ended,
            self.expired,
        ):
            self._break(f"the scheduler counts {tally.started} visits, {tally.ended} ended, {tally.expired} expired")
        self._rates(now_ns)
        self._bounds(core, nature, now_ns)
        self._looked_ns = now_ns

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

    def _rates(self, now_ns: int) -> None:
        settings = self._settings
        span_s = seconds(now_ns - self._looked_ns) + _BURST_S
        if self._starts > settings.starts_per_s_max * span_s + 1:
            self._break(
                f"{self._starts} visits began in {span_s:.2f} s, allowed {settings.starts_per_s_max:g} a second"
            )
        allowed = settings.host_starts_per_s_max * span_s + 1
        busiest = max(self._host_starts, default=0)
        if busiest > allowed:
            name = self._fleet.hosts[self._host_starts.index(busiest)]
            self._break(f"{busiest} connections to platform {name} in {span_s:.2f} s, allowed {allowed:.0f}")
        self._starts = 0
        self._host_starts = array("I", bytes(4 * len(self._fleet.hosts)))

    def _bounds(self, core: Scheduler, nature: Nature, now_ns: int) -> None:
        """Key points that can be reached and whose kitchens work: the longest time unseen, in their periods."""
        opened_ns = np.array(self._opened(core, now_ns), dtype=np.int64)
        table = core.table
        opened = opened_ns[_column(table.window)]  # slots of a fresh core follow the fleet
        self.working = opened >= 0
        since = np.maximum(_column(self.seen), _column(nature.reachable_since))
        since = np.maximum(since, opened)
        wanted = (_column(nature.why) == 0) & (_column(self._fleet.key_point) > 0) & self.working
        if not wanted.any():
            return
        waits = np.where(wanted, now_ns - since, 0)
        longest = int(waits.argmax())
        settings = self._settings
        periods = seconds(int(waits[longest])) / settings.key_period_s
        self.key_gap_periods_max = max(self.key_gap_periods_max, periods)
        stretched = max(core.overload.stretch)
        if periods > _SEEN_PERIODS_MAX * stretched:
            self._break(
                f"key point {self._fleet.ids[longest]} can be reached and was not seen for {periods:.2f} periods"
            )

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
        if len(self.broken) < _SENTENCES_MAX:
            self.broken.append(sentence)


def _column(column: "array[int]") -> npt.NDArray[Any]:
    return np.frombuffer(column, dtype=column.typecode)
