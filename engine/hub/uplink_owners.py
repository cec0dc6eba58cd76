"""Tells whether an uplink that a row names is another region's: visits on it are capped, and who may add cameras to a
recorder takes visits from those who have theirs there. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence

from engine.feed.camera_url import uplink_and_host
from engine.model.camera import Camera


def on_foreign_uplinks(
    rows: Sequence[Camera], registered: Mapping[str, Camera], cameras: Iterable[Camera], region_prefix: str
) -> set[str]:
    """Return the ids of the rows whose `uplink` also has cameras outside of a region.

    `registered`: the registered cameras by id; a row that keeps the uplink of its camera is none of these. `cameras`:
    all that are registered. An uplink that is empty is that of the URL, a platform that regions may share: there nobody
    is refused, and the scheduler shares its visits between the counties.
    """
    moving = [row for row in rows if row.uplink and not _keeps_uplink(row, registered.get(row.camera_id))]
    wanted = {row.uplink for row in moving}
    if not wanted:
        return set()
    has_addresses = any(":" in uplink for uplink in wanted)
    foreign: set[str] = set()
    for camera in cameras:
        if not camera.region.startswith(region_prefix):
            uplink = camera.uplink or (uplink_and_host(camera.url)[0] if has_addresses else "")
            if uplink in wanted:
                foreign.add(uplink)
    return {row.camera_id for row in moving if row.uplink in foreign}


def _keeps_uplink(row: Camera, present: Camera | None) -> bool:
    return present is not None and row.uplink == (present.uplink or uplink_and_host(present.url)[0])
