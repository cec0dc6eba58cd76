"""Which faults are injected when. Pure: a seed gives the same plan each time."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Deed(StrEnum):
    """What is done to the engine."""

    KILL = "kill"
    FREEZE = "freeze"
    FLOOD_FRAMES = "flood_frames"
    FLOOD_CALLS = "flood_calls"
    CHANGE_REGISTRY = "change_registry"
    STARVE = "starve"


ROLES = ("worker", "feeder", "demuxer", "hub", "web")
"""Processes that are killed and frozen."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at_s`: seconds after the start. `role`: of the process, for KILL and FREEZE."""

    at_s: float
    deed: Deed
    role: str = ""

    @property
    def name(self) -> str:
        """What tables call it: `kill worker`."""
        return f"{self.deed.value.replace('_', ' ')} {self.role}".strip()


def plan(seconds: float, seed: int, gap_s: float) -> list[Fault]:
    """Return faults about `gap_s` apart, every kind once before any comes again; none in the first and last `gap_s`."""
    chance = random.Random(seed)
    kinds = [
        *[(Deed.KILL, role) for role in ROLES],
        *[(Deed.FREEZE, role) for role in ROLES],
        *[(deed, "") for deed in Deed if deed not in (Deed.KILL, Deed.FREEZE)],
    ]
    faults: list[Fault] = []
    at_s = gap_s
    while True:
        chance.shuffle(kinds)
        for deed, role in kinds:
            if at_s > seconds - gap_s:
                return faults
            faults.append(Fault(round(at_s, 3), deed, role))
            at_s += gap_s * chance.uniform(0.7, 1.3)
