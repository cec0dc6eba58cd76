"""What a run finds, as values: pictures, episodes, good days, greasings, and examples for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.accuracy.camera import Rig
from engine.model.keyframe import Codec
from engine.model.picture import TileMap
from engine.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture's figures of sharpness; `kind` is good, defocus or motion. Of all of them more is sharper.

    `sharpness`: the engine's score; `relative`: against the camera's own past; `uncorrected`: the score without the
    correction for noise. None where there is none.
    """

    rig: Rig
    kind: str
    strength: float
    sharpness: float | None
    relative: float | None
    uncorrected: float | None
    peers: dict[str, float]


@dataclass(frozen=True, slots=True)
class Episode:
    """A damage over M visits, and what was announced in the end.

    `state`, `named`, `hit`: with the camera's memory; `alone_*`: without one. `counted`: strong enough to be asked for.
    `visits`: visits until the right kind was announced, 0 if it never was. `evidence`: the engine's figure for this
    kind on the last visit, more is worse.
    """

    rig: Rig
    kind: str
    truth: str
    strength: float
    detail: str
    counted: bool
    state: str
    named: str
    hit: bool
    visits: int
    alone_state: str
    alone_named: str
    alone_hit: bool
    evidence: float | None


@dataclass(frozen=True, slots=True)
class Day:
    """A good day of one camera. `unknown`, `faults`: visits so answered; `announced`: the fault announced, or empty.

    `alone_faults`, `alone_unknown`: the same of single pictures without a memory. `evidence`: by visit and kind.
    """

    rig: Rig
    visits: int
    unknown: int
    faults: int
    announced: str
    alone_unknown: int
    alone_faults: int
    evidence: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Greasing:
    """`announced_day`: of a camera greased by 1/30 a day; `one_shot`: the least strength, in 30ths, that is announced
    when it comes at once. None: never."""

    rig: Rig
    announced_day: int | None
    announced_as: str
    one_shot: int | None
    one_shot_as: str


@dataclass(frozen=True, slots=True)
class Example:
    """A picture for the report. `group`: hit, miss or false alarm; `kind`: the truth."""

    group: str
    kind: str
    title: str
    codec: Codec
    payload: bytes
    tiles: TileMap | None
    verdict: Verdict


@dataclass(slots=True)
class Findings:
    """All that one camera gave."""

    shots: list[Shot] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    greasings: list[Greasing] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
