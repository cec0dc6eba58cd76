"""Defines the classes of cameras, with the period and the weight of each. Pure."""

from enum import IntEnum

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.model.camera import KeyPoint
from engine.model.verdict import State
from engine.model.visit import FailureReason


class CameraClass(IntEnum):
    """The class of a camera, one at a time. The first two are base classes, which the registry decides; the others
    depend on the camera's last visit.
    """

    KEY_POINT = 0
    ORDINARY = 1
    SUSPICIOUS = 2
    OFFLINE = 3

    @property
    def label(self) -> str:
        """The name used in metrics, replies and tables."""
        return self.name.lower()


CLASSES = tuple(CameraClass)
REASONS = tuple(FailureReason)
"""Failure reasons by the number that the table stores."""


def base_class(key_point: KeyPoint, required: bool, settings: SchedulerSettings) -> CameraClass:
    """Return the class of a camera whose last visit left nothing open."""
    return CameraClass.KEY_POINT if required or key_point in settings.key_points else CameraClass.ORDINARY


def periods_ns(settings: SchedulerSettings) -> list[int]:
    """Return the configured period of each class; offline cameras have none of their own, they back off."""
    return [
        ns(settings.key_period_s),
        ns(settings.ordinary_period_s),
        ns(settings.suspicious_period_s),
        ns(settings.backoff_max_s),
    ]


def weights(settings: SchedulerSettings) -> list[float]:
    """Return the share of contested slots of each class."""
    return [settings.key_weight, settings.ordinary_weight, settings.suspicious_weight, settings.offline_weight]


def is_suspicious(state: State, announced: State) -> bool:
    """Return whether a verdict disagrees with the announced state: the picture shows a fault or cannot be judged and
    that is not what is announced, or the picture is good while a fault is announced. Once the two agree, the camera
    returns to its base class.
    """
    if state == State.OK:
        return announced == State.FAULT
    return state in (State.FAULT, State.UNKNOWN) and announced != state
