"""What the scheduler is told, and what it answers. Plain values; times are monotonic nanoseconds.

Those that come once a visit, or of every camera at a start, are tuples: they are made in a third of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import KeyPoint
from engine.model.schedule import Pause, PauseScope
from engine.model.verdict import State
from engine.model.visit import CheckNowReport, FailureReason
from engine.scheduler.classes import CameraClass


class CameraPlan(NamedTuple):
    """What the scheduler needs to know of a camera.

    `uplink`: the recorder it hangs on, `host`: the platform; connections to both are capped, an empty name is not.
    `push`: a gateway sends its keyframes; it is never visited, but missed. `demux`: FFmpeg visits it, not our own RTSP
    client; it matters where capacities are compared only.
    """

    camera_id: str
    uplink: str
    host: str = ""
    county: str = ""
    site_id: str = ""
    hours: str = ""
    key_point: KeyPoint = KeyPoint.OTHER
    required: bool = False
    enabled: bool = True
    push: bool = False
    demux: bool = False


@dataclass(frozen=True, slots=True)
class CamerasPut:
    """Cameras are new or changed."""

    cameras: Sequence[CameraPlan]


@dataclass(frozen=True, slots=True)
class CamerasRemoved:
    """Cameras left the registry; visits under way end as usual."""

    camera_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has come to next_wakeup_ns()."""


class VisitEnded(NamedTuple):
    """A visit is over: with a keyframe (`failure` None) or with a reason. Unknown ids are passed over."""

    visit_id: int
    failure: FailureReason | None


class Judged(NamedTuple):
    """The judge has spoken on a picture: what this visit saw, and what the engine stands by."""

    camera_id: str
    state: State
    announced: State


@dataclass(frozen=True, slots=True)
class Arrived:
    """A gateway pushed a keyframe of this camera."""

    camera_id: str


@dataclass(frozen=True, slots=True)
class CheckNow:
    """Visit these before all others, within the caps. Answered by CheckNowAnswered."""

    camera_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class CapacityChanged:
    """How many visits may be in flight now: what feeders can carry and the intake can take."""

    visits_max: int


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """New settings and calendar; what is under way goes on."""

    settings: SchedulerSettings
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class WallClock:
    """The wall clock stands at monotonic time plus this. Only windows use it: a jump moves them and nothing else."""

    offset_ns: int


@dataclass(frozen=True, slots=True)
class PatrolPaused:
    """Cameras of a scope are not visited until it is resumed, or the end of the pause comes; visits under way go on."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class PatrolResumed:
    """Somebody ends a pause; a scope that is not paused is passed over."""

    scope: PauseScope


Event = (
    CamerasPut
    | CamerasRemoved
    | Tick
    | VisitEnded
    | Judged
    | Arrived
    | CheckNow
    | CapacityChanged
    | SettingsChanged
    | WallClock
    | PatrolPaused
    | PatrolResumed
)


class StartVisit(NamedTuple):
    """Visit this camera; the answer is a VisitEnded with this id before `deadline_ns`. `lag_ns`: how late it begins."""

    visit_id: int
    camera_id: str
    deadline_ns: int
    kind: CameraClass
    lag_ns: int


@dataclass(frozen=True, slots=True)
class VisitExpired:
    """No VisitEnded came in time: the visit counts as ended (internal), its answer will not be waited for."""

    visit_id: int
    camera_id: str


@dataclass(frozen=True, slots=True)
class Presumed:
    """The camera was due, and its platform is out: it counts as offline for this reason without a visit."""

    camera_id: str
    host: str
    reason: FailureReason


@dataclass(frozen=True, slots=True)
class PushMissing:
    """No gateway has sent a keyframe of this camera for its period."""

    camera_id: str
    period_s: float


@dataclass(frozen=True, slots=True)
class OutageBegan:
    """A platform's cameras fail together: one of them probes it, the others wait."""

    host: str
    cameras: int


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """A camera of the platform answered."""

    host: str


@dataclass(frozen=True, slots=True)
class CheckNowAnswered:
    """What became of each camera of a CheckNow."""

    report: CheckNowReport


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """Its end has come, or somebody resumed it."""

    pause: Pause


Action = StartVisit | VisitExpired | Presumed | PushMissing | OutageBegan | OutageEnded | CheckNowAnswered | PauseEnded
