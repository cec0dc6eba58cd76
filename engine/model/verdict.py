"""What the engine concludes about a camera: states, fault kinds, causes, verdicts and their place in the log. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.model.camera import CameraStream
from engine.model.keyframe import Codec
from engine.model.measurement import Scores


class State(StrEnum):
    """The conclusion of a verdict. `unknown` (the picture allows no conclusion) never counts as compliant."""

    OK = "ok"
    FAULT = "fault"
    UNKNOWN = "unknown"
    OFFLINE = "offline"


class FaultKind(StrEnum):
    """What is wrong with a picture. A verdict can have several kinds."""

    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    LOW_CONTRAST = "low_contrast"
    COVERED = "covered"
    PARTLY_COVERED = "partly_covered"
    FROZEN = "frozen"
    SIGNAL_LOSS = "signal_loss"
    MOVED = "moved"
    STEAM = "steam"
    GREASE = "grease"
    COLOUR_CAST = "colour_cast"
    NOISY = "noisy"
    SNOW = "snow"
    STRIPES = "stripes"
    CLOCK_WRONG = "clock_wrong"
    """The clock burnt into the picture is wrong, or stands. Readings find it (engine/overlay); no verdict has it."""
    NAME_WRONG = "name_wrong"
    """The name burnt into the picture is not the registry's. As CLOCK_WRONG."""


class Cause(StrEnum):
    """Why a picture is faulty, where the kind of fault leaves it open."""

    DEFOCUS = "defocus"
    MOTION = "motion"
    GREASE = "grease"
    STEAM = "steam"
    LIGHTS_OFF = "lights_off"
    OVEREXPOSURE = "overexposure"
    BACKLIGHT = "backlight"
    PICTURE_STILL = "picture_still"
    CLOCK_STILL = "clock_still"
    LOW_LIGHT = "low_light"
    UNDEREXPOSURE = "underexposure"
    DROPS = "drops"


class Severity(StrEnum):
    """How much of the kitchen can still be seen, worst first."""

    BLIND = "blind"
    """Nothing can be seen: covered, dark, no signal, frozen, or turned away."""
    IMPAIRED = "impaired"
    """Only a part can be seen, or everything badly."""
    COSMETIC = "cosmetic"
    """Everything can be seen; the fault should be mended all the same."""


class UnknownReason(StrEnum):
    """Why a picture allowed no verdict."""

    DAMAGED = "damaged"
    TOO_DARK_TO_JUDGE = "too_dark_to_judge"
    FEATURELESS = "featureless"
    DOUBTFUL = "doubtful"
    NO_PICTURE = "no_picture"
    QUARANTINED = "quarantined"
    TOO_COSTLY = "too_costly"
    """Decoding it takes, or would take, more CPU time than a picture of its size may."""


class View(StrEnum):
    """How much of a verdict a caller gets."""

    BASIC = "basic"
    """Name, times, states, kinds, causes, reason, severity and scores: what lists and maps show."""
    FULL = "full"
    """Everything, with the figures and thresholds that audit it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one visit concludes about one camera, with everything needed to audit it.

    `visit_id`: 0 if there was no visit (the host is out, or a gateway sent nothing in time). `state`, `kinds`, `cause`:
    the conclusion from this visit alone. `reason`: a FailureReason or UnknownReason value, or empty; `detail`: the same
    as a sentence. `announced`, `announced_kinds`, `announced_cause`: what the engine stands by after N of M visits
    agree; `since_wall_ns`: when the announced state began. `severity`: of the announced fault; None if there is none.
    `cause`, `announced_cause`: None if the kinds leave nothing open, or the cause is not known.

    `figures`: raw figures by name (docs/figures.md); `thresholds`: what they were compared with; `rules_version`: of
    the rules that compared them. `scores`: for people. `confidence`: 0 to 1, how far the figures lie from the
    thresholds that decided; 0.5 is on the threshold. `tiles`: where the fault shows, indices row-major from the top
    left; empty if it is everywhere. `width`, `height`: of the picture, in pixels; 0 without one. `codec`: None without
    a keyframe. `stream`: the stream that was visited.
    """

    camera_id: str
    visit_id: int
    at_wall_ns: int
    state: State
    kinds: tuple[FaultKind, ...] = ()
    reason: str = ""
    detail: str = ""
    announced: State = State.UNKNOWN
    announced_kinds: tuple[FaultKind, ...] = ()
    since_wall_ns: int = 0
    scores: Scores = Scores(None, None, None)
    figures: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    rules_version: str = ""
    width: int = 0
    height: int = 0
    codec: Codec | None = None
    cause: Cause | None = None
    announced_cause: Cause | None = None
    severity: Severity | None = None
    confidence: float = 0.0
    tiles: tuple[int, ...] = ()
    stream: CameraStream = CameraStream.MAIN


@dataclass(frozen=True, slots=True)
class PublishedVerdict:
    """A committed verdict with its place in the verdict log, and where its camera is.

    `seq`: strictly increasing in the order of commits. `changed`: the verdict changed the announced state. `region`,
    `site_id`: of the camera, as the registry has it now; empty if it has left the registry.
    """

    seq: int
    verdict: Verdict
    changed: bool = False
    region: str = ""
    site_id: str = ""


@dataclass(frozen=True, slots=True)
class LoggedVerdict:
    """A committed verdict as the verdict log stores it. Fields as in PublishedVerdict."""

    seq: int
    verdict: Verdict
    changed: bool
