"""What happened to a camera lately, event by event: the answer to "why did it say that?". Pure."""

from dataclasses import dataclass
from enum import StrEnum


class StoryStep(StrEnum):
    """What an event of a story is, in the order in which a visit goes through them."""

    ORDERED = "ordered"
    """The scheduler ordered a visit."""
    CONNECTED = "connected"
    """The connection to the camera was open."""
    KEYFRAME = "keyframe"
    """A whole keyframe came, by a visit or from a gateway."""
    FAILED = "failed"
    """No keyframe came, or the visit ended without saying anything of the camera."""
    DROPPED = "dropped"
    """The keyframe ended without a measurement."""
    SCORED = "scored"
    """A worker measured the picture."""
    JUDGED = "judged"
    """The visit has a verdict, and the verdict is stored."""
    ANNOUNCED = "announced"
    """What the engine stands by has changed."""
    FINDING = "finding"
    """Something happened to a finding about the camera."""
    NOTIFIED = "notified"
    """A notice about the camera was sent to an endpoint: at the first attempt, and at the last."""


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """One event.

    `at_wall_ns`: when it happened. `visit_id`: of which visit; 0 if it belongs to none. `seq`: of the verdict in the
    verdict log; 0 for events other than JUDGED and ANNOUNCED. `reason`: one word for programs: of a failure, a drop, a
    state, a codec, a step of the ledger. `detail`: the same for people, without passwords. `finding_id`: 0 unless the
    event is of a finding.
    """

    step: StoryStep
    at_wall_ns: int
    visit_id: int = 0
    seq: int = 0
    reason: str = ""
    detail: str = ""
    finding_id: int = 0


@dataclass(frozen=True, slots=True)
class CameraStory:
    """The last events of a camera, oldest first.

    `open`: the camera is not quietly ok, so what happens to it is added. `left_out`: older events that are not kept any
    more. `kept_since_wall_ns`: since when the engine has kept this story; 0 if the events come from the verdict log.
    """

    camera_id: str
    events: tuple[StoryEvent, ...] = ()
    open: bool = False
    left_out: int = 0
    kept_since_wall_ns: int = 0
