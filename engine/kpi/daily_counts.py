"""Keeps the KPI counts of the current day up to date as verdicts, periods and registry changes come in. Pure.

A camera's facts belong to one day. When they change, which is at most a few times a day, its canteen is recounted and
the difference is added to its county. At midnight a new day begins with the same registry and no visits. The day before
accepts late verdicts for LATE_NS more; then its canteens are returned once, and it is closed. A change of the registry
applies to the whole current day, as if it had always been so; closed days stay as they are. When an hour ends, the
counties' counts of its day are kept as they are then. Times are wall-clock.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from engine.kpi.camera_day import add_periods, observe, place_of
from engine.kpi.counting import NO_COUNTS, NO_FACTS, count_canteens, count_group
from engine.kpi.days import Days
from engine.kpi.hours import HourEnds
from engine.model.camera import Camera
from engine.model.kpi import CameraFacts, CameraPlace, Counts, KpiChanges
from engine.model.verdict import Verdict

LATE_NS = 15 * 60 * 1_000_000_000
"""How long after midnight a verdict of yesterday still counts; a later one counts for no day."""

_Group = tuple[str, str, str]
"""(county, canteen, camera id). The id is empty, except for a camera without a canteen, which forms a group of its own,
so that no group grows with the registry."""


def _group_of(camera_id: str, place: CameraPlace) -> _Group:
    return place.county, place.canteen, "" if place.canteen else camera_id


class _Day:
    """One day: the places and facts of its cameras, and the counts made of them.

    `members`: camera ids by group. `groups`, `counties`: counts by group and by county. `changed_cameras`,
    `removed_cameras`, `changed_counties`: what has changed since the changes were last drained.
    """

    def __init__(
        self,
        ordinal: int,
        places: dict[str, CameraPlace],
        members: dict[_Group, tuple[str, ...]],
        facts: Mapping[str, CameraFacts],
        groups: dict[_Group, Counts] | None = None,
    ) -> None:
        self.ordinal = ordinal
        self.places = places
        self.members = members
        self.facts = {camera_id: camera_facts for camera_id, camera_facts in facts.items() if camera_id in places}
        self.groups: dict[_Group, Counts] = {} if groups is None else groups
        self.counties: dict[str, Counts] = {}
        self.changed_cameras: set[str] = set()
        self.removed_cameras = {camera_id for camera_id in facts if camera_id not in places}
        self.changed_counties: set[str] = set()
        if groups is None:
            for group in members:
                self._recount(group)
            return
        for (county, _, _), counts in groups.items():
            self.counties[county] = self.counties.get(county, NO_COUNTS).plus(counts)
        self.changed_counties.update(self.counties)

    def next_day(self, ordinal: int) -> "_Day":
        """Return a later day with the same registry and no visits; takes a tenth of the time of a recount."""
        groups = {group: counts.registered_only() for group, counts in self.groups.items()}
        return _Day(ordinal, dict(self.places), dict(self.members), {}, groups)

    def apply_rows(self, rows: Iterable[tuple[str, CameraPlace | None]]) -> None:
        """Apply registry rows by camera id: new, changed, or (None) removed, with the facts of the camera."""
        stale: set[_Group] = set()
        for camera_id, place in rows:
            old = self.places.get(camera_id)
            if place == old:
                continue
            if old is not None:
                stale.add(self._remove_member(camera_id, old))
            if place is not None:
                group = _group_of(camera_id, place)
                stale.add(group)
                self.places[camera_id] = place
                self.members[group] = (*self.members.get(group, ()), camera_id)
            else:
                del self.places[camera_id]
                self.facts.pop(camera_id, None)
                self.changed_cameras.discard(camera_id)
                self.removed_cameras.add(camera_id)
        for group in stale:
            self._recount(group)

    def _remove_member(self, camera_id: str, place: CameraPlace) -> _Group:
        group = _group_of(camera_id, place)
        rest = tuple(member for member in self.members[group] if member != camera_id)
        if rest:
            self.members[group] = rest
        else:
            del self.members[group]
        return group

    def set_facts(self, camera_id: str, facts: CameraFacts) -> None:
        """Replace the facts of a camera, and recount its group if that changes the counts."""
        old = self.facts.get(camera_id, NO_FACTS)
        if facts == old:
            return
        self.facts[camera_id] = facts
        self.changed_cameras.add(camera_id)
        if _counted(facts) != _counted(old):
            self._recount(_group_of(camera_id, self.places[camera_id]))

    def canteens(self) -> dict[tuple[int, str], dict[str, Counts]]:
        """Return counts by (day, county), then by canteen; cameras without a canteen together under an empty name."""
        canteens: dict[tuple[int, str], dict[str, Counts]] = {}
        for (county, canteen, _), counts in self.groups.items():
            of_county = canteens.setdefault((self.ordinal, county), {})
            of_county[canteen] = of_county[canteen].plus(counts) if canteen in of_county else counts
        return canteens

    def _recount(self, group: _Group) -> None:
        """Recount the group, and add the difference to its county."""
        county, canteen, _ = group
        members = self.members.get(group, ())
        cameras = ((self.places[camera_id], self.facts.get(camera_id, NO_FACTS)) for camera_id in members)
        new = count_group(cameras, canteen=bool(canteen)) if members else NO_COUNTS
        old = self.groups.get(group, NO_COUNTS)
        self.changed_counties.add(county)
        if members:
            self.groups[group] = new
        else:
            self.groups.pop(group, None)
        total = self.counties.get(county, NO_COUNTS)
        self.counties[county] = Counts(*(a + b - c for a, b, c in zip(total, new, old, strict=True)))


class DailyCounts:
    """The counts of the current day, and of yesterday while it may still change.

    `timezone`: of the kitchens. `cameras`: the registry. `now_wall_ns`: begins the current day. `facts`: those of the
    current day that were stored before a restart, by camera id. `sub_counts`: visits on a sub-stream count for clarity.
    """

    def __init__(
        self,
        timezone: str,
        cameras: Iterable[Camera],
        now_wall_ns: int,
        facts: Mapping[str, CameraFacts] = MappingProxyType({}),
        *,
        sub_counts: bool = False,
    ) -> None:
        self._days = Days(timezone)
        self._sub_counts = sub_counts
        self._hour_ends = HourEnds(timezone, now_wall_ns)
        self._hours: dict[tuple[int, int, str], Counts] = {}
        places = {camera.camera_id: place_of(camera) for camera in cameras}
        members: dict[_Group, list[str]] = {}
        for camera_id, place in places.items():
            members.setdefault(_group_of(camera_id, place), []).append(camera_id)
        groups = {group: tuple(ids) for group, ids in members.items()}
        today = _Day(self._days.of(now_wall_ns), places, groups, facts)
        self._days_open: dict[int, _Day] = {today.ordinal: today}
        self._closed: list[_Day] = []
        self._late_count = 0

    @property
    def today(self) -> int:
        """The ordinal of the current day."""
        return max(self._days_open)

    def configure(self, timezone: str, *, sub_counts: bool = False) -> None:
        """Use the days of another time zone from now on, and count sub-streams or not."""
        self._sub_counts = sub_counts
        self._days = Days(timezone)
        self._hour_ends.configure(timezone)

    def restore(self, ordinal: int, facts: Mapping[str, CameraFacts]) -> None:
        """Restore an earlier day that was not closed when the engine stopped; call it before anything else.

        Facts of cameras that have left the registry are ignored. The day is closed once its time for late verdicts has
        passed.
        """
        now = self._days_open[self.today]
        self._days_open[ordinal] = _Day(ordinal, dict(now.places), dict(now.members), facts)

    def advance(self, now_wall_ns: int) -> None:
        """Begin the next day and close yesterday, if it is time; keep the counts of each hour that has ended."""
        for day_ordinal, hour in self._hour_ends.drain(now_wall_ns):
            day = self._days_open.get(day_ordinal)
            for county, counts in day.counties.items() if day is not None else ():
                self._hours[day_ordinal, hour, county] = counts
        ordinal, newest = self._days.of(now_wall_ns), self._days_open[self.today]
        if ordinal > newest.ordinal:
            self._days_open[ordinal] = newest.next_day(ordinal)
        final_ns = self._days.begin_ns(self.today) + LATE_NS
        for older in sorted(self._days_open)[:-1]:
            if now_wall_ns >= final_ns or older < self.today - 1:
                self._closed.append(self._days_open.pop(older))

    def upsert(self, cameras: Iterable[Camera], now_wall_ns: int) -> None:
        """Add cameras, or replace those that are known."""
        self.advance(now_wall_ns)
        self._days_open[self.today].apply_rows((camera.camera_id, place_of(camera)) for camera in cameras)

    def remove(self, camera_ids: Iterable[str], now_wall_ns: int) -> None:
        """Remove cameras, with the facts of the current day."""
        self.advance(now_wall_ns)
        self._days_open[self.today].apply_rows((camera_id, None) for camera_id in camera_ids)

    def observe(self, verdict: Verdict, *, working: bool, now_wall_ns: int) -> None:
        """Count a verdict. `working`: whether the kitchen worked when the picture was taken.

        A verdict from the future (a clock is wrong) counts for today.
        """
        self.advance(now_wall_ns)
        day = self._days_open.get(min(self._days.of(verdict.at_wall_ns), self.today))
        if day is None:
            self._late_count += 1
        elif verdict.camera_id in day.places:
            facts = day.facts.get(verdict.camera_id, NO_FACTS)
            day.set_facts(verdict.camera_id, observe(facts, verdict, working=working, sub_counts=self._sub_counts))

    def add_periods(self, camera_id: str, due: int, kept: int, now_wall_ns: int) -> None:
        """Add a camera's periods that were due, and that were kept, since the last call."""
        self.advance(now_wall_ns)
        day = self._days_open[self.today]
        if camera_id in day.places:
            day.set_facts(camera_id, add_periods(day.facts.get(camera_id, NO_FACTS), due, kept))

    def drain_changes(self) -> KpiChanges:
        """Return the rows to write since the last call."""
        cameras: dict[tuple[int, str], CameraFacts] = {}
        removed: list[tuple[int, str]] = []
        counties: dict[tuple[int, str], Counts] = {}
        canteens: dict[tuple[int, str], Mapping[str, Counts]] = {}
        for day in (*self._closed, *self._days_open.values()):
            cameras.update(((day.ordinal, camera_id), day.facts[camera_id]) for camera_id in day.changed_cameras)
            removed += ((day.ordinal, camera_id) for camera_id in day.removed_cameras)
            counties.update(
                ((day.ordinal, county), day.counties.get(county, NO_COUNTS)) for county in day.changed_counties
            )
            day.changed_cameras.clear()
            day.removed_cameras.clear()
            day.changed_counties.clear()
        for day in self._closed:
            canteens.update(day.canteens())
        closed = tuple(day.ordinal for day in self._closed)
        self._closed.clear()
        hours, self._hours = self._hours, {}
        return KpiChanges(cameras, tuple(removed), counties, canteens, closed, hours)

    def drain_late_count(self) -> int:
        """Return how many verdicts came after their day was closed since the last call; they count for no day."""
        late, self._late_count = self._late_count, 0
        return late

    def counties(self) -> dict[str, Counts]:
        """Return the counts of the current day by county."""
        return dict(self._days_open[self.today].counties)

    def canteens(self, ordinal: int) -> dict[tuple[int, str], dict[str, Counts]]:
        """Return the counts of a day that is not closed by (day, county), then by canteen; empty for any other day."""
        day = self._days_open.get(ordinal)
        return {} if day is None else day.canteens()

    def check_invariants(self) -> None:
        """Raise AssertionError unless the counts equal a count from scratch; O(cameras)."""
        for day in self._days_open.values():
            scratch = count_canteens(day.places, day.facts)
            current = {
                (county, canteen): counts
                for (_, county), canteens in day.canteens().items()
                for canteen, counts in canteens.items()
            }
            if current != scratch:
                raise AssertionError(f"canteens of day {day.ordinal} differ from a count from scratch")
            counties: dict[str, Counts] = {}
            for (county, _), counts in scratch.items():
                counties[county] = counties.get(county, NO_COUNTS).plus(counts)
            if counties != {county: counts for county, counts in day.counties.items() if any(counts)}:
                raise AssertionError(f"counties of day {day.ordinal} are not the sums of their canteens")


def _counted(facts: CameraFacts) -> tuple[object, ...]:
    """Return the fields that the counts are made of."""
    return (*facts[:5], facts.periods_due, facts.periods_kept)
