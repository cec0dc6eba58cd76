"""The result of a rehearsal: how the patrol would go with a configuration. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECTIONS = ("scheduler", "feed", "intake", "worker", "judge")
"""The sections of the configuration that a rehearsal depends on; none has secrets."""


@dataclass(frozen=True, slots=True)
class RehearsalClass:
    """How a class of cameras fared. `coverage`: share of the due periods with a visit, 0 to 1; None: none were due.
    Lags in s, after the first round."""

    camera_class: str
    visits: int
    coverage: float | None
    lag_s_p50: float
    lag_s_p99: float
    lag_s_max: float


@dataclass(frozen=True, slots=True)
class RehearsalPoint:
    """One step. `hour`: its beginning, from the start. Lags in s of the visits that began in it; None: none did.
    `visits_in_flight`: the most at once."""

    hour: float
    lag_s_p50: float | None
    lag_s_p99: float | None
    visits_in_flight: int


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The result. `revision`: of the settings. `notes`: sentences on what else matters. `promises_held`: no promise was
    broken, and something was due."""

    revision: str
    cameras: int
    hours: float
    start_wall_ns: int
    visits: int
    visits_in_flight_max: int
    classes: tuple[RehearsalClass, ...]
    timeline: tuple[RehearsalPoint, ...]
    broken_promises: tuple[str, ...]
    notes: tuple[str, ...]
    promises_held: bool


@dataclass(frozen=True, slots=True)
class RehearsalUpdate:
    """How far a rehearsal is. `progress`: share of the virtual time, 0 to 1. `result`: only in the last update."""

    progress: float
    result: Rehearsal | None = None


def rehearsal_of(tree: Mapping[str, Any]) -> Rehearsal:
    """Return the result in what JSON makes of it."""
    parts = {
        "classes": tuple(RehearsalClass(**row) for row in tree["classes"]),
        "timeline": tuple(RehearsalPoint(**row) for row in tree["timeline"]),
        "broken_promises": tuple(tree["broken_promises"]),
        "notes": tuple(tree["notes"]),
    }
    return Rehearsal(**{**tree, **parts})
