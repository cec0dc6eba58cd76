"""How the patrol goes as a whole: cameras by state, and the load of the machine. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """How the whole patrol goes."""

    visits_in_flight: int = 0
    frames_waiting: int = 0
    workers_ready: int = 0
    feeders_ready: int = 0
    checks_total: int = 0
    checks_per_s: float = 0.0
    period_lag_s_max: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """How the patrol goes. `cameras_by_state`: announced state (ok, fault, unknown, offline, unseen) to count.

    `machine`: None for a caller who sees one region only.
    """

    version: str
    rules_version: str
    started_wall_ns: int
    cameras: int = 0
    cameras_enabled: int = 0
    cameras_by_state: Mapping[str, int] = field(default_factory=dict)
    machine: MachineStatus | None = None
