"""What the scheduler is told, and what it answers. Plain values; times are monotonic nanoseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.config.schema import SchedulerSettings
from engine.replies import CheckNowReport
from engine.types import FailureReason


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """What the scheduler needs to know of a camera. `push`: a gateway sends its keyframes; it is never visited."""

    camera_id: str
    uplink: str
    enabled: bool = True
    push: bool = False


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


@dataclass(frozen=True, slots=True)
class VisitEnded:
    """A visit is over: with a keyframe (`failure` None) or with a reason. Unknown ids are passed over."""

    visit_id: int
    failure: FailureReason | None


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
    """New settings; what is under way goes on."""

    settings: SchedulerSettings


Event = CamerasPut | CamerasRemoved | Tick | VisitEnded | CheckNow | CapacityChanged | SettingsChanged


@dataclass(frozen=True, slots=True)
class StartVisit:
    """Visit this camera; the answer is a VisitEnded with this id before `deadline_ns`."""

    visit_id: int
    camera_id: str
    deadline_ns: int


@dataclass(frozen=True, slots=True)
class VisitExpired:
    """No VisitEnded came in time: the visit counts as ended (internal), its answer will not be waited for."""

    visit_id: int
    camera_id: str


@dataclass(frozen=True, slots=True)
class CheckNowAnswered:
    """What became of each camera of a CheckNow."""

    report: CheckNowReport


Action = StartVisit | VisitExpired | CheckNowAnswered
