"""Nouns of spot checks: what is drawn from, what shall be drawn, and what was."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.model.camera import SiteKind
from engine.model.visit import CheckNowCounts

SPOT_CHECK_SITES_MAX = 20_000
"""Canteens that one spot check draws at most; more than a province has."""


@dataclass(frozen=True, slots=True)
class Canteen:
    """A canteen that a spot check may draw: its enabled cameras taken together.

    `site_id`: where the registry has none, region and name (`130102/第一中学食堂`). `county`: as its cameras' region.
    `findings`: cameras whose announced state is fault; `past_findings`: the same when it was last drawn. `round`: of
    its stratum when it was last drawn; 0 if it never was.
    """

    site_id: str
    site_name: str = ""
    county: str = ""
    kind: SiteKind = SiteKind.OTHER
    findings: int = 0
    past_findings: int = 0
    round: int = 0


@dataclass(frozen=True, slots=True)
class DrawnCanteen:
    """A canteen that was drawn, from the stratum of `county`, `kind` and `with_findings`, in this `round` of it."""

    site_id: str
    site_name: str
    county: str
    kind: SiteKind
    with_findings: bool
    findings: int
    round: int


@dataclass(frozen=True, slots=True)
class StratumShare:
    """What a stratum gave to a draw. `left_in_round`: canteens not drawn yet in its latest round, after this draw."""

    county: str
    kind: SiteKind
    with_findings: bool
    canteens: int
    drawn: int
    round: int
    left_in_round: int


@dataclass(frozen=True, slots=True)
class SpotCheckOrder:
    """What a spot check shall draw. `size` 0: as configured; `seed` None: one that nobody knows beforehand.

    `dry_run`: nothing is remembered. `check_now`: the cameras of the canteens drawn are visited at once.
    """

    size: int = 0
    seed: int | None = None
    region_prefix: str = ""
    dry_run: bool = False
    check_now: bool = False


@dataclass(frozen=True, slots=True)
class SpotCheckHeader:
    """A draw without its canteens. `draw_id`: 1, 2, ...; 0 of a dry run. `size`: asked for, `drawn`: had.

    `canteens`: there were to draw from. With the same registry, findings and earlier draws, `size`, `seed`,
    `region_prefix` and `findings_weight` give the same draw.
    """

    draw_id: int
    at_wall_ns: int
    size: int
    seed: int
    region_prefix: str
    findings_weight: float
    canteens: int
    drawn: int


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """A draw. `left_out`: cameras that count for no canteen, by reason: disabled, no_site."""

    header: SpotCheckHeader
    strata: tuple[StratumShare, ...]
    drawn: tuple[DrawnCanteen, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpotCheckReport:
    """A draw, and what became of its cameras if they were to be visited."""

    spot_check: SpotCheck
    check_now: CheckNowCounts | None = None
