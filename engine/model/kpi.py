"""Nouns of the KPIs: rates with what they were counted from, and the counts that they come from; docs/kpis.md.

A day is one of the kitchens' time zone. `unknown` never counts as compliant, and measured / registered stands beside
every rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from operator import add
from typing import NamedTuple

from engine.model.camera import KeyPoint

_COUNTY_DIGITS = 6


class KpiName(StrEnum):
    """The rates that the province asks for, and the patrol's own."""

    CLARITY = "clarity"
    """监控视频清晰度达标率: of the cameras measured, those whose picture is sharp and well exposed."""
    ONLINE = "online"
    """视频信息联网率: of the enabled cameras, those that gave a fresh keyframe."""
    KEY_POINT_COVERAGE = "key_point_coverage"
    """重点点位全流程覆盖率: of the canteens, those that can be seen at every required key point."""
    PATROL_COVERAGE = "patrol_coverage"
    """Of the periods that were due, those in which the camera was visited."""
    DISPLAY_SCREEN = "display_screen"
    """学生就餐公共区域显示屏幕设置率: of the canteens, those whose dining screen can be seen."""


class KpiBy(StrEnum):
    """What one row stands for."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    CANTEEN = "canteen"

    @property
    def digits(self) -> int:
        """Digits of the region's code in such a row."""
        return {KpiBy.PROVINCE: 2, KpiBy.CITY: 4}.get(self, _COUNTY_DIGITS)


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate. `registered`: cameras or canteens there are; `not_measured`: those of which nothing is known."""

    numerator: int
    denominator: int
    registered: int = 0
    not_measured: int = 0

    @property
    def value(self) -> float | None:
        """0..1; None while there is nothing to divide by."""
        return self.numerator / self.denominator if self.denominator else None

    @property
    def measured(self) -> int:
        """Of the registered ones."""
        return self.registered - self.not_measured


class Counts(NamedTuple):
    """What adds up over days, cameras and canteens; the rates come from sums of these.

    Of cameras that are not enabled nothing but `cameras` counts. Canteens are those with a camera in the registry.
    """

    cameras: int = 0
    """Registered, enabled or not."""
    cameras_enabled: int = 0
    cameras_visited: int = 0
    """Visited, or heard of through a gateway."""
    cameras_measured: int = 0
    """A picture came."""
    cameras_online: int = 0
    """A fresh keyframe came: no frozen picture, none of a recorder that has lost the signal."""
    cameras_clear: int = 0
    """The day's picture is sharp and well exposed."""
    canteens: int = 0
    canteens_required: int = 0
    """With at least one required key point."""
    canteens_measured: int = 0
    """All of whose required key points had a visit."""
    canteens_covered: int = 0
    """All of whose required key points have an online, unobstructed camera."""
    screens_registered: int = 0
    """Canteens with a camera at the dining screen."""
    screens_measured: int = 0
    """Canteens where it was visited."""
    screens_shown: int = 0
    """Canteens where it is online and unobstructed."""
    periods_due: int = 0
    periods_kept: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """The sum."""
        return Counts._make(map(add, self, other))

    def unseen(self) -> "Counts":
        """What the registry says, on a day on which nothing was seen yet."""
        return Counts(
            cameras=self.cameras,
            cameras_enabled=self.cameras_enabled,
            canteens=self.canteens,
            canteens_required=self.canteens_required,
            screens_registered=self.screens_registered,
        )


class CameraFacts(NamedTuple):
    """What one day has shown of one camera so far; in whatever order its verdicts came.

    `in_hours`, `decided_wall_ns`, `decided_visit_id`: the visit that decides on `clear` and `unobstructed`, the day's
    last that could be judged, one within the kitchen's hours before any other; 0 while there was none.
    """

    visited: bool = False
    measured: bool = False
    online: bool = False
    clear: bool = False
    unobstructed: bool = False
    in_hours: bool = False
    decided_wall_ns: int = 0
    decided_visit_id: int = 0
    periods_due: int = 0
    periods_kept: int = 0


class CameraPlace(NamedTuple):
    """What the KPIs need of a registry row. `canteen`: the site's id; where there is none, region and name
    (`130102/第一中学食堂`), as spot checks have it; empty: of no canteen."""

    county: str
    canteen: str
    key_point: KeyPoint
    required: bool
    enabled: bool

    @classmethod
    def of(
        cls, *, region: str, site_id: str, site_name: str, key_point: KeyPoint, required: bool, enabled: bool
    ) -> "CameraPlace":
        """From the columns of the row."""
        canteen = site_id or (f"{region}/{site_name}" if site_name else "")
        return cls(region[:_COUNTY_DIGITS], canteen, key_point, required, enabled)


@dataclass(frozen=True, slots=True)
class KpiChanges:
    """What is to be written of KPIs: cumulative rows, so that the later of two replaces the earlier.

    Days are ordinals (datetime.date.toordinal). `removed` is taken away before `cameras` is written. `canteens`: of
    days that are over, by day and county, by canteen. `closed`: days that will not change any more, whose cameras can
    be forgotten.
    """

    cameras: Mapping[tuple[int, str], CameraFacts] = field(default_factory=dict)
    removed: tuple[tuple[int, str], ...] = ()
    counties: Mapping[tuple[int, str], Counts] = field(default_factory=dict)
    canteens: Mapping[tuple[int, str], Mapping[str, Counts]] = field(default_factory=dict)
    closed: tuple[int, ...] = ()

    def then(self, later: "KpiChanges") -> "KpiChanges":
        """Both in one, as if written one after the other."""
        gone = set(later.removed)
        return KpiChanges(
            cameras={one: facts for one, facts in self.cameras.items() if one not in gone} | dict(later.cameras),
            removed=tuple({*self.removed, *later.removed}),
            counties={**self.counties, **later.counties},
            canteens={**self.canteens, **later.canteens},
            closed=(*self.closed, *later.closed),
        )


class RegionCounts(NamedTuple):
    """The counts of a region, or of a canteen in it. `day`: ordinal, 0 for the sum of `days` days."""

    region: str
    canteen: str
    day: int
    counts: Counts
    days: int = 1


@dataclass(frozen=True, slots=True)
class KpiQuery:
    """Which KPIs are wanted.

    `region_prefix`: GB/T 2260; empty is everything. `from_day`, `to_day`: both within; without them the latest day
    there is. `each_day`: a row a day, not one of the whole span. `page_size`: rows, 0: all. `page_token`: of the page
    before.
    """

    region_prefix: str = ""
    by: KpiBy = KpiBy.COUNTY
    from_day: date | None = None
    to_day: date | None = None
    each_day: bool = False
    page_size: int = 0
    page_token: str = ""


@dataclass(frozen=True, slots=True)
class KpiRow:
    """The rates of a province, city, county or canteen.

    `region`: as many digits as the row stands for; empty where the registry says none. `day`: of a row a day, else
    None. `days`: those with figures; of several days counts add up (camera-days), so that the rates are their means.
    """

    region: str
    rates: Mapping[KpiName, Rate]
    counts: Counts
    site_id: str = ""
    site_name: str = ""
    day: date | None = None
    days: int = 1


@dataclass(frozen=True, slots=True)
class KpiTable:
    """Rows in order of region, canteen and day. `from_day`, `to_day`: what was looked at; None if there is no day.

    `total`: the sum of all rows, also those on other pages. `next_page_token`: empty on the last page.
    """

    by: KpiBy
    rows: tuple[KpiRow, ...]
    total: KpiRow
    from_day: date | None = None
    to_day: date | None = None
    next_page_token: str = ""


@dataclass(frozen=True, slots=True)
class LeagueQuery:
    """Which league table is wanted. `measured_min`: counties of which a smaller share was measured get no place."""

    region_prefix: str = ""
    kpi: KpiName = KpiName.CLARITY
    by: KpiBy = KpiBy.COUNTY
    from_day: date | None = None
    to_day: date | None = None
    measured_min: float = 0.5


@dataclass(frozen=True, slots=True)
class LeagueRow:
    """One line of a league table. `place`: 1 is best, equal rates share one, None without a place.

    `before`: the rate over as many days just before; None if there were none.
    """

    place: int | None
    row: KpiRow
    rate: Rate
    before: Rate | None = None


@dataclass(frozen=True, slots=True)
class LeagueTable:
    """Best first; those without a place last."""

    kpi: KpiName
    rows: tuple[LeagueRow, ...]
    from_day: date | None = None
    to_day: date | None = None
