"""Turns a registry row into what the scheduler needs to know about a camera. Pure."""

from engine.feed.camera_url import route, uplink_and_host
from engine.model.camera import Camera
from engine.model.visit import FeedKind
from engine.scheduler.events import CameraPlan

_COUNTY_DIGITS = 6


def site_of(camera: Camera) -> tuple[str, str, str]:
    """Return canteen, county and hours: they decide when the kitchen works."""
    return camera.site_id, camera.region[:_COUNTY_DIGITS], camera.hours


def plan_of(camera: Camera) -> CameraPlan:
    """Return the part of a row that decides when a camera is visited, and under which caps."""
    site_id, county, hours = site_of(camera)
    uplink, host = uplink_and_host(camera.url)
    return CameraPlan(
        camera_id=camera.camera_id,
        uplink=camera.uplink or uplink,
        host=host,
        county=county,
        site_id=site_id,
        hours=hours,
        key_point=camera.key_point,
        required=camera.required,
        enabled=camera.enabled,
        push=camera.push,
        demux=route(camera.url) == FeedKind.DEMUX,
        sub=bool(camera.sub_url),
    )
