"""Types of spot checks (抽查): the canteens to draw from, the request, and the draw. Pure.

A stratum is the canteens of one county and one kind of school, with or without earlier findings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.model.camera import SiteKind
from engine.model.visit import CheckNowCounts

SPOT_CHECK_SITES_MAX = 20_000
"""Most canteens that one spot check draws; more than a province has."""


@dataclass(frozen=True, slots=True)
class Canteen:
    """A canteen that a spot check may draw: its enabled cameras taken together.

    `site_id`: as in the registry; if that has none, region and name (`130102/第一中学食堂`). `county`: region of its
    cameras. `kind`: of school. `findings`: number of its cameras whose announced state is fault; `past_findings`: the
    same number when it was last drawn. `round`: the round of its stratum in which it was last drawn; 0 if never.
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
    """A canteen that was drawn.

    `county`, `kind`, `with_findings`: its stratum. `findings`: number of its cameras whose announced state was fault.
    `round`: of the stratum; no canteen is drawn twice in one round.
    """

    site_id: str
    site_name: str
    county: str
    kind: SiteKind
    with_findings: bool
    findings: int
    round: int


@dataclass(frozen=True, slots=True)
class StratumShare:
    """The part of a draw that came from one stratum.

    `canteens`: in the stratum. `drawn`: number drawn. `round`: its latest round; numbers may skip. `left_in_round`:
    canteens not yet drawn in that round, after this draw.
    """

    county: str
    kind: SiteKind
    with_findings: bool
    canteens: int
    drawn: int
    round: int
    left_in_round: int


@dataclass(frozen=True, slots=True)
class SpotCheckOrder:
    """A request for a spot check.

    `size`: canteens to draw; 0 means as configured. `seed`: None means a random one that nobody knows beforehand.
    `region_prefix`: GB/T 2260 prefix; empty draws from everywhere. `dry_run`: do not store the draw. `check_now`: visit
    the cameras of the canteens drawn at once, within the caps.
    """

    size: int = 0
    seed: int | None = None
    region_prefix: str = ""
    dry_run: bool = False
    check_now: bool = False


@dataclass(frozen=True, slots=True)
class SpotCheckHeader:
    """A draw without its canteens.

    `draw_id`: 1, 2, ...; 0 for a dry run. `at_wall_ns`: when it was drawn. `size`: canteens requested; `drawn`:
    canteens drawn, fewer if there are not so many. `findings_weight`: `scheduler.spot_findings_weight` at the time.
    `canteens`: number of canteens to draw from. With the same registry, findings and earlier draws, the same `size`,
    `seed`, `region_prefix` and `findings_weight` give the same draw.
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
    """A draw. `left_out`: number of cameras that count for no canteen, by reason: disabled, no_site."""

    header: SpotCheckHeader
    strata: tuple[StratumShare, ...]
    drawn: tuple[DrawnCanteen, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpotCheckReport:
    """A draw, and what became of its cameras; `check_now` is None if they were not to be visited."""

    spot_check: SpotCheck
    check_now: CheckNowCounts | None = None
