"""The state of the scheduler as operators see it: classes, platforms, pauses, the plan of one camera. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PauseKind(StrEnum):
    """What a pause selects its cameras by."""

    REGION = "region"
    """Cameras whose region has this prefix; an empty prefix selects all cameras."""
    UPLINK = "uplink"
    """Cameras that hang on this recorder or platform."""
    HOST = "host"
    """Cameras with this host in their URL."""
    CAMERA = "camera"
    """One camera, by its id."""


class StreamPolicy(StrEnum):
    """Which of a camera's streams is visited, if it has two."""

    MAIN = "main"
    """The main stream."""
    SUB = "sub"
    """The sub-stream, except for visits that have something to prove."""
    SUB_WITH_MAIN = "sub_with_main"
    """As SUB, and one visit in `scheduler.main_every` on the main stream."""


class SetAsideReason(StrEnum):
    """Why a sub-stream is not visited for a while."""

    FAILED = "failed"
    """It brought no keyframe, and the main stream did."""
    CONTRADICTED = "contradicted"
    """It showed what the main stream did not."""


@dataclass(frozen=True, slots=True)
class PauseScope:
    """The cameras that a pause applies to. `value`: region prefix, uplink, host or camera id, according to `kind`."""

    kind: PauseKind
    value: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Cameras that are not visited for a while because a person says so.

    `reason`, `who`: text for people. `until_wall_ns`: when the pause ends; 0 means when somebody resumes the cameras.
    """

    scope: PauseScope
    reason: str
    who: str
    since_wall_ns: int
    until_wall_ns: int = 0


@dataclass(frozen=True, slots=True)
class PauseStatus:
    """A pause, and the number of cameras it applies to now."""

    pause: Pause
    cameras: int


@dataclass(frozen=True, slots=True)
class ClassStatus:
    """One class of cameras (key_point, ordinary, suspicious or offline).

    `cameras`: in the class now. `period_s`: as configured. `stretch`: factor by which the period is lengthened because
    the machine cannot keep it; 1 if it can. `achieved_period_s`: mean gap between recent visits; 0 before there are
    any. `looks_total`: visits since the start. `coverage`: periods with a visit / periods due, since the start; 1 while
    `periods_due` is 0. `lag_p50_s`, `lag_p99_s`: median and 99th percentile of how late visits began, over the last two
    minutes. `periods_due`: since the start; 0 if none has come yet, or if the class has no periods of its own.
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
    """One platform: a host that serves cameras.

    `in_flight`: visits under way; `cap`: the most that may be. `waiting`: cameras that are due and wait for a free
    connection. `out`: the host is in an outage, its cameras fail together.
    """

    name: str
    in_flight: int
    cap: int
    waiting: int
    out: bool


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """How well the patrol keeps its periods.

    Cameras now: `cameras`: known to the scheduler. `in_flight`: being visited. `ready`: wait for a free slot.
    `waiting_uplink`, `waiting_host`: wait for their recorder or platform. `lag_s_max`: how late the most overdue camera
    is, in seconds. `failing`: cameras whose last visit failed, by reason.

    Totals since the start: `started_total`, `ended_total`: visits begun and ended. `expired_total`: visits that no
    feeder answered. `presumed_total`: cameras counted as offline without a visit, because their host was out. `shed`:
    periods that passed without a visit, by what the camera waited for.

    Rates in visits per second: `demand_per_s`: what the configured periods require. `capacity_per_s`: what this machine
    was measured to carry; 0 if it has always been enough. `starts_per_s`: begun, over the last 10 to 20 s;
    `starts_per_s_max`: the cap on it.

    Limits: `visits_max`: the configured cap on visits in flight; `visits_allowed`: what the feeders' capacity and the
    room in the intake leave of it. `uplinks`, `hosts`: number of recorders and platforms; `uplinks_busy`: recorders
    with a visit in flight.

    Lists: `classes`; `county_lags`: longest lag in seconds over the last two minutes, worst counties first; `outages`:
    hosts that are out; `busy_hosts`: hosts with the most cameras waiting, then with the most visits in flight;
    `pauses`.
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
    """When a camera is due, and why.

    `kind`: its class (key_point, ordinary, suspicious, offline), or push. `place`: its state in the scheduler (idle,
    due, ready, uplink, host, flight). `due_in_s`: negative if it is overdue. `period_s`: as configured; `stretch`: the
    factor by which it is lengthened. `failures`: recent failures, as back-off counts them. `last_reason`: of the last
    visit if it failed; otherwise empty. `last_visit_ago_s`, `last_keyframe_ago_s`: None if there was none.
    `window_open`: whether its kitchen works now. `because`: sentences for people, the deciding one first.
    `window_opens_wall_ns`: when its kitchen works next; 0 if it works now, or never. `timezone`: of its hours, like
    Asia/Shanghai.
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
