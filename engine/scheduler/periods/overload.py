"""Stretches periods when there is more work than the machine can do; key points last. Pure.

Demand is the visits a second that the configured periods ask for. While cameras wait for a free slot all the time, the
rate at which visits end is what the machine can carry. That capacity is remembered, and grows by a twentieth in every
interval in which cameras rarely wait. Classes are stretched until their demand fits: first ordinary ones, up to
`stretch_max`, then suspicious ones, key points only when nothing else can give way.
"""

from collections.abc import Sequence

from engine.clock import NS_PER_S
from engine.config.schema import SchedulerSettings
from engine.scheduler.classes import CameraClass, weights

INTERVAL_NS = 10 * NS_PER_S
_SATURATED_SHARE = 0.9
_IDLE_SHARE = 0.5
_HEADROOM = 0.95
_GROWTH = 1.05
_ORDER = (CameraClass.ORDINARY, CameraClass.SUSPICIOUS, CameraClass.KEY_POINT)


class Overload:
    """One stretch factor for each class, 1.0 while the machine keeps the periods."""

    def __init__(self, settings: SchedulerSettings) -> None:
        self._settings = settings
        self.stretch = [1.0] * len(CameraClass)
        self.capacity_per_s: float | None = None
        self.demand_per_s = 0.0
        self._interval_began_ns: int | None = None
        self._waited_ns = 0
        self._waiting_since_ns: int | None = None
        self._ended = 0

    def configure(self, settings: SchedulerSettings) -> None:
        """Apply new bounds, from the next interval on."""
        self._settings = settings

    def record(self, waiting: bool, ended: int, now_ns: int) -> None:
        """Record whether cameras wait for nothing but a slot now, and how many visits ended since the last call."""
        self._ended += ended
        if waiting:
            if self._waiting_since_ns is None:
                self._waiting_since_ns = now_ns
        elif self._waiting_since_ns is not None:
            self._waited_ns += now_ns - self._waiting_since_ns
            self._waiting_since_ns = None

    def interval_ended(self, now_ns: int) -> bool:
        """Return whether an interval is over; call `adjust` then."""
        if self._interval_began_ns is None:
            self._interval_began_ns = now_ns
        return now_ns - self._interval_began_ns >= INTERVAL_NS

    def adjust(self, demand_per_s: Sequence[float], now_ns: int) -> None:
        """Update capacity and stretch at the end of an interval. `demand_per_s`: visits a second that the configured
        periods ask for, by class.
        """
        began_ns = now_ns if self._interval_began_ns is None else self._interval_began_ns
        span_ns = max(1, now_ns - began_ns)
        waited_ns = self._waited_ns
        if self._waiting_since_ns is not None:
            waited_ns += now_ns - self._waiting_since_ns
            self._waiting_since_ns = now_ns
        rate = self._ended * NS_PER_S / span_ns
        self._interval_began_ns, self._waited_ns, self._ended = now_ns, 0, 0
        self.demand_per_s = sum(demand_per_s)
        waited_share = waited_ns / span_ns
        if waited_share >= _SATURATED_SHARE and rate > 0:
            self.capacity_per_s = rate if self.capacity_per_s is None else 0.5 * (self.capacity_per_s + rate)
        elif self.capacity_per_s is not None and waited_share < _IDLE_SHARE:
            self.capacity_per_s *= _GROWTH
        if self.capacity_per_s is not None and self.capacity_per_s * _HEADROOM >= self.demand_per_s:
            self.capacity_per_s = None
        self.stretch = self._stretch_to_fit(demand_per_s)

    def _stretch_to_fit(self, demand: Sequence[float]) -> list[float]:
        stretch = [1.0] * len(CameraClass)
        if self.capacity_per_s is None:
            return stretch
        room = self.capacity_per_s * _HEADROOM
        shares = weights(self._settings)
        # Offline cameras back off by themselves. However many there are, they get no more than their weight's share.
        room -= min(demand[CameraClass.OFFLINE], room * shares[CameraClass.OFFLINE] / sum(shares))
        for stretched in _ORDER:
            others = sum(demand[other] / stretch[other] for other in _ORDER if other != stretched)
            if others + demand[stretched] <= room:
                break
            left = room - others
            stretch_max = self._settings.stretch_max
            stretch[stretched] = min(stretch_max, demand[stretched] / left) if left > 0 else stretch_max
        return stretch
