"""The state of the whole patrol: cameras by announced state, and the load of the machine. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """The load of the machine.

    `visits_in_flight`: visits ordered and not ended. `frames_waiting`: keyframes in the intake that wait for a worker.
    `workers_ready`: worker processes that accept keyframes. `feeders_ready`: feeder processes alive. `checks_total`:
    verdicts since the start; `checks_per_s`: verdicts per second over the last ten seconds. `period_lag_s_max`: how
    late the most overdue camera is, in seconds.
    """

    visits_in_flight: int = 0
    frames_waiting: int = 0
    workers_ready: int = 0
    feeders_ready: int = 0
    checks_total: int = 0
    checks_per_s: float = 0.0
    period_lag_s_max: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The state of the patrol, limited to what the caller may see.

    `version`: of the engine; `rules_version`: of the rules that judge. `cameras`: registered cameras;
    `cameras_enabled`: those of them that are enabled. `cameras_by_state`: number of cameras by announced state (ok,
    fault, unknown, offline, unseen). `machine`: None if the caller sees one region only. `time_zone`: IANA name, of the
    kitchens. `now_wall_ns`: the engine's clock when it answered.
    """

    version: str
    rules_version: str
    started_wall_ns: int
    cameras: int = 0
    cameras_enabled: int = 0
    cameras_by_state: Mapping[str, int] = field(default_factory=dict)
    machine: MachineStatus | None = None
    time_zone: str = ""
    now_wall_ns: int = 0
