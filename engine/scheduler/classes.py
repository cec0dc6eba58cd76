"""What class a camera is in, and what follows from it. Pure."""

from enum import IntEnum

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.model.camera import KeyPoint
from engine.model.verdict import State
from engine.model.visit import FailureReason


class CameraClass(IntEnum):
    """A camera is in one at a time. The first two are what it is by nature, the others what its last visit made it."""

    KEY_POINT = 0
    ORDINARY = 1
    SUSPICIOUS = 2
    OFFLINE = 3

    @property
    def word(self) -> str:
        """As metrics, replies and tables say it."""
        return self.name.lower()


CLASSES = tuple(CameraClass)
REASONS = tuple(FailureReason)
"""By the number that the table keeps."""


def base_class(key_point: KeyPoint, required: bool, settings: SchedulerSettings) -> CameraClass:
    """What a camera is by nature."""
    return CameraClass.KEY_POINT if required or key_point in settings.key_points else CameraClass.ORDINARY


def periods_ns(settings: SchedulerSettings) -> list[int]:
    """The configured period of each class; the offline have none of their own, they back off."""
    return [
        ns(settings.key_period_s),
        ns(settings.ordinary_period_s),
        ns(settings.suspicious_period_s),
        ns(settings.backoff_max_s),
    ]


def weights(settings: SchedulerSettings) -> list[float]:
    """The share of contested slots of each class."""
    return [settings.key_weight, settings.ordinary_weight, settings.suspicious_weight, settings.offline_weight]


def is_suspicious(state: State, announced: State) -> bool:
    """Whether a look leaves a doubt: it saw a fault, or nothing to judge, that is not what the engine stands by; or it
    saw a picture in order where a fault stands announced. Settled either way, the camera goes back to its class.
    """
    if state == State.OK:
        return announced == State.FAULT
    return state in (State.FAULT, State.UNKNOWN) and announced != state
