"""Nouns of questions put to the engine and its answers; what serve, record, hub and the console hand each other.

Units as in engine/types.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.model.packed_verdict import Packed
from engine.model.types import Camera, State, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class CameraStatus:
    """A registry row and the last verdict on it: `latest`, None before the first visit. One that is `known` packed is
    opened when it is asked for: who sends a thousand of them on need not open them."""

    camera: Camera
    known: Verdict | Packed | None = None

    @property
    def latest(self) -> Verdict | None:
        """The last verdict."""
        known = self.known
        return known.verdict(self.camera.camera_id) if isinstance(known, Packed) else known

    def __eq__(self, other: object) -> bool:
        """Whether they say the same, packed or not."""
        return isinstance(other, CameraStatus) and (self.camera, self.latest) == (other.camera, other.latest)

    def __hash__(self) -> int:
        """Equal ones have the same camera."""
        return hash(self.camera)


class CameraOrder(StrEnum):
    """What a list is ordered by; ties by camera id."""

    NAME = "name"
    REGION = "region"
    SITE_ID = "site_id"


@dataclass(frozen=True, slots=True)
class CameraMark:
    """A place in an ordered list: a camera's id, and its value of what the list is ordered by ("" for the name)."""

    camera_id: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class CameraQuery:
    """Which cameras a list call wants. Empty fields do not filter.

    `state` filters on the announced state. `after`: the page begins behind this camera; the values are those it had
    then, so that it may be gone. `with_verdict`: without, `latest` stays None, and the page costs less.
    """

    region_prefix: str = ""
    site_id: str = ""
    state: State | None = None
    page_size: int = 100
    after: CameraMark | None = None
    order: CameraOrder = CameraOrder.NAME
    descending: bool = False
    with_verdict: bool = True


@dataclass(frozen=True, slots=True)
class CameraPage:
    """One page. `next_after`: where the next one begins, None on the last. `total`: cameras that match on all pages."""

    cameras: tuple[CameraStatus, ...]
    next_after: CameraMark | None
    total: int


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one row of an import.

    `index`: position in the request, from 0. `line`: line of the file, from 1; 0 where there is no file.
    `message`: what is wrong, what is allowed, the remedy; passwords taken out of `value` and `message`.
    """

    index: int
    column: str
    value: str
    message: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. With `problems` and without `keep_good`, the three counts are 0."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: tuple[RowProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckNowReport:
    """What became of each camera of a check-now call.

    `accepted`: these jumped the queue; `first_visit_id`: their visits have this id or a later one. `in_flight`: cameras
    that were being visited already, and the visit.
    """

    accepted: tuple[str, ...] = ()
    in_flight: Mapping[str, int] = field(default_factory=dict)
    unknown_ids: tuple[str, ...] = ()
    not_visited_ids: tuple[str, ...] = ()
    paused_ids: tuple[str, ...] = ()
    first_visit_id: int = 0


@dataclass(frozen=True, slots=True)
class CheckNowCounts:
    """The same in figures. `not_visited`: disabled, pushed, paused, or not known."""

    accepted: int = 0
    already_in_flight: int = 0
    not_visited: int = 0


@dataclass(frozen=True, slots=True)
class VerdictNews:
    """A verdict that was committed, with its place in the log. `region`, `site_id`: of its camera, as the registry has
    it now; empty where it is gone. `changed`: the announced state was news.
    """

    seq: int
    verdict: Verdict
    changed: bool = False
    region: str = ""
    site_id: str = ""


@dataclass(frozen=True, slots=True)
class RenderedPicture:
    """A keyframe in full quality as JPEG, with the visit it came from."""

    jpeg: bytes
    width: int
    height: int
    visit_id: int = 0
    arrival_wall_ns: int = 0


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


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One key that differs, passwords taken out. `hot`: taken while the engine runs; else it needs a restart."""

    key: str
    old: str
    new: str
    hot: bool


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """What a reload did or would do. `revision`: of the settings now in force. `applied`: whether anything changed.

    `warnings`: usable, but not what the operator will want (caps that cannot carry the periods, hours that never come,
    keys that wait for a restart).
    """

    revision: str
    changes: tuple[ConfigChange, ...] = ()
    warnings: tuple[str, ...] = ()
    applied: bool = False


@dataclass(frozen=True, slots=True)
class LoggedVerdict:
    """A verdict with its place in the order of commits. `changed`: the announced state was news."""

    seq: int
    verdict: Verdict
    changed: bool
