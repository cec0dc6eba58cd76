"""The daily and weekly digest of a region: rates, the league of its counties, findings, and what is overdue. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S
from engine.errors import ConfigError
from engine.model.findings import Finding, FindingState, Level
from engine.model.kpi import KpiName, Rate
from engine.model.verdict import Severity

PROVINCE_DIGITS, COUNTY_DIGITS = 2, 6
CASES_MAX = 5000
"""Findings that a page lists; the file of the findings has all of them."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days that a digest is of, both within, in the kitchens' time zone. `name`: 2026-W47, or 2026-11-24."""

    name: str
    first: date
    last: date

    @classmethod
    def of_week(cls, text: str) -> "Period":
        """A week of ISO 8601, Monday to Sunday: 2026-W47. Raises ConfigError."""
        year, mark, week = text.upper().partition("-W")
        try:
            first = date.fromisocalendar(int(year), int(week), 1)
        except ValueError as error:
            raise ConfigError(f"--week {text!r}: is no week ({error}); give one like 2026-W47") from error
        return cls(f"{int(year):04}{mark}{int(week):02}", first, first + timedelta(days=6))

    @classmethod
    def of_day(cls, text: str) -> "Period":
        """A day: 2026-11-24. Raises ConfigError."""
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise ConfigError(f"--day {text!r}: is no day ({error}); give one like 2026-11-24") from error
        return cls(day.isoformat(), day, day)

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """As many days just before."""
        span = timedelta(days=self.days)
        return Period("", self.first - span, self.last - span)

    def wall_ns(self, timezone: str) -> tuple[int, int]:
        """From midnight to midnight, since 1970 UTC; the second is no longer within."""
        zone = ZoneInfo(timezone)
        begin = datetime.combine(self.first, time(), zone)
        end = datetime.combine(self.last + timedelta(days=1), time(), zone)
        return int(begin.timestamp()) * NS_PER_S, int(end.timestamp()) * NS_PER_S


@dataclass(frozen=True, slots=True)
class FindingSnapshot:
    """A finding as it was at the end of the period. `missed_wall_ns`: when it first missed a deadline, 0 if never."""

    finding: Finding
    missed_wall_ns: int = 0
    camera_name: str = ""

    @property
    def ended(self) -> bool:
        """Closed or dismissed."""
        return self.finding.state.ended

    @property
    def overdue(self) -> bool:
        """It has not ended, and missed a deadline: that of its level, or of one below before it was escalated."""
        return not self.ended and (self.finding.overdue or self.missed_wall_ns > 0)

    @property
    def pressing(self) -> bool:
        """Overdue or supervised: what the digest lists by name."""
        return self.overdue or (self.finding.supervised and not self.ended)


@dataclass(slots=True)
class Tally:
    """Findings counted. `opened`, `closed`, `dismissed`: within the period; the others at its end."""

    opened: int = 0
    closed: int = 0
    dismissed: int = 0
    standing: int = 0
    overdue: int = 0
    supervised: int = 0

    def count(self, case: FindingSnapshot, begin_wall_ns: int) -> None:
        """Take a finding in."""
        finding = case.finding
        self.opened += finding.opened_wall_ns >= begin_wall_ns
        ended_within = case.ended and finding.changed_wall_ns >= begin_wall_ns
        self.closed += ended_within and finding.state == FindingState.CLOSED
        self.dismissed += ended_within and finding.state == FindingState.DISMISSED
        self.standing += not case.ended
        self.overdue += case.overdue
        self.supervised += finding.supervised and not case.ended


@dataclass(frozen=True, slots=True)
class KpiLine:
    """One rate of the region, and what it was over as many days before."""

    name: KpiName
    rate: Rate
    before: Rate | None


@dataclass(frozen=True, slots=True)
class LeagueLine:
    """One line of the league: a county, or a canteen where the region is a county. `place`: None without one."""

    place: int | None
    code: str
    name: str
    rates: Mapping[KpiName, Rate]
    before: Rate | None = None
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class CountySection:
    """What is overdue or supervised in a county, the longest overdue first."""

    code: str
    name: str
    cases: tuple[FindingSnapshot, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """All of it. `kpi_days`: days of the period that have figures. `so_far`: the period is not over.

    `left_out`: findings that are overdue or supervised beyond CASES_MAX, which no chapter lists.
    """

    region: str
    region_name: str
    period: Period
    timezone: str
    made_wall_ns: int
    so_far: bool
    kpis: tuple[KpiLine, ...]
    kpi_days: int
    league: tuple[LeagueLine, ...]
    total: Tally
    by_severity: Mapping[Severity, Tally]
    by_level: Mapping[Level, Tally]
    chapters: tuple[CountySection, ...]
    left_out: int = 0

    @property
    def of_canteens(self) -> bool:
        """The league is of a county's canteens."""
        return len(self.region) == COUNTY_DIGITS


class FindingsSummary:
    """The findings of a period, counted and put in order."""

    def __init__(self, cases: Iterable[FindingSnapshot], begin_wall_ns: int) -> None:
        self.total = Tally()
        self.by_severity = {one: Tally() for one in Severity}
        self.by_level = {one: Tally() for one in Level}
        self.by_county: defaultdict[str, Tally] = defaultdict(Tally)
        self.by_canteen: defaultdict[str, Tally] = defaultdict(Tally)
        pressing: list[FindingSnapshot] = []
        for case in cases:
            finding = case.finding
            tallies = (
                self.total,
                self.by_severity[finding.severity],
                self.by_level[finding.level],
                self.by_county[finding.subject.region],
                self.by_canteen[canteen_of(finding)],
            )
            for tally in tallies:
                tally.count(case, begin_wall_ns)
            if case.pressing:
                pressing.append(case)
        self.pressing = sorted(pressing, key=_urgency)
        """Overdue or supervised, the most urgent first."""

    def chapters(self, names: Mapping[str, str], cases_max: int = CASES_MAX) -> tuple[tuple[CountySection, ...], int]:
        """What is pressing by county, in the order of codes; and how much of it found no room."""
        listed = self.pressing[:cases_max]
        counties: defaultdict[str, list[FindingSnapshot]] = defaultdict(list)
        for case in listed:
            counties[case.finding.subject.region].append(case)
        chapters = tuple(CountySection(code, names.get(code, code), tuple(counties[code])) for code in sorted(counties))
        return chapters, len(self.pressing) - len(listed)


def add_findings(
    league: Sequence[LeagueLine], tallies: Mapping[str, Tally], names: Mapping[str, str]
) -> list[LeagueLine]:
    """The league with the findings of each line; who has findings and no rates stands last, without a place."""
    known = {one.code for one in league}
    lines = [
        LeagueLine(one.place, one.code, one.name, one.rates, one.before, tallies.get(one.code, Tally()))
        for one in league
    ]
    others = sorted(code for code in tallies if code not in known)
    return lines + [LeagueLine(None, code, names.get(code, code), {}, None, tallies[code]) for code in others]


def canteen_of(finding: Finding) -> str:
    """Whose it is, as the KPIs call it: the site's id; without one, region and name."""
    subject = finding.subject
    return subject.site_id or (f"{subject.region}/{subject.site_name}" if subject.site_name else "")


def _urgency(case: FindingSnapshot) -> tuple[int, int, int, int]:
    """Supervised before others, then the worst, then the longest overdue."""
    finding = case.finding
    since_ns = case.missed_wall_ns or finding.deadline_wall_ns
    return not finding.supervised, list(Severity).index(finding.severity), since_ns, finding.finding_id
