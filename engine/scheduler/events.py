"""Defines the events that the scheduler receives and the actions it answers with. Plain values; times are monotonic
nanoseconds.

Those that occur once a visit, or once a camera at a start, are tuples: building one takes a third of the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import CameraStream, KeyPoint
from engine.model.schedule import Pause, PauseScope, SetAsideReason
from engine.model.verdict import State
from engine.model.visit import CheckNowReport, FailureReason
from engine.scheduler.classes import CameraClass


class CameraPlan(NamedTuple):
    """What the scheduler needs to know of a camera.

    `uplink`: the recorder it hangs on, `host`: its platform; connections to both are capped, an empty name is not.
    `push`: a gateway sends its keyframes; it is never visited, but reported if nothing arrives. `demux`: FFmpeg visits
    it, not our own RTSP client; this matters only where capacities are compared. `sub`: it has a sub-stream.
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
    sub: bool = False


@dataclass(frozen=True, slots=True)
class CamerasUpserted:
    """Cameras are new or changed."""

    cameras: Sequence[CameraPlan]


@dataclass(frozen=True, slots=True)
class CamerasRemoved:
    """Cameras left the registry; visits under way end as usual."""

    camera_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of next_wakeup_ns() has come."""


class VisitEnded(NamedTuple):
    """A visit is over: with a keyframe (`failure` None) or with a reason. Unknown ids are ignored."""

    visit_id: int
    failure: FailureReason | None


class Judged(NamedTuple):
    """The judge gave its verdict on a picture: the state of this visit, and the announced state.

    `stream`: of the picture. `main_next`: the judge wants the camera's next picture from the main stream, and with
    `main_soon` does not wait a period for it. Both are False for a camera without a sub-stream.
    """

    camera_id: str
    state: State
    announced: State
    stream: CameraStream = CameraStream.MAIN
    main_next: bool = False
    main_soon: bool = False


@dataclass(frozen=True, slots=True)
class PushArrived:
    """A gateway pushed a keyframe of this camera."""

    camera_id: str


@dataclass(frozen=True, slots=True)
class CheckNow:
    """Visit these before all others, within the caps. Answered by CheckNowAnswered."""

    camera_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class CapacityChanged:
    """How many visits may be in flight now: what the feeders can carry and the intake can hold."""

    visits_max: int


@dataclass(frozen=True, slots=True)
class HostLimitsChanged:
    """The most visits at once on platforms that other shards visit too, by name; 0: none for now. They come beside the
    caps of the settings, in place of all limits before."""

    limits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """New settings and calendar; visits under way go on."""

    settings: SchedulerSettings
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class WallClock:
    """Wall clock minus monotonic clock. Only windows depend on it: a jump moves them and nothing else."""

    offset_ns: int


@dataclass(frozen=True, slots=True)
class PatrolPaused:
    """Do not visit the cameras of a scope until the pause ends or somebody resumes it; visits under way go on."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class PatrolResumed:
    """Somebody ends a pause; a scope that is not paused is ignored."""

    scope: PauseScope


Event = (
    CamerasUpserted
    | CamerasRemoved
    | Tick
    | VisitEnded
    | Judged
    | PushArrived
    | CheckNow
    | CapacityChanged
    | HostLimitsChanged
    | SettingsChanged
    | WallClock
    | PatrolPaused
    | PatrolResumed
)


class StartVisit(NamedTuple):
    """Visit this camera; a VisitEnded with this id is expected before `deadline_ns`. `lag_ns`: how late it begins.
    `stream`: SUB only for a camera that has a sub-stream.
    """

    visit_id: int
    camera_id: str
    deadline_ns: int
    camera_class: CameraClass
    lag_ns: int
    stream: CameraStream = CameraStream.MAIN


@dataclass(frozen=True, slots=True)
class VisitExpired:
    """No VisitEnded came in time: the visit counts as ended (internal), and a late answer is ignored."""

    visit_id: int
    camera_id: str


@dataclass(frozen=True, slots=True)
class PresumedOffline:
    """The camera was due while its platform is in an outage: it counts as offline for this reason, without a visit."""

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
class SubStreamSetAside:
    """A sub-stream is not visited for a while: the next `visits` visits of its camera are on the main stream."""

    camera_id: str
    reason: SetAsideReason
    visits: int


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """A pause reached its end, or somebody resumed it."""

    pause: Pause


Action = (
    StartVisit
    | VisitExpired
    | PresumedOffline
    | PushMissing
    | OutageBegan
    | OutageEnded
    | CheckNowAnswered
    | PauseEnded
    | SubStreamSetAside
)
