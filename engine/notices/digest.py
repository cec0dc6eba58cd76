"""The daily or weekly digest of a region: rates, the league of its counties, and every open finding. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S
from engine.errors import ConfigError
from engine.model.digest import DigestLine, DigestTally
from engine.model.findings import Finding, FindingState, Level
from engine.model.kpi import KpiName, Rate
from engine.model.verdict import Severity

PROVINCE_DIGITS, COUNTY_DIGITS = 2, 6
LISTED_MAX = 5000
"""Most findings that a page lists; the CSV file of the findings has all."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days of a digest in the kitchens' time zone, both included. `name`: like 2026-W47 or 2026-11-24."""

    name: str
    first: date
    last: date

    @classmethod
    def of_week(cls, text: str) -> "Period":
        """Parse a week of ISO 8601 (Monday to Sunday) like 2026-W47. Raises ConfigError if it is none."""
        year, mark, week = text.upper().partition("-W")
        try:
            first = date.fromisocalendar(int(year), int(week), 1)
        except ValueError as error:
            raise ConfigError(f"--week {text!r}: is not a week ({error}); give one like 2026-W47") from error
        return cls(f"{int(year):04}{mark}{int(week):02}", first, first + timedelta(days=6))

    @classmethod
    def of_day(cls, text: str) -> "Period":
        """Parse a day like 2026-11-24. Raises ConfigError if it is none."""
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise ConfigError(f"--day {text!r}: is not a day ({error}); give one like 2026-11-24") from error
        return cls(day.isoformat(), day, day)

    @classmethod
    def last_week(cls, now_wall_ns: int, timezone: str) -> "Period":
        """Return the last full week, Monday to Sunday, before the day that `now_wall_ns` is in this time zone."""
        today = datetime.fromtimestamp(now_wall_ns // NS_PER_S, ZoneInfo(timezone)).date()
        year, week, _ = (today - timedelta(days=7)).isocalendar()
        return cls.of_week(f"{year}-W{week:02}")

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """The period of as many days immediately before."""
        span = timedelta(days=self.days)
        return Period("", self.first - span, self.last - span)

    def wall_ns(self, timezone: str) -> tuple[int, int]:
        """Return when the period begins and ends (exclusive), midnight to midnight, in nanoseconds since 1970 UTC."""
        zone = ZoneInfo(timezone)
        begin = datetime.combine(self.first, time(), zone)
        end = datetime.combine(self.last + timedelta(days=1), time(), zone)
        return int(begin.timestamp()) * NS_PER_S, int(end.timestamp()) * NS_PER_S


@dataclass(frozen=True, slots=True)
class FindingSnapshot:
    """A finding as it was at the end of the period.

    `missed_wall_ns`: when it first missed a deadline; 0 if never. `camera_name`: as the registry has it now.
    `exhibit`: SHA-256 of the latest keyframe that shows the fault; empty if there is none.
    """

    finding: Finding
    missed_wall_ns: int = 0
    camera_name: str = ""
    exhibit: str = ""

    @property
    def ended(self) -> bool:
        """Whether it is closed or dismissed."""
        return self.finding.state.ended

    @property
    def overdue(self) -> bool:
        """Whether it has not ended and has missed a deadline: of its level, or of a lower one before escalation."""
        return not self.ended and (self.finding.overdue or self.missed_wall_ns > 0)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as JPEG, and when it arrived."""

    jpeg: bytes
    at_wall_ns: int


@dataclass(frozen=True, slots=True)
class FindingPictures:
    """The picture of a fault and the good one that it was compared with; None where none is kept.

    `of_baseline`: the good one was taken while the camera was announced as ok.
    """

    fault: Picture | None = None
    good: Picture | None = None
    of_baseline: bool = False


@dataclass(frozen=True, slots=True)
class KpiLine:
    """One rate of the region. `before`: over as many days before; None if those have no counts."""

    name: KpiName
    rate: Rate
    before: Rate | None


@dataclass(frozen=True, slots=True)
class CountySection:
    """The open findings of one county, the most urgent first."""

    code: str
    name: str
    findings: tuple[FindingSnapshot, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """The whole digest.

    `region`: GB/T 2260 prefix; empty means all regions. `made_wall_ns`: when it was made. `so_far`: the period is not
    over yet. `kpi_days`: days of the period that have counts. `total`, `by_severity`, `by_level`: of its findings.
    `sections`: open findings by county. `left_out`: those beyond LISTED_MAX, which no section lists.
    """

    region: str
    region_name: str
    period: Period
    timezone: str
    made_wall_ns: int
    so_far: bool
    kpis: tuple[KpiLine, ...]
    kpi_days: int
    league: tuple[DigestLine, ...]
    total: DigestTally
    by_severity: Mapping[Severity, DigestTally]
    by_level: Mapping[Level, DigestTally]
    sections: tuple[CountySection, ...]
    left_out: int = 0

    @property
    def of_canteens(self) -> bool:
        """Whether the league is of the canteens of one county."""
        return len(self.region) == COUNTY_DIGITS


class FindingsSummary:
    """The findings of a period, counted and sorted. `standing`: those open at its end, the most urgent first."""

    def __init__(self, snapshots: Iterable[FindingSnapshot], begin_wall_ns: int) -> None:
        self.total = DigestTally()
        self.by_severity = {severity: DigestTally() for severity in Severity}
        self.by_level = {level: DigestTally() for level in Level}
        self.by_county: defaultdict[str, DigestTally] = defaultdict(DigestTally)
        self.by_canteen: defaultdict[str, DigestTally] = defaultdict(DigestTally)
        standing: list[FindingSnapshot] = []
        for snapshot in snapshots:
            finding = snapshot.finding
            if snapshot.ended and finding.changed_wall_ns < begin_wall_ns:
                continue  # dismissed before the period, and reopened after it
            tallies = (
                self.total,
                self.by_severity[finding.severity],
                self.by_level[finding.level],
                self.by_county[finding.subject.region],
                self.by_canteen[canteen_of(finding)],
            )
            for tally in tallies:
                _count(tally, snapshot, begin_wall_ns)
            if not snapshot.ended:
                standing.append(snapshot)
        self.standing = sorted(standing, key=_urgency)

    def sections(self, names: Mapping[str, str], listed_max: int = LISTED_MAX) -> tuple[tuple[CountySection, ...], int]:
        """Return the open findings by county, ordered by code, and how many were left out beyond `listed_max`."""
        listed = self.standing[:listed_max]
        counties: defaultdict[str, list[FindingSnapshot]] = defaultdict(list)
        for snapshot in listed:
            counties[snapshot.finding.subject.region].append(snapshot)
        sections = tuple(CountySection(code, names.get(code, code), tuple(counties[code])) for code in sorted(counties))
        return sections, len(self.standing) - len(listed)


def canteen_of(finding: Finding) -> str:
    """Return the id of a finding's canteen, as in the KPIs: the site's id; without one, region and name."""
    subject = finding.subject
    return subject.site_id or (f"{subject.region}/{subject.site_name}" if subject.site_name else "")


def _urgency(snapshot: FindingSnapshot) -> tuple[int, int, int, int, int]:
    """Return the sort key: supervised before others, then overdue, then the most severe, then the earliest deadline."""
    finding = snapshot.finding
    since_ns = snapshot.missed_wall_ns or finding.deadline_wall_ns
    return (
        not finding.supervised,
        not snapshot.overdue,
        list(Severity).index(finding.severity),
        since_ns,
        finding.finding_id,
    )


def _count(tally: DigestTally, snapshot: FindingSnapshot, begin_wall_ns: int) -> None:
    """Add a finding to a tally. `begin_wall_ns`: begin of the period."""
    finding = snapshot.finding
    tally.opened += finding.opened_wall_ns >= begin_wall_ns
    ended_within = snapshot.ended and finding.changed_wall_ns >= begin_wall_ns
    tally.closed += ended_within and finding.state == FindingState.CLOSED
    tally.dismissed += ended_within and finding.state == FindingState.DISMISSED
    tally.standing += not snapshot.ended
    tally.overdue += snapshot.overdue
    tally.supervised += finding.supervised and not snapshot.ended
