"""Counts from scratch: the cameras of one canteen, or a whole registry. Pure."""

from collections.abc import Iterable, Mapping

from engine.model.camera import KeyPoint
from engine.model.kpi import CameraFacts, CameraPlace, Counts

NO_COUNTS = Counts()
NO_FACTS = CameraFacts()
"""Facts of a camera that was not visited."""
_CameraDay = tuple[CameraPlace, CameraFacts]


def count_group(cameras: Iterable[_CameraDay], *, canteen: bool) -> Counts:
    """Return the counts of the cameras of one canteen; `canteen` False: of cameras that belong to none."""
    registered = enabled = visited = measured = online = clear = due = kept = 0
    required: set[KeyPoint] = set()
    points_visited: set[KeyPoint] = set()
    points_shown: set[KeyPoint] = set()
    screen = False
    for place, facts in cameras:
        registered += 1
        if place.required:
            required.add(place.key_point)
        if place.key_point == KeyPoint.DINING_SCREEN:
            screen = True
        if not place.enabled:
            continue
        enabled += 1
        due += facts.periods_due
        kept += facts.periods_kept
        if facts.visited:
            visited += 1
            points_visited.add(place.key_point)
        measured += facts.measured
        clear += facts.clear
        if facts.online:
            online += 1
            if facts.unobstructed:
                points_shown.add(place.key_point)
    counts = Counts(registered, enabled, visited, measured, online, clear, periods_due=due, periods_kept=kept)
    if not canteen:
        return counts
    return counts._replace(
        canteens=1,
        canteens_required=bool(required) + 0,
        canteens_measured=int(bool(required) and required <= points_visited),
        canteens_covered=int(bool(required) and required <= points_shown),
        screens_registered=int(screen),
        screens_measured=int(KeyPoint.DINING_SCREEN in points_visited),
        screens_shown=int(KeyPoint.DINING_SCREEN in points_shown),
    )


def count_canteens(
    places: Mapping[str, CameraPlace], facts: Mapping[str, CameraFacts]
) -> dict[tuple[str, str], Counts]:
    """Return the counts by (county, canteen); cameras without a canteen under an empty name.

    `places`, `facts`: by camera id; a camera without facts was not visited.
    """
    groups: dict[tuple[str, str], list[_CameraDay]] = {}
    for camera_id, place in places.items():
        camera_day = (place, facts.get(camera_id, NO_FACTS))
        groups.setdefault((place.county, place.canteen), []).append(camera_day)
    return {group: count_group(cameras, canteen=bool(group[1])) for group, cameras in groups.items()}
