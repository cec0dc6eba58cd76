"""What becomes of a visit, and what the world does meanwhile: outages, flapping, faults in pictures. Seeded."""

from array import array
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S, ns
from engine.rehearsal.faults import Faults
from engine.rehearsal.fleet import Fleet
from engine.rehearsal.world import World
from engine.scheduler.classes import REASONS
from engine.types import FailureReason

NEVER_ANSWERED = -1
_NUMBER = {reason: number for number, reason in enumerate(REASONS)}
_UP = 0
_DAY_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that happens to many cameras: `name` for people, `cameras` it takes, from when until when."""

    name: str
    cameras: npt.NDArray[np.int64]
    from_ns: int
    until_ns: int


class Nature:
    """The state of the world. What takes cameras away is counted per camera, so that troubles may overlap."""

    def __init__(self, fleet: Fleet, world: World, faults: Faults, span_ns: int, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 (a model of the world, no secret)
        self._fleet = fleet
        self._faults = faults
        self._mean_connect_ns = ns(world.connect_s_min)
        self._connect_span_ns = ns(world.connect_s_max - world.connect_s_min)
        self._failure_ns = [ns(world.failure_s[reason]) for reason in REASONS]
        self._lost = faults.lost_share
        count = len(fleet)
        self.why = array("B", bytes(count))
        """By camera: 1 + number of the reason why it cannot be reached, 0 while it can."""
        self.reachable_since = array("q", bytes(8 * count))
        self.faulty = bytearray(count)
        self._changes: list[tuple[int, int, int, int]] = []  # when, sequence, what, camera or trouble
        self._dead = bytearray(count)
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
        connect_ns = self._mean_connect_ns + int(random() * self._connect_span_ns)
        return -1, connect_ns + int(random() * self._fleet.interval_ns[camera])

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
            self._dead[camera] = 1
            self.why[camera] = 1 + _NUMBER[self._random.choices(reasons, weights)[0]]

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
        for restart in faults.platform_restarts:
            some = self._random.sample(range(len(fleet.hosts)), min(restart.platforms, len(fleet.hosts)))
            self._trouble("platform restart", hosts, some, restart.at_share * span_ns, restart.for_s)
        for cut in faults.power_cuts:
            some = self._random.sample(range(len(fleet.counties)), min(cut.counties, len(fleet.counties)))
            self._trouble("power cut", counties, some, cut.at_share * span_ns, cut.for_s)
        for storm in faults.storms:
            some = self._some(len(fleet.hosts), storm.platforms_share)
            self._trouble("storm", hosts, some, storm.at_share * span_ns, storm.for_s)

    def _trouble(self, name: str, column: npt.NDArray[Any], some: list[int], from_ns: float, for_s: float) -> None:
        cameras = np.flatnonzero(np.isin(column, some))
        trouble = Trouble(name, cameras, round(from_ns), round(from_ns) + ns(for_s))
        self.troubles.append(trouble)
        self._at(trouble.from_ns, _TROUBLE_BEGINS, len(self.troubles) - 1)
        self._at(trouble.until_ns, _TROUBLE_ENDS, len(self.troubles) - 1)

    def _some(self, count: int, share: float) -> list[int]:
        return sorted(self._random.sample(range(count), min(count, round(share * count))))

    def _trouble_begins(self, number: int, at_ns: int) -> None:
        trouble = self.troubles[number]
        reason = FailureReason.REFUSED if trouble.name == "platform restart" else FailureReason.TIMEOUT_CONNECT
        why = _column(self.why)
        why[trouble.cameras[why[trouble.cameras] == _UP]] = 1 + _NUMBER[reason]

    def _trouble_ends(self, number: int, at_ns: int) -> None:
        """Its cameras are back, but for those that another trouble still holds, and those that never answer."""
        back = self.troubles[number].cameras
        for other in self.troubles:
            if other is not self.troubles[number] and other.from_ns <= at_ns < other.until_ns:
                back = np.setdiff1d(back, other.cameras)
        back = back[np.frombuffer(self._dead, dtype=np.uint8)[back] == 0]
        _column(self.why)[back] = _UP
        _column(self.reachable_since)[back] = at_ns

    def _flap_down(self, camera: int, at_ns: int) -> None:
        if not self.why[camera]:
            self.why[camera] = 1 + _NUMBER[FailureReason.TIMEOUT_KEYFRAME]
        self._at(at_ns + self._spread_ns(self._faults.flapping_down_s), _FLAP_UP, camera)

    def _flap_up(self, camera: int, at_ns: int) -> None:
        # A trouble that holds it ends it later; one that began while it was down does not see it: it is up.
        if self.why[camera] == 1 + _NUMBER[FailureReason.TIMEOUT_KEYFRAME]:
            self.why[camera] = _UP
            self.reachable_since[camera] = at_ns
        self._at(at_ns + self._spread_ns(self._faults.flapping_up_s), _FLAP_DOWN, camera)

    def _picture_bad(self, camera: int, at_ns: int) -> None:
        self.faulty[camera] = 1
        self._at(at_ns + ns(self._faults.picture_fault_s), _PICTURE_GOOD, camera)

    def _picture_good(self, camera: int, at_ns: int) -> None:
        self.faulty[camera] = 0

    def _spread_ns(self, mean_s: float) -> int:
        return round((0.5 + self._random.random()) * ns(mean_s))


_TROUBLE_BEGINS, _TROUBLE_ENDS, _FLAP_DOWN, _FLAP_UP, _PICTURE_BAD, _PICTURE_GOOD = range(6)
_HAPPENINGS = (
    Nature._trouble_begins,
    Nature._trouble_ends,
    Nature._flap_down,
    Nature._flap_up,
    Nature._picture_bad,
    Nature._picture_good,
)


def _column(column: "array[int]") -> npt.NDArray[Any]:
    return np.frombuffer(column, dtype=column.typecode)
