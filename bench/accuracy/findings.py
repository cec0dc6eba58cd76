"""The raw results of a run as values: pictures, episodes, good days, greasings, examples for the report, recordings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.accuracy.camera import Rig
from bench.accuracy.tuning.recording import Recording
from engine.model.keyframe import Codec
from engine.model.picture import TileMap
from engine.model.verdict import Verdict

FALSE_ALARM, NEAR, MISS, WRONG_FILE, HIT = "false alarm", "near", "miss", "wrong file", "hit"
GROUPS: Final = (FALSE_ALARM, NEAR, MISS, WRONG_FILE, HIT)
"""A fault announced of a good camera; a good visit near to one; a missed fault; a file answered wrongly; a found
fault."""


@dataclass(frozen=True, slots=True)
class Shot:
    """The sharpness figures of one picture; `kind` is good, defocus or motion. Of every figure more is sharper.

    `sharpness`: the engine's score; `relative`: against the camera's baseline; `uncorrected`: the score without the
    noise correction; None if there is none. `peers`: the figures of other methods, by name.
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
    """A damage over M visits, and what was announced after them.

    `state`, `name`, `hit`: with the camera's baseline; `alone_*`: without one. `counted`: strong enough to count in the
    hit rates. `visits`: visits until the right kind was announced, 0 if it never was. `kind_figure`: the engine's
    figure for this kind on the last visit, more is worse; None if there is none.
    """

    rig: Rig
    kind: str
    truth: str
    strength: float
    detail: str
    counted: bool
    state: str
    name: str
    hit: bool
    visits: int
    alone_state: str
    alone_name: str
    alone_hit: bool
    kind_figure: float | None


@dataclass(frozen=True, slots=True)
class Day:
    """A good day of one camera. `unknown`, `faults`: number of visits with that answer; `announced`: the fault that was
    announced, or empty.

    `alone_faults`, `alone_unknown`: the same for single pictures without a baseline. `kind_figures`: the figures that
    show a kind, per visit and by kind.
    """

    rig: Rig
    visits: int
    unknown: int
    faults: int
    announced: str
    alone_unknown: int
    alone_faults: int
    kind_figures: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Greasing:
    """`announced_day`: when a camera greased by 1/30 a day was announced; `one_shot`: the least strength, in 30ths,
    that is announced when it comes at once. None if never."""

    rig: Rig
    announced_day: int | None
    announced_as: str
    one_shot: int | None
    one_shot_as: str


@dataclass(frozen=True, slots=True)
class Example:
    """A picture for the report. `group`: of GROUPS; `kind`: the true kind. `badness`: orders those of a group, the
    worst have the most."""

    group: str
    kind: str
    title: str
    codec: Codec
    payload: bytes
    tiles: TileMap | None
    verdict: Verdict
    badness: float = 0.0


@dataclass(slots=True)
class Findings:
    """All results of one camera, or of a run."""

    shots: list[Shot] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    greasings: list[Greasing] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)
