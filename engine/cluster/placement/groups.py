"""Sums a registry by county, recorder and platform: what placement needs to know of its cameras. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from engine.cluster.placement.shards import CameraGroup
from engine.config.schema import SchedulerSettings
from engine.feed.camera_url import route, uplink_and_host
from engine.model.camera import Camera
from engine.model.keyframe import Codec
from engine.model.packed.verdict import PackedVerdict, picture_size
from engine.model.visit import FeedKind
from engine.scheduler.classes import CameraClass, base_class

_USUAL = Codec.H264, 1920 * 1080
"""What a camera is taken for that has not shown a picture yet."""
_VISIT_CPU_S = {FeedKind.RTSP: 0.0011, FeedKind.DEMUX: 0.0069, FeedKind.GATEWAY: 0.0}
"""CPU time of fetching a keyframe, by way (bench.visits)."""
_CHECK_CPU_S = 0.0018
"""CPU time of a check in kernels, judge and hub, whatever the picture (bench.end_to_end)."""
_DECODE_CPU_S = {Codec.H264: 3.8e-9, Codec.H265: 9.0e-9, Codec.MJPEG: 3.8e-9}
"""CPU time of decoding a pixel of a 1080p keyframe (bench.end_to_end); JPEG is taken for H.264."""


def camera_groups(
    cameras: Iterable[Camera], settings: SchedulerSettings, latest: Callable[[str], PackedVerdict | None]
) -> list[CameraGroup]:
    """Return the enabled cameras as groups, in the order of their counties.

    `latest`: of a camera's id, its latest verdict, which tells codec and size; None if there is none.
    """
    sums: defaultdict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for camera in cameras:
        if not camera.enabled:
            continue
        uplink, host = ("", "") if camera.push else uplink_and_host(camera.url)
        kind = FeedKind.GATEWAY if camera.push else route(camera.url)
        key_point = base_class(camera.key_point, camera.required, settings) is CameraClass.KEY_POINT
        visits_per_s = 1 / (settings.key_period_s if key_point else settings.ordinary_period_s)
        sums_of = sums[camera.region, "" if camera.push else camera.uplink or uplink, host]
        sums_of[0] += 1
        sums_of[1] += visits_per_s
        sums_of[2] += visits_per_s * check_cpu_s(kind, latest(camera.camera_id))
    return [CameraGroup(*key, int(number), visits, cores) for key, (number, visits, cores) in sorted(sums.items())]


def check_cpu_s(kind: FeedKind, latest: PackedVerdict | None) -> float:
    """Return the CPU seconds that a check of a camera is expected to cost, by the picture that it showed last."""
    codec, pixels = _USUAL
    if latest is not None and latest.shape.key.codec is not None:
        width, height = picture_size(latest.body)
        codec, pixels = latest.shape.key.codec, width * height or pixels
    return _VISIT_CPU_S.get(kind, _VISIT_CPU_S[FeedKind.DEMUX]) + _CHECK_CPU_S + pixels * _DECODE_CPU_S[codec]
