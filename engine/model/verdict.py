"""What the engine says of a camera: states, kinds of fault, causes, verdicts and their place in the log. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.model.keyframe import Codec
from engine.model.measurement import Scores


class State(StrEnum):
    """What a verdict says. `unknown` never counts as compliant."""

    OK = "ok"
    FAULT = "fault"
    UNKNOWN = "unknown"
    OFFLINE = "offline"


class FaultKind(StrEnum):
    """What is wrong with a picture. One verdict can carry several."""

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


class Cause(StrEnum):
    """Why a picture is as it is, where the kind of fault leaves it open."""

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


class Severity(StrEnum):
    """How much a fault takes from whoever watches the kitchen."""

    BLIND = "blind"
    """Nothing can be seen: covered, dark, no signal, frozen, turned away."""
    IMPAIRED = "impaired"
    """Part of it, or all of it badly."""
    COSMETIC = "cosmetic"
    """It can be seen, and should be mended."""


class UnknownReason(StrEnum):
    """Why a picture was not judged."""

    DAMAGED = "damaged"
    TOO_DARK_TO_JUDGE = "too_dark_to_judge"
    FEATURELESS = "featureless"
    DOUBTFUL = "doubtful"
    NO_PICTURE = "no_picture"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one visit says of one camera, with what it takes to audit it.

    `state` is this visit's own answer. `announced` is what the engine stands by after N of M; `since_wall_ns` is when
    the announced state began. `reason` is a FailureReason or UnknownReason value, or empty. `cause`, `announced_cause`:
    why, where the kinds leave it open. `severity`: of the announced fault. `confidence`: 0..1, how far this visit's
    figures lie from the thresholds that decided; 0.5 is on the threshold. `tiles`: those where the fault shows, indices
    row-major from the top left; empty where it is everywhere. `thresholds` are those that were compared with
    `figures`; `rules_version` names the rules.
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


@dataclass(frozen=True, slots=True)
class PublishedVerdict:
    """A verdict that was committed, with its place in the log. `region`, `site_id`: of its camera, as the registry has
    it now; empty where it is gone. `changed`: the announced state was news.
    """

    seq: int
    verdict: Verdict
    changed: bool = False
    region: str = ""
    site_id: str = ""


@dataclass(frozen=True, slots=True)
class LoggedVerdict:
    """A verdict with its place in the order of commits. `changed`: the announced state was news."""

    seq: int
    verdict: Verdict
    changed: bool
