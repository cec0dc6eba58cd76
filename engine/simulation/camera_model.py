"""Models the cameras of a simulation: how each visit ends, and the outages, flapping and picture faults. Seeded.

The end of a visit is decided when it begins: what happens to the camera during the visit counts for the next one.
"""

from array import array
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, ns
from engine.config.feed import FeedSettings
from engine.model.visit import FailureReason
from engine.scheduler.classes import REASONS
from engine.simulation.faults import Faults
from engine.simulation.fleet import Fleet
from engine.simulation.world import World

NEVER_ANSWERED = -1
_REASON_NUMBER = {reason: number for number, reason in enumerate(REASONS)}
_NO_KEYFRAME = _REASON_NUMBER[FailureReason.TIMEOUT_KEYFRAME]
_DAY_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Trouble:
    """An event that makes many cameras unreachable from `from_ns` until `until_ns`. `name`: for people."""

    name: str
    cameras: npt.NDArray[np.int64]
    from_ns: int
    until_ns: int
    reason: FailureReason


class CameraModel:
    """The state of all cameras. Troubles may overlap, and hit cameras that flap or are offline anyway."""

    def __init__(self, fleet: Fleet, world: World, faults: Faults, feed: FeedSettings, span_ns: int, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 (a model of the world, no secret)
        self._fleet = fleet
        self._faults = faults
        self._connect_ns_min = ns(world.connect_s_min)
        self._connect_span_ns = ns(world.connect_s_max - world.connect_s_min)
        self._deadline_ns = ns(feed.deadline_s)
        failure_s = {
            **world.failure_s,
            FailureReason.TIMEOUT_CONNECT: feed.connect_timeout_s,
            FailureReason.TIMEOUT_KEYFRAME: feed.deadline_s,
        }
        self._failure_ns = [min(self._deadline_ns, ns(failure_s[reason])) for reason in REASONS]
        self._lost_share = faults.lost_share
        count = len(fleet)
        self.unreachable_reason = array("B", bytes(count))
        """By camera: 1 + number of the reason why it cannot be reached, 0 while it can."""
        self.reachable_since = array("q", bytes(8 * count))
        self.picture_faults = array("H", bytes(2 * count))
        """By camera: the number of faults that its picture shows."""
        self._offline_reason = array("B", bytes(count))  # these three like unreachable_reason, each for one cause
        self._trouble_reason = array("B", bytes(count))
        self._flapping_reason = array("B", bytes(count))
        self._changes: list[tuple[int, int, int, int]] = []  # when, sequence, kind, camera or trouble
        self.troubles: list[Trouble] = []
        self._sequence = 0
        self._take_offline(faults)
        self._plan_troubles(faults, span_ns)
        self._plan_flapping(faults)
        self._plan_picture_faults(faults, span_ns)
        heapify(self._changes)

    def visit(self, camera: int) -> tuple[int, int]:
        """Return how a visit that begins now ends: the reason number or -1 for a keyframe, and its duration in ns.

        The duration is NEVER_ANSWERED if the answer is lost.
        """
        random = self._random.random
        if self._lost_share and random() < self._lost_share:
            return -1, NEVER_ANSWERED
        reason = self.unreachable_reason[camera]
        if reason:
            return reason - 1, self._failure_ns[reason - 1]
        connect_ns = self._connect_ns_min + int(random() * self._connect_span_ns)
        duration_ns = connect_ns + int(random() * self._fleet.wait_ns[camera])
        return (-1, duration_ns) if duration_ns <= self._deadline_ns else (_NO_KEYFRAME, self._deadline_ns)

    def sees_fault(self, camera: int) -> bool:
        """Return whether the picture of a visit shows a fault; draws a false one now and then."""
        if self.picture_faults[camera]:
            return True
        false_share = self._faults.false_look_share
        return bool(false_share) and self._random.random() < false_share

    def next_change_ns(self) -> int | None:
        """Return when the state changes next; None if it never does."""
        return self._changes[0][0] if self._changes else None

    def advance(self, now_ns: int) -> None:
        """Apply all changes up to now."""
        while self._changes and self._changes[0][0] <= now_ns:
            at_ns, _, kind, subject = heappop(self._changes)
            _CHANGES[kind](self, subject, at_ns)

    def _schedule(self, at_ns: int, kind: int, subject: int) -> None:
        self._sequence += 1
        heappush(self._changes, (at_ns, self._sequence, kind, subject))

    def _take_offline(self, faults: Faults) -> None:
        reasons, weights = zip(*faults.offline_reasons.items(), strict=True)
        for camera in self._sample(len(self._fleet), faults.offline_share):
            reason = 1 + _REASON_NUMBER[self._random.choices(reasons, weights)[0]]
            self._offline_reason[camera] = self.unreachable_reason[camera] = reason

    def _plan_flapping(self, faults: Faults) -> None:
        for camera in self._sample(len(self._fleet), faults.flapping_share):
            if not self._offline_reason[camera]:
                self._schedule(round(self._random.random() * ns(faults.flapping_up_s)), _FLAP_DOWN, camera)

    def _plan_picture_faults(self, faults: Faults, span_ns: int) -> None:
        count = round(faults.picture_faults_per_camera_day * len(self._fleet) * span_ns / _DAY_NS)
        for _ in range(count):
            camera = self._random.randrange(len(self._fleet))
            self._schedule(round(self._random.random() * span_ns), _PICTURE_FAULT_BEGINS, camera)

    def _plan_troubles(self, faults: Faults, span_ns: int) -> None:
        fleet = self._fleet
        hosts, counties = _column(fleet.host), _column(fleet.county)
        no_route = FailureReason.TIMEOUT_CONNECT
        for restart in faults.platform_restarts:
            chosen = self._random.sample(range(len(fleet.hosts)), min(restart.platforms, len(fleet.hosts)))
            reason = FailureReason.REFUSED  # the machine is up, the service is not
            self._add_trouble("platform restart", reason, hosts, chosen, restart.at_share * span_ns, restart.for_s)
        for cut in faults.power_cuts:
            chosen = self._random.sample(range(len(fleet.counties)), min(cut.counties, len(fleet.counties)))
            self._add_trouble("power cut", no_route, counties, chosen, cut.at_share * span_ns, cut.for_s)
        for storm in faults.storms:
            chosen = self._sample(len(fleet.hosts), storm.platforms_share)
            self._add_trouble("storm", no_route, hosts, chosen, storm.at_share * span_ns, storm.for_s)

    def _add_trouble(
        self,
        name: str,
        reason: FailureReason,
        column: npt.NDArray[Any],
        chosen: list[int],
        from_ns: float,
        for_s: float,
    ) -> None:
        """Plan a trouble of the cameras whose entry in the column (platform or county) is among the chosen ones."""
        cameras = np.flatnonzero(np.isin(column, chosen))
        trouble = Trouble(name, cameras, round(from_ns), round(from_ns) + ns(for_s), reason)
        self.troubles.append(trouble)
        self._schedule(trouble.from_ns, _TROUBLE_BEGINS, len(self.troubles) - 1)
        self._schedule(trouble.until_ns, _TROUBLE_ENDS, len(self.troubles) - 1)

    def _sample(self, count: int, share: float) -> list[int]:
        """Draw a share of `count` indices; at least one if the share is above 0 and there are any."""
        size = max(1, round(share * count)) if share > 0 else 0
        return sorted(self._random.sample(range(count), min(count, size)))

    def _on_trouble_begins(self, number: int, at_ns: int) -> None:
        self._apply_trouble(number, at_ns)

    def _on_trouble_ends(self, number: int, at_ns: int) -> None:
        """Make the trouble's cameras reachable, except those that another trouble, flapping or being offline holds."""
        _column(self._trouble_reason)[self.troubles[number].cameras] = 0
        for other, trouble in enumerate(self.troubles):
            if other != number and trouble.from_ns <= at_ns < trouble.until_ns:
                self._apply_trouble(other, at_ns)
        self._update_reachability(self.troubles[number].cameras, at_ns)

    def _apply_trouble(self, number: int, at_ns: int) -> None:
        trouble = self.troubles[number]
        _column(self._trouble_reason)[trouble.cameras] = 1 + _REASON_NUMBER[trouble.reason]
        self._update_reachability(trouble.cameras, at_ns)

    def _update_reachability(self, cameras: npt.NDArray[np.int64], at_ns: int) -> None:
        """Combine the three causes of these cameras; note the time for those that become reachable."""
        causes = (self._offline_reason, self._trouble_reason, self._flapping_reason)
        offline, trouble, flapping = (_column(cause)[cameras] for cause in causes)
        reason = np.where(offline, offline, np.where(trouble, trouble, flapping))
        is_back = (_column(self.unreachable_reason)[cameras] != 0) & (reason == 0)
        _column(self.unreachable_reason)[cameras] = reason
        _column(self.reachable_since)[cameras[is_back]] = at_ns

    def _on_flap_down(self, camera: int, at_ns: int) -> None:
        self._flapping_reason[camera] = 1 + _NO_KEYFRAME
        self._update_reachability(np.array([camera]), at_ns)
        self._schedule(at_ns + self._spread_ns(self._faults.flapping_down_s), _FLAP_UP, camera)

    def _on_flap_up(self, camera: int, at_ns: int) -> None:
        self._flapping_reason[camera] = 0
        self._update_reachability(np.array([camera]), at_ns)
        self._schedule(at_ns + self._spread_ns(self._faults.flapping_up_s), _FLAP_DOWN, camera)

    def _on_picture_fault_begins(self, camera: int, at_ns: int) -> None:
        self.picture_faults[camera] += 1
        self._schedule(at_ns + ns(self._faults.picture_fault_s), _PICTURE_FAULT_ENDS, camera)

    def _on_picture_fault_ends(self, camera: int, at_ns: int) -> None:
        self.picture_faults[camera] -= 1

    def _spread_ns(self, mean_s: float) -> int:
        """Draw half to one and a half times the mean."""
        return round((0.5 + self._random.random()) * ns(mean_s))


_TROUBLE_BEGINS, _TROUBLE_ENDS, _FLAP_DOWN, _FLAP_UP, _PICTURE_FAULT_BEGINS, _PICTURE_FAULT_ENDS = range(6)
_CHANGES = (
    CameraModel._on_trouble_begins,
    CameraModel._on_trouble_ends,
    CameraModel._on_flap_down,
    CameraModel._on_flap_up,
    CameraModel._on_picture_fault_begins,
    CameraModel._on_picture_fault_ends,
)


def _column(column: "array[int]") -> npt.NDArray[Any]:
    return np.frombuffer(column, dtype=column.typecode)
