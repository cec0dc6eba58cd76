"""What becomes of a visit, and what the world does meanwhile: outages, flapping, faults in pictures. Seeded.

A visit's end is settled when it begins: what happens to the camera within those seconds counts for the next one.
"""

from array import array
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, ns
from engine.config.schema import FeedSettings
from engine.model.visit import FailureReason
from engine.scheduler.classes import REASONS
from engine.simulation.faults import Faults
from engine.simulation.fleet import Fleet
from engine.simulation.world import World

NEVER_ANSWERED = -1
_NUMBER = {reason: number for number, reason in enumerate(REASONS)}
_NO_KEYFRAME = _NUMBER[FailureReason.TIMEOUT_KEYFRAME]
_DAY_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that happens to many cameras: `name` for people, `cameras` it takes, from when until when."""

    name: str
    cameras: npt.NDArray[np.int64]
    from_ns: int
    until_ns: int
    reason: FailureReason


class CameraModel:
    """The state of the world. Troubles may overlap, and fall on cameras that flap or are dead anyhow."""

    def __init__(self, fleet: Fleet, world: World, faults: Faults, feed: FeedSettings, span_ns: int, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 (a model of the world, no secret)
        self._fleet = fleet
        self._faults = faults
        self._connect_ns_min = ns(world.connect_s_min)
        self._connect_span_ns = ns(world.connect_s_max - world.connect_s_min)
        self._deadline_ns = ns(feed.deadline_s)
        lasts = {
            **world.failure_s,
            FailureReason.TIMEOUT_CONNECT: feed.connect_timeout_s,
            FailureReason.TIMEOUT_KEYFRAME: feed.deadline_s,
        }
        self._failure_ns = [min(self._deadline_ns, ns(lasts[reason])) for reason in REASONS]
        self._lost = faults.lost_share
        count = len(fleet)
        self.why = array("B", bytes(count))
        """By camera: 1 + number of the reason why it cannot be reached, 0 while it can."""
        self.reachable_since = array("q", bytes(8 * count))
        self.faulty = array("H", bytes(2 * count))
        """By camera: faults that its picture shows."""
        self._dead = array("B", bytes(count))  # these three: as `why`, each for itself
        self._struck = array("B", bytes(count))
        self._flapped = array("B", bytes(count))
        self._changes: list[tuple[int, int, int, int]] = []  # when, sequence, what, camera or trouble
        self.troubles: list[Trouble] = []
        self._sequence = 0
        self._take_offline(faults)
        self._plan_troubles(faults, span_ns)
        self._plan_flapping(faults)
        self._plan_pictures(faults, span_ns)
        heapify(self._changes)

    def visit(self, camera: int) -> tuple[int, int]:
        """What becomes of a visit that begins now: reason number or -1 for a keyframe, and how long it lasts, in ns.

        The duration is NEVER_ANSWERED where the answer is lost.
        """
        random = self._random.random
        if self._lost and random() < self._lost:
            return -1, NEVER_ANSWERED
        why = self.why[camera]
        if why:
            return why - 1, self._failure_ns[why - 1]
        connect_ns = self._connect_ns_min + int(random() * self._connect_span_ns)
        lasts_ns = connect_ns + int(random() * self._fleet.wait_ns[camera])
        return (-1, lasts_ns) if lasts_ns <= self._deadline_ns else (_NO_KEYFRAME, self._deadline_ns)

    def sees_fault(self, camera: int) -> bool:
        """Whether the picture that a visit brought shows a fault."""
        if self.faulty[camera]:
            return True
        false_looks = self._faults.false_look_share
        return bool(false_looks) and self._random.random() < false_looks

    def next_change_ns(self) -> int | None:
        """When the world changes next; None if it stays."""
        return self._changes[0][0] if self._changes else None

    def advance(self, now_ns: int) -> None:
        """Let everything happen that is due."""
        while self._changes and self._changes[0][0] <= now_ns:
            at_ns, _, what, which = heappop(self._changes)
            _HAPPENINGS[what](self, which, at_ns)

    def _at(self, at_ns: int, what: int, which: int) -> None:
        self._sequence += 1
        heappush(self._changes, (at_ns, self._sequence, what, which))

    def _take_offline(self, faults: Faults) -> None:
        reasons, weights = zip(*faults.offline_reasons.items(), strict=True)
        for camera in self._some(len(self._fleet), faults.offline_share):
            self._dead[camera] = self.why[camera] = 1 + _NUMBER[self._random.choices(reasons, weights)[0]]

    def _plan_flapping(self, faults: Faults) -> None:
        for camera in self._some(len(self._fleet), faults.flapping_share):
            if not self._dead[camera]:
                self._at(round(self._random.random() * ns(faults.flapping_up_s)), _FLAP_DOWN, camera)

    def _plan_pictures(self, faults: Faults, span_ns: int) -> None:
        count = round(faults.picture_faults_per_camera_day * len(self._fleet) * span_ns / _DAY_NS)
        for _ in range(count):
            camera = self._random.randrange(len(self._fleet))
            self._at(round(self._random.random() * span_ns), _PICTURE_BAD, camera)

    def _plan_troubles(self, faults: Faults, span_ns: int) -> None:
        fleet = self._fleet
        hosts, counties = _column(fleet.host), _column(fleet.county)
        gone = FailureReason.TIMEOUT_CONNECT
        for restart in faults.platform_restarts:
            some = self._random.sample(range(len(fleet.hosts)), min(restart.platforms, len(fleet.hosts)))
            reason = FailureReason.REFUSED  # the machine is up, the service is not
            self._trouble("platform restart", reason, hosts, some, restart.at_share * span_ns, restart.for_s)
        for cut in faults.power_cuts:
            some = self._random.sample(range(len(fleet.counties)), min(cut.counties, len(fleet.counties)))
            self._trouble("power cut", gone, counties, some, cut.at_share * span_ns, cut.for_s)
        for storm in faults.storms:
            some = self._some(len(fleet.hosts), storm.platforms_share)
            self._trouble("storm", gone, hosts, some, storm.at_share * span_ns, storm.for_s)

    def _trouble(
        self, name: str, reason: FailureReason, column: npt.NDArray[Any], some: list[int], from_ns: float, for_s: float
    ) -> None:
        trouble = Trouble(
            name, np.flatnonzero(np.isin(column, some)), round(from_ns), round(from_ns) + ns(for_s), reason
        )
        self.troubles.append(trouble)
        self._at(trouble.from_ns, _TROUBLE_BEGINS, len(self.troubles) - 1)
        self._at(trouble.until_ns, _TROUBLE_ENDS, len(self.troubles) - 1)

    def _some(self, count: int, share: float) -> list[int]:
        """A share of so many, drawn; one at least, if any are wanted and there are any."""
        wanted = max(1, round(share * count)) if share > 0 else 0
        return sorted(self._random.sample(range(count), min(count, wanted)))

    def _trouble_begins(self, number: int, at_ns: int) -> None:
        self._strike(number, at_ns)

    def _trouble_ends(self, number: int, at_ns: int) -> None:
        """Its cameras are back, but for those that another trouble still holds, or that are down by themselves."""
        _column(self._struck)[self.troubles[number].cameras] = 0
        for other, trouble in enumerate(self.troubles):
            if other != number and trouble.from_ns <= at_ns < trouble.until_ns:
                self._strike(other, at_ns)
        self._settle(self.troubles[number].cameras, at_ns)

    def _strike(self, number: int, at_ns: int) -> None:
        trouble = self.troubles[number]
        _column(self._struck)[trouble.cameras] = 1 + _NUMBER[trouble.reason]
        self._settle(trouble.cameras, at_ns)

    def _settle(self, cameras: npt.NDArray[np.int64], at_ns: int) -> None:
        """Why these cannot be reached from now on; whoever can, and could not, can since now."""
        dead, struck, flapped = (_column(one)[cameras] for one in (self._dead, self._struck, self._flapped))
        why = np.where(dead, dead, np.where(struck, struck, flapped))
        back = (_column(self.why)[cameras] != 0) & (why == 0)
        _column(self.why)[cameras] = why
        _column(self.reachable_since)[cameras[back]] = at_ns

    def _flap_down(self, camera: int, at_ns: int) -> None:
        self._flapped[camera] = 1 + _NO_KEYFRAME
        self._settle(np.array([camera]), at_ns)
        self._at(at_ns + self._spread_ns(self._faults.flapping_down_s), _FLAP_UP, camera)

    def _flap_up(self, camera: int, at_ns: int) -> None:
        self._flapped[camera] = 0
        self._settle(np.array([camera]), at_ns)
        self._at(at_ns + self._spread_ns(self._faults.flapping_up_s), _FLAP_DOWN, camera)

    def _picture_bad(self, camera: int, at_ns: int) -> None:
        self.faulty[camera] += 1
        self._at(at_ns + ns(self._faults.picture_fault_s), _PICTURE_GOOD, camera)

    def _picture_good(self, camera: int, at_ns: int) -> None:
        self.faulty[camera] -= 1

    def _spread_ns(self, mean_s: float) -> int:
        return round((0.5 + self._random.random()) * ns(mean_s))


_TROUBLE_BEGINS, _TROUBLE_ENDS, _FLAP_DOWN, _FLAP_UP, _PICTURE_BAD, _PICTURE_GOOD = range(6)
_HAPPENINGS = (
    CameraModel._trouble_begins,
    CameraModel._trouble_ends,
    CameraModel._flap_down,
    CameraModel._flap_up,
    CameraModel._picture_bad,
    CameraModel._picture_good,
)


def _column(column: "array[int]") -> npt.NDArray[Any]:
    return np.frombuffer(column, dtype=column.typecode)
