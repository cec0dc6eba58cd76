"""The state of the schedule as operators see it: classes, platforms, pauses, the plan of one camera. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PauseKind(StrEnum):
    """What a pause goes by."""

    REGION = "region"
    """Cameras whose region has this prefix; empty is all of them."""
    UPLINK = "uplink"
    HOST = "host"
    CAMERA = "camera"


@dataclass(frozen=True, slots=True)
class PauseScope:
    """Which cameras a pause holds. `value`: region prefix, recorder, platform or camera id."""

    kind: PauseKind
    value: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Cameras that are not visited for a while. `until_wall_ns`: 0 until somebody resumes it. `who`: for people."""

    scope: PauseScope
    reason: str
    who: str
    since_wall_ns: int
    until_wall_ns: int = 0


@dataclass(frozen=True, slots=True)
class PauseStatus:
    """A pause, and how many cameras it holds now."""

    pause: Pause
    cameras: int


@dataclass(frozen=True, slots=True)
class ClassStatus:
    """One class of cameras, as the scheduler sees it.

    `coverage`: periods with a look / periods due, since the start; 1 while `periods_due` is 0. `achieved_period_s`: the
    mean gap between looks of late, 0 before there are any. `stretch`: by what its period is lengthened because the
    machine cannot keep it.
    """

    name: str
    cameras: int
    period_s: float
    stretch: float
    achieved_period_s: float
    looks_total: int
    coverage: float
    lag_p50_s: float
    lag_p99_s: float
    periods_due: int = 0


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One platform. `waiting`: cameras that are due and wait for it. `out`: its cameras fail together."""

    name: str
    in_flight: int
    cap: int
    waiting: int
    out: bool


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """How the patrol keeps its periods. `lag_s_max`: how long the most overdue camera waits for its visit.

    `shed`: periods that went by without a look, by what the camera waited for. `county_lags`: the worst first, within
    the last two minutes. `failing`: cameras whose last visit failed, by reason. `visits_allowed` is what feeders and
    intake leave of `visits_max`. `starts_per_s`: of the last 10 to 20 s. `busy_hosts`: those with most cameras waiting,
    then with most visits in flight; `uplinks_busy`: recorders with a visit in flight, of `uplinks`.
    """

    cameras: int = 0
    in_flight: int = 0
    visits_allowed: int = 0
    ready: int = 0
    waiting_uplink: int = 0
    waiting_host: int = 0
    lag_s_max: float = 0.0
    started_total: int = 0
    ended_total: int = 0
    expired_total: int = 0
    presumed_total: int = 0
    demand_per_s: float = 0.0
    capacity_per_s: float = 0.0
    classes: tuple[ClassStatus, ...] = ()
    county_lags: Mapping[str, float] = field(default_factory=dict)
    shed: Mapping[str, float] = field(default_factory=dict)
    failing: Mapping[str, int] = field(default_factory=dict)
    outages: tuple[str, ...] = ()
    visits_max: int = 0
    starts_per_s: float = 0.0
    starts_per_s_max: float = 0.0
    uplinks: int = 0
    uplinks_busy: int = 0
    hosts: int = 0
    busy_hosts: tuple[HostStatus, ...] = ()
    pauses: tuple[PauseStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraPlanReport:
    """Why a camera is due when it is. `due_in_s`: negative if it is overdue. `because`: sentences for people.

    `window_opens_wall_ns`: when its kitchen works again; 0 while it works, and if it never will. `timezone`: of its
    hours.
    """

    camera_id: str
    kind: str
    place: str
    due_in_s: float
    period_s: float
    stretch: float
    failures: int
    last_reason: str
    last_visit_ago_s: float | None
    last_keyframe_ago_s: float | None
    window_open: bool
    because: tuple[str, ...] = ()
    window_opens_wall_ns: int = 0
    timezone: str = ""
