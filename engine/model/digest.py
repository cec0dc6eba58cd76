"""The digest (通报) of a region as callers of the API get it. Pure.

engine/notices/digest.py has the digest that pages and CSV files are made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from engine.model.findings import Finding, Level
from engine.model.kpi import KpiName, Rate
from engine.model.verdict import Severity


@dataclass(frozen=True, slots=True)
class DigestQuery:
    """Which digest to make.

    `region_prefix`: GB/T 2260 prefix; empty means all regions. `weekly`: of a week, Monday to Sunday, otherwise of a
    day. `day`: a day of the period; None means the last period that is over. `with_html`: render the page too, in the
    language `lang` (zh or en).
    """

    region_prefix: str = ""
    weekly: bool = True
    day: date | None = None
    with_html: bool = False
    lang: str = "zh"


@dataclass(slots=True)
class DigestTally:
    """Numbers of findings.

    `opened`, `closed`, `dismissed`: within the period. `standing`: open at its end; `overdue`, `supervised`: of those.
    """

    opened: int = 0
    closed: int = 0
    dismissed: int = 0
    standing: int = 0
    overdue: int = 0
    supervised: int = 0


@dataclass(frozen=True, slots=True)
class DigestLine:
    """A line of the league: a county, or a canteen in the digest of a county.

    `place`: None if it gets none. `code`: region code or id of the canteen. `tally`: of its findings. `points`: what it
    is ranked by (engine.kpi.ranking); None if nothing was measured.
    """

    place: int | None
    code: str
    name: str
    rates: Mapping[KpiName, Rate]
    tally: DigestTally = field(default_factory=DigestTally)
    points: float | None = None


@dataclass(frozen=True, slots=True)
class DigestReport:
    """A digest. `first`, `last`: its days, both included. `so_far`: its period is not over yet.

    `before`: the rates over as many days before; without those that have no counts. `kpi_days`: days of the period that
    have counts. `league`: its counties or canteens, the best first. `findings`: open at its end, the most urgent first;
    `left_out`: how many more there are. `html`: empty if it was not asked for.
    """

    region: str
    region_name: str
    first: date
    last: date
    timezone: str
    made_wall_ns: int
    so_far: bool
    rates: Mapping[KpiName, Rate]
    before: Mapping[KpiName, Rate]
    kpi_days: int
    league: tuple[DigestLine, ...]
    total: DigestTally
    by_severity: Mapping[Severity, DigestTally]
    by_level: Mapping[Level, DigestTally]
    findings: tuple[Finding, ...]
    left_out: int = 0
    html: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was counted or found in the period."""
        return not (self.kpi_days or self.league or self.total != DigestTally())
