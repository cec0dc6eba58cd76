"""Turns a registry row into what the scheduler needs to know about a camera, and into the order of a visit. Pure."""

from engine.feed.camera_url import route, uplink_and_host
from engine.model.camera import Camera, CameraStream
from engine.model.visit import FeedKind, VisitOrder
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


def order_of(camera: Camera, visit_id: int, stream: CameraStream, deadline_ns: int) -> VisitOrder:
    """Return the order to visit one of a camera's streams; `deadline_ns` as in VisitOrder."""
    url = camera.sub_url if stream is CameraStream.SUB else camera.url
    return VisitOrder(visit_id, camera.camera_id, url, deadline_ns, route(url), camera.region, stream=stream)
