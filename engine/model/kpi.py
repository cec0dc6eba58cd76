"""Types of the KPIs: counts, the rates computed from them, and queries with their answers. Pure; see docs/kpis.md.

A day is a calendar day in the kitchens' time zone; an ordinal is its datetime.date.toordinal(). `unknown` never counts
as compliant, and measured / registered is shown beside every rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from operator import add
from typing import NamedTuple

from engine.model.camera import KeyPoint

_COUNTY_DIGITS = 6
WHOLE_DAY = -1
"""In place of an hour: the counts are those of the whole day."""
HOUR_DAYS_MAX = 31
"""Days of one query by hour; a province of 170 counties has 126,000 rows in so many."""


class KpiName(StrEnum):
    """The rates that the province requires, and the patrol's own."""

    CLARITY = "clarity"
    """监控视频清晰度达标率: cameras whose picture is sharp and well exposed / cameras measured."""
    ONLINE = "online"
    """视频信息联网率: cameras with a fresh keyframe / enabled cameras."""
    KEY_POINT_COVERAGE = "key_point_coverage"
    """重点点位全流程覆盖率: canteens that can be seen at every required key point / canteens."""
    PATROL_COVERAGE = "patrol_coverage"
    """巡查覆盖率: periods in which the camera was visited / periods due."""
    DISPLAY_SCREEN = "display_screen"
    """学生就餐公共区域显示屏幕设置率: canteens whose dining screen can be seen / canteens."""


class KpiBy(StrEnum):
    """What one row of a table covers."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    CANTEEN = "canteen"

    @property
    def digits(self) -> int:
        """Number of digits of the region code in such a row; a canteen's row has its county."""
        return {KpiBy.PROVINCE: 2, KpiBy.CITY: 4}.get(self, _COUNTY_DIGITS)


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate with what it was computed from.

    `registered`: cameras or canteens in the registry. `not_measured`: those of them without a measurement.
    """

    numerator: int
    denominator: int
    registered: int = 0
    not_measured: int = 0

    @property
    def value(self) -> float | None:
        """The rate, 0 to 1; None if the denominator is 0."""
        return self.numerator / self.denominator if self.denominator else None

    @property
    def measured(self) -> int:
        """Registered cameras or canteens that were measured."""
        return self.registered - self.not_measured


class Counts(NamedTuple):
    """Counts of one day, or sums over days, cameras and canteens; the rates are computed from the sums.

    A disabled camera counts in `cameras`, and its key point in the `*_required` and `*_registered` counts; nowhere
    else. A canteen is counted if it has a camera in the registry.
    """

    cameras: int = 0
    """Registered cameras, enabled or not."""
    cameras_enabled: int = 0
    cameras_visited: int = 0
    """Cameras that were visited, or whose gateway sent a keyframe."""
    cameras_measured: int = 0
    """Cameras of which a picture came."""
    cameras_online: int = 0
    """Cameras with a fresh keyframe: neither frozen nor a recorder's substitute for a lost signal."""
    cameras_clear: int = 0
    """Cameras whose picture of the day is sharp and well exposed."""
    canteens: int = 0
    canteens_required: int = 0
    """Canteens with at least one required key point."""
    canteens_measured: int = 0
    """Canteens with required key points, all of which were visited."""
    canteens_covered: int = 0
    """Canteens with required key points, all of which have an online, unobstructed camera."""
    screens_registered: int = 0
    """Canteens with a camera at the dining screen."""
    screens_measured: int = 0
    """Canteens whose dining-screen camera was visited."""
    screens_shown: int = 0
    """Canteens whose dining-screen camera is online and unobstructed."""
    periods_due: int = 0
    """Patrol periods of the cameras that were due."""
    periods_kept: int = 0
    """Periods in which the camera was visited; may exceed `periods_due`, as a visit can come just before its period."""

    def plus(self, other: "Counts") -> "Counts":
        """Return the sum, field by field."""
        return Counts._make(map(add, self, other))

    def registered_only(self) -> "Counts":
        """Return the counts of the same registry on a day without any visit."""
        return Counts(
            cameras=self.cameras,
            cameras_enabled=self.cameras_enabled,
            canteens=self.canteens,
            canteens_required=self.canteens_required,
            screens_registered=self.screens_registered,
        )


class CameraFacts(NamedTuple):
    """What is known of one camera on one day; it does not depend on the order in which the verdicts came.

    `visited`: the engine connected, or a gateway sent. `measured`: a picture came. `online`: a fresh keyframe came.
    `clear`: the deciding visit's picture is sharp and well exposed; `unobstructed`: it shows the whole place. The
    deciding visit is the day's last that could be judged, where a visit within the kitchen's hours takes precedence.
    `in_hours`: whether it was within them. `decided_wall_ns`, `decided_visit_id`: its time and id; 0 if there was none
    yet. `periods_due`, `periods_kept`: as in Counts.
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
    """The part of a registry row that the KPIs need.

    `county`: GB/T 2260 code, at most 6 digits. `canteen`: the `site_id`; without one, region and site name
    (`130102/第一中学食堂`), as in spot checks; empty if the camera belongs to no canteen.
    """

    county: str
    canteen: str
    key_point: KeyPoint
    required: bool
    enabled: bool

    @classmethod
    def of(
        cls, *, region: str, site_id: str, site_name: str, key_point: KeyPoint, required: bool, enabled: bool
    ) -> "CameraPlace":
        """Build it from the columns of a registry row."""
        canteen = site_id or (f"{region}/{site_name}" if site_name else "")
        return cls(region[:_COUNTY_DIGITS], canteen, key_point, required, enabled)


@dataclass(frozen=True, slots=True)
class KpiChanges:
    """KPI rows to write to the database. Rows are cumulative: a later row replaces the earlier one of the same key.

    Days are ordinals. `cameras`: by (day, camera id). `removed`: (day, camera id) rows to delete before `cameras` is
    written. `counties`: by (day, county). `canteens`: by (day, county), then by canteen; of closed days only. `closed`:
    days that no longer change; their camera rows can be deleted. `hours`: by (day, hour, county), as the day had come
    when the hour ended.
    """

    cameras: Mapping[tuple[int, str], CameraFacts] = field(default_factory=dict)
    removed: tuple[tuple[int, str], ...] = ()
    counties: Mapping[tuple[int, str], Counts] = field(default_factory=dict)
    canteens: Mapping[tuple[int, str], Mapping[str, Counts]] = field(default_factory=dict)
    closed: tuple[int, ...] = ()
    hours: Mapping[tuple[int, int, str], Counts] = field(default_factory=dict)

    def followed_by(self, later: "KpiChanges") -> "KpiChanges":
        """Return one set of changes with the effect of writing this one, then `later`."""
        removed = set(later.removed)
        return KpiChanges(
            cameras={key: facts for key, facts in self.cameras.items() if key not in removed} | dict(later.cameras),
            removed=tuple({*self.removed, *later.removed}),
            counties={**self.counties, **later.counties},
            canteens={**self.canteens, **later.canteens},
            closed=(*self.closed, *later.closed),
            hours={**self.hours, **later.hours},
        )


class RegionCounts(NamedTuple):
    """The counts of a region, or of one canteen in it.

    `canteen`: empty for the whole region. `day`: ordinal; 0 for a sum over several days. `days`: number of days summed.
    `hour`: 0 to 23, at whose end the day had come so far; WHOLE_DAY for the whole day.
    """

    region: str
    canteen: str
    day: int
    counts: Counts
    days: int = 1
    hour: int = WHOLE_DAY


@dataclass(frozen=True, slots=True)
class KpiQuery:
    """Which KPI rows to return.

    `region_prefix`: GB/T 2260 prefix; empty means everything. `from_day`, `to_day`: first and last day, both included;
    None means the latest day that has counts. `each_day`: one row per day; otherwise one for the whole span.
    `each_hour`: one row per hour that has ended, with the day as it had come by then; not for canteens, and at most
    HOUR_DAYS_MAX days.
    `page_size`: rows per page; 0 means all. `page_token`: `next_page_token` of the previous page; empty for the first.
    """

    region_prefix: str = ""
    by: KpiBy = KpiBy.COUNTY
    from_day: date | None = None
    to_day: date | None = None
    each_day: bool = False
    each_hour: bool = False
    page_size: int = 0
    page_token: str = ""


@dataclass(frozen=True, slots=True)
class KpiRow:
    """The rates of a province, city, county or canteen.

    `region`: its code, with as many digits as KpiBy.digits; empty if the registry gives none. `site_id`, `site_name`:
    of a canteen's row. `day`: the day of the row; None if it covers the whole span. `hour`: 0 to 23, the hour at whose
    end the day had come so far; None for a whole day. `days`: days with counts. Counts
    of several days add up (camera-days, canteen-days), so a rate is the mean of its days, weighted by cameras.
    """

    region: str
    rates: Mapping[KpiName, Rate]
    counts: Counts
    site_id: str = ""
    site_name: str = ""
    day: date | None = None
    days: int = 1
    hour: int | None = None


@dataclass(frozen=True, slots=True)
class KpiTable:
    """KPI rows, ordered by region, canteen and day.

    `from_day`, `to_day`: the span that was evaluated; None if no day has counts. `total`: the sum of all rows,
    including those on other pages. `next_page_token`: empty on the last page.
    """

    by: KpiBy
    rows: tuple[KpiRow, ...]
    total: KpiRow
    from_day: date | None = None
    to_day: date | None = None
    next_page_token: str = ""


@dataclass(frozen=True, slots=True)
class LeagueQuery:
    """Which league table to return. `from_day`, `to_day`: as in KpiQuery.

    `measured_min`: 0 to 1; a region of which a smaller share was measured gets no place.
    """

    region_prefix: str = ""
    kpi: KpiName = KpiName.CLARITY
    by: KpiBy = KpiBy.COUNTY
    from_day: date | None = None
    to_day: date | None = None
    measured_min: float = 0.5


@dataclass(frozen=True, slots=True)
class LeagueRow:
    """One line of a league table.

    `place`: 1 is best; equal rates share a place; None if the region gets none. `rate`: the one that is ranked.
    `before`: the same rate over as many days immediately before; None if those have no counts.
    """

    place: int | None
    row: KpiRow
    rate: Rate
    before: Rate | None = None


@dataclass(frozen=True, slots=True)
class LeagueTable:
    """Regions ordered by one KPI, best first; those without a place come last."""

    kpi: KpiName
    rows: tuple[LeagueRow, ...]
    from_day: date | None = None
    to_day: date | None = None
