"""A row of the registry as the scheduler sees it. Pure."""

from engine.feed.source import host_of, route, uplink_of
from engine.scheduler.events import CameraPlan
from engine.types import Camera, FeedKind

_COUNTY_DIGITS = 6


def camera_plan(camera: Camera) -> CameraPlan:
    """What the scheduler needs to know of a camera; without an uplink of its own it hangs on host and port."""
    return CameraPlan(
        camera_id=camera.camera_id,
        uplink=camera.uplink or uplink_of(camera.url),
        host=host_of(camera.url),
        county=camera.region[:_COUNTY_DIGITS],
        site_id=camera.site_id,
        hours=camera.hours,
        key_point=camera.key_point,
        required=camera.required,
        enabled=camera.enabled,
        push=camera.push,
        demux=route(camera.url) == FeedKind.DEMUX,
    )
