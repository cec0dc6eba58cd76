"""The counts of the days under way, kept up as things happen. Pure; moments come in as wall time.

A camera's facts are of one day; its canteen is counted anew when they change, which is at most a few times a day, and
what differs is added to its county. At midnight a new day begins with the registry and nothing seen; the day before
takes late verdicts for LATE_NS more, then its canteens are given out once and it is over. Changes of the registry
count for the day under way as if they had always been; days that are over stay as they were.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from engine.kpi.camera_day import add_periods, observe, place_of
from engine.kpi.counting import NO_COUNTS, NO_FACTS, count_canteens, count_group
from engine.kpi.days import Days
from engine.model.camera import Camera
from engine.model.kpi import CameraFacts, CameraPlace, Counts, KpiChanges
from engine.model.verdict import Verdict

LATE_NS = 15 * 60 * 1_000_000_000
"""A verdict of yesterday may come so late after midnight; what comes later counts for no day."""

_Group = tuple[str, str, str]
"""County and canteen; a camera without a canteen is a group by its own id, so that no group grows with the registry."""


def _group_of(camera_id: str, place: CameraPlace) -> _Group:
    return place.county, place.canteen, "" if place.canteen else camera_id


class _Day:
    """One day: places, facts, and the counts made of them."""

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
        self.facts = {one: known for one, known in facts.items() if one in places}
        self.groups: dict[_Group, Counts] = {} if groups is None else groups
        self.counties: dict[str, Counts] = {}
        self.changed_cameras: set[str] = set()
        self.removed_cameras = {one for one in facts if one not in places}
        self.changed_counties: set[str] = set()
        if groups is None:
            for group in members:
                self._count(group)
            return
        for (county, _, _), counts in groups.items():
            self.counties[county] = self.counties.get(county, NO_COUNTS).plus(counts)
        self.changed_counties.update(self.counties)

    def after(self, ordinal: int) -> "_Day":
        """A later day, with the same registry and nothing seen; in a tenth of the time that counting anew takes."""
        groups = {group: counts.registered_only() for group, counts in self.groups.items()}
        return _Day(ordinal, dict(self.places), dict(self.members), {}, groups)

    def put(self, rows: Iterable[tuple[str, CameraPlace | None]]) -> None:
        """Registry rows are new, changed, or (None) gone with all that was seen of them."""
        stale: set[_Group] = set()
        for camera_id, place in rows:
            was = self.places.get(camera_id)
            if place == was:
                continue
            if was is not None:
                stale.add(self._leave(camera_id, was))
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
            self._count(group)

    def _leave(self, camera_id: str, place: CameraPlace) -> _Group:
        group = _group_of(camera_id, place)
        rest = tuple(one for one in self.members[group] if one != camera_id)
        if rest:
            self.members[group] = rest
        else:
            del self.members[group]
        return group

    def learn(self, camera_id: str, facts: CameraFacts) -> None:
        """The camera's facts are now these."""
        was = self.facts.get(camera_id, NO_FACTS)
        if facts == was:
            return
        self.facts[camera_id] = facts
        self.changed_cameras.add(camera_id)
        if _seen(facts) != _seen(was):
            self._count(_group_of(camera_id, self.places[camera_id]))

    def canteens(self) -> dict[tuple[int, str], dict[str, Counts]]:
        """Counts by county, by canteen; cameras of no canteen together under an empty name."""
        found: dict[tuple[int, str], dict[str, Counts]] = {}
        for (county, canteen, _), counts in self.groups.items():
            one = found.setdefault((self.ordinal, county), {})
            one[canteen] = one[canteen].plus(counts) if canteen in one else counts
        return found

    def _count(self, group: _Group) -> None:
        """Count the group anew, and add what differs to its county."""
        county, canteen, _ = group
        members = self.members.get(group, ())
        seen = ((self.places[one], self.facts.get(one, NO_FACTS)) for one in members)
        now = count_group(seen, canteen=bool(canteen)) if members else NO_COUNTS
        was = self.groups.get(group, NO_COUNTS)
        self.changed_counties.add(county)
        if members:
            self.groups[group] = now
        else:
            self.groups.pop(group, None)
        total = self.counties.get(county, NO_COUNTS)
        self.counties[county] = Counts(*(a + b - c for a, b, c in zip(total, now, was, strict=True)))


class DailyCounts:
    """The day under way, and yesterday while it may still change.

    `now_wall_ns`: opens the first day. `facts`: what was written of it before a restart, by camera id.
    """

    def __init__(
        self,
        timezone: str,
        cameras: Iterable[Camera],
        now_wall_ns: int,
        facts: Mapping[str, CameraFacts] = MappingProxyType({}),
    ) -> None:
        self._days = Days(timezone)
        places = {camera.camera_id: place_of(camera) for camera in cameras}
        members: dict[_Group, list[str]] = {}
        for camera_id, place in places.items():
            members.setdefault(_group_of(camera_id, place), []).append(camera_id)
        groups = {group: tuple(ids) for group, ids in members.items()}
        today = _Day(self._days.of(now_wall_ns), places, groups, facts)
        self._open: dict[int, _Day] = {today.ordinal: today}
        self._over: list[_Day] = []
        self._late = 0

    @property
    def today(self) -> int:
        """The ordinal of the day under way."""
        return max(self._open)

    def configure(self, timezone: str) -> None:
        """Days of another time zone, from now on."""
        self._days = Days(timezone)

    def restore(self, ordinal: int, facts: Mapping[str, CameraFacts]) -> None:
        """What was written of a day before today that was not over at the last stop; before anything else.

        Facts of cameras that left the registry are passed over. The day is over as soon as late verdicts are no longer
        waited for.
        """
        now = self._open[self.today]
        self._open[ordinal] = _Day(ordinal, dict(now.places), dict(now.members), facts)

    def advance(self, now_wall_ns: int) -> None:
        """Time has passed: the next day may begin, and yesterday be over."""
        ordinal, newest = self._days.of(now_wall_ns), self._open[self.today]
        if ordinal > newest.ordinal:
            self._open[ordinal] = newest.after(ordinal)
        final_ns = self._days.begin_ns(self.today) + LATE_NS
        for older in sorted(self._open)[:-1]:
            if now_wall_ns >= final_ns or older < self.today - 1:
                self._over.append(self._open.pop(older))

    def put(self, cameras: Iterable[Camera], now_wall_ns: int) -> None:
        """Cameras are new or changed."""
        self.advance(now_wall_ns)
        self._open[self.today].put((camera.camera_id, place_of(camera)) for camera in cameras)

    def remove(self, camera_ids: Iterable[str], now_wall_ns: int) -> None:
        """Cameras left the registry."""
        self.advance(now_wall_ns)
        self._open[self.today].put((camera_id, None) for camera_id in camera_ids)

    def observe(self, verdict: Verdict, *, working: bool, now_wall_ns: int) -> None:
        """A verdict was given. One from the future (a clock is wrong) counts for today."""
        self.advance(now_wall_ns)
        day = self._open.get(min(self._days.of(verdict.at_wall_ns), self.today))
        if day is None:
            self._late += 1
        elif verdict.camera_id in day.places:
            facts = day.facts.get(verdict.camera_id, NO_FACTS)
            day.learn(verdict.camera_id, observe(facts, verdict, working=working))

    def periods(self, camera_id: str, due: int, kept: int, now_wall_ns: int) -> None:
        """So many periods of a camera were due since the last call, and so many were kept."""
        self.advance(now_wall_ns)
        day = self._open[self.today]
        if camera_id in day.places:
            day.learn(camera_id, add_periods(day.facts.get(camera_id, NO_FACTS), due, kept))

    def take(self) -> KpiChanges:
        """What is to be written since the last call."""
        cameras: dict[tuple[int, str], CameraFacts] = {}
        removed: list[tuple[int, str]] = []
        counties: dict[tuple[int, str], Counts] = {}
        canteens: dict[tuple[int, str], Mapping[str, Counts]] = {}
        for day in (*self._over, *self._open.values()):
            cameras.update(((day.ordinal, one), day.facts[one]) for one in day.changed_cameras)
            removed += ((day.ordinal, one) for one in day.removed_cameras)
            counties.update(((day.ordinal, one), day.counties.get(one, NO_COUNTS)) for one in day.changed_counties)
            day.changed_cameras.clear()
            day.removed_cameras.clear()
            day.changed_counties.clear()
        for day in self._over:
            canteens.update(day.canteens())
        closed = tuple(day.ordinal for day in self._over)
        self._over.clear()
        return KpiChanges(cameras, tuple(removed), counties, canteens, closed)

    def take_late(self) -> int:
        """Verdicts since the last call that came when their day was over; they count for none."""
        late, self._late = self._late, 0
        return late

    def counties(self) -> dict[str, Counts]:
        """Counts of the day under way by county."""
        return dict(self._open[self.today].counties)

    def canteens(self, ordinal: int) -> dict[tuple[int, str], dict[str, Counts]]:
        """Counts by day and county, by canteen, of a day that is not over yet; empty for any other."""
        day = self._open.get(ordinal)
        return {} if day is None else day.canteens()

    def check_invariants(self) -> None:
        """Raise AssertionError unless the counts are those of a count from scratch; O(cameras)."""
        for day in self._open.values():
            scratch = count_canteens(day.places, day.facts)
            kept = {
                (county, one): counts for (_, county), rows in day.canteens().items() for one, counts in rows.items()
            }
            if kept != scratch:
                raise AssertionError(f"canteens of day {day.ordinal} are not those of a count from scratch")
            counties: dict[str, Counts] = {}
            for (county, _), counts in scratch.items():
                counties[county] = counties.get(county, NO_COUNTS).plus(counts)
            if counties != {county: counts for county, counts in day.counties.items() if any(counts)}:
                raise AssertionError(f"counties of day {day.ordinal} are not the sums of their canteens")


def _seen(facts: CameraFacts) -> tuple[object, ...]:
    """What canteens are counted from."""
    return (*facts[:5], facts.periods_due, facts.periods_kept)
