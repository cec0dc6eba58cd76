"""What the scheduler is told of a registry row. Pure."""

from engine.feed.source import host_of, route, uplink_of
from engine.scheduler.events import CameraPlan
from engine.types import Camera, FeedKind

_COUNTY_DIGITS = 6


def plan_of(camera: Camera) -> CameraPlan:
    """The part of a row that decides when and how gently it is visited."""
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
