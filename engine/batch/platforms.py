"""Platforms asked, and what they claim put beside ours. Only `platform_status` of known cameras is ever written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from engine.batch.registry import RegistryAccess
from engine.config.schema import Settings
from engine.errors import PlatformError
from engine.feed.camera_url import check_url, host_of
from engine.interchange.gbt28181 import OFF, parents_of
from engine.interchange.http_json import PlatformHttp
from engine.interchange.platform_claims import (
    Channel,
    ClaimedChannels,
    Disagreement,
    claimed_online,
    disagreement,
    seen_online,
)
from engine.interchange.regions import short_code
from engine.interchange.registry_rules import check_cameras
from engine.interchange.stream_url import StreamUrl
from engine.interchange.wvp import WvpList
from engine.interchange.zlmediakit import channels as zlm_channels
from engine.model.camera import Camera
from engine.model.registry import CameraQuery, RowProblem

_CHUNK_ROWS = 1000
_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class PlatformListing:
    """What a platform lists. `notes`: what was odd about the list."""

    channels: ClaimedChannels
    hosts: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A camera whose platform says another thing than the registry had."""

    camera_id: str
    name: str
    region: str
    was: str
    now: str


@dataclass(slots=True)
class PullReport:
    """What a pull did or would do. `unknown`: channels that no camera of the registry goes by.

    `absent`: cameras of this platform, by their URL or uplink, that it does not list.
    """

    channels: int = 0
    known: int = 0
    absent: int = 0
    changes: list[Change] = field(default_factory=list)
    unknown: list[Channel] = field(default_factory=list)
    added: int = 0
    problems: list[RowProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PullOptions:
    """`region`: of the cameras to write, and of those to add. `mark_absent`: OFF for cameras it does not list.

    `stream_url`: add channels that are unknown, with this URL; None: only name them.
    """

    region: str = ""
    mark_absent: bool = False
    stream_url: StreamUrl | None = None
    dry_run: bool = False


@dataclass(slots=True)
class ClaimComparison:
    """How platform and engine compare over the cameras of a region. `unclear`: one of them says nothing."""

    agree: int = 0
    unclear: int = 0
    disagree: list[Disagreement] = field(default_factory=list)


def list_zlmediakit(http: PlatformHttp, stream_hosts: Sequence[str], schema: str) -> PlatformListing:
    """The streams of a ZLMediaKit; raises PlatformError."""
    hosts = (http.host, *(host.lower() for host in stream_hosts))
    return PlatformListing(_claimed_channels(http, zlm_channels(http.get, hosts, schema)), hosts)


def list_wvp(http: PlatformHttp, stream_hosts: Sequence[str], page_rows: int, pages_max: int) -> PlatformListing:
    """The channels of a WVP-PRO; raises PlatformError."""
    listing = WvpList(http.get, page_rows, pages_max)
    channels = _claimed_channels(http, listing.channels())
    tally, notes = listing.tally, []
    if tally.left_out:
        notes.append(f"{tally.left_out} entries are no cameras (groups, recorders, entries without an id)")
    if tally.listed < tally.promised:
        notes.append(f"{tally.promised} entries were promised, {tally.listed} came; it changed meanwhile, pull again")
    return PlatformListing(channels, (http.host, *(host.lower() for host in stream_hosts)), tuple(notes))


def pull(registry: RegistryAccess, pulled: PlatformListing, order: PullOptions, settings: Settings) -> PullReport:
    """Go through the registry, write what the platform claims, and name or add what it has and we have not."""
    report = PullReport(channels=len(pulled.channels))
    found: set[str] = set()
    waiting: list[Camera] = []
    for status in registry.cameras(CameraQuery()):
        camera = status.camera
        channel = pulled.channels.find(camera)
        if channel is not None:
            found.add(channel.ids[0])
        if not camera.region.startswith(order.region):
            continue
        now = _claimed_status(camera, channel, pulled, order, report)
        if now == camera.platform_status:
            continue
        report.changes.append(Change(camera.camera_id, camera.name, camera.region, camera.platform_status, now))
        waiting.append(replace(camera, platform_status=now))
        if len(waiting) >= _CHUNK_ROWS:
            _flush(registry, waiting, order, report)
    _flush(registry, waiting, order, report)
    report.unknown = [one for one in pulled.channels if one.ids[0] not in found and one.region.startswith(order.region)]
    if order.stream_url is not None:
        _add_unknown(registry, order, order.stream_url, report, settings)
    return report


def compare_claims(registry: RegistryAccess, region: str) -> ClaimComparison:
    """Where the platform's word and ours differ."""
    found = ClaimComparison()
    for status in registry.cameras(CameraQuery(region)):
        differs = disagreement(status)
        if differs is not None:
            found.disagree.append(differs)
        elif (
            None in (claimed_online(status.camera.platform_status), seen_online(status.latest))
            or not status.camera.enabled
        ):
            found.unclear += 1
        else:
            found.agree += 1
    return found


def _claimed_channels(http: PlatformHttp, channels: Iterator[Channel]) -> ClaimedChannels:
    try:
        return ClaimedChannels(channels)
    except PlatformError as error:
        raise PlatformError(http.masked(str(error)), error.status) from error


def _claimed_status(
    camera: Camera, channel: Channel | None, pulled: PlatformListing, order: PullOptions, report: PullReport
) -> str:
    if channel is not None:
        report.known += 1
        return channel.status
    if host_of(camera.url) in pulled.hosts or camera.uplink.partition(":")[0].lower() in pulled.hosts:
        report.absent += 1
        if order.mark_absent:
            return OFF
    return camera.platform_status


def _flush(registry: RegistryAccess, waiting: list[Camera], order: PullOptions, report: PullReport) -> None:
    if waiting and not order.dry_run:
        report.problems += registry.upsert(waiting, keep_good=True).problems
    waiting.clear()


def _add_unknown(
    registry: RegistryAccess, order: PullOptions, stream_url: StreamUrl, report: PullReport, settings: Settings
) -> None:
    rows = [_camera(channel, stream_url) for channel in report.unknown]
    problems = check_cameras(rows, partial(check_url, schemes=settings.feed.schemes))
    bad = {problem.index for problem in problems}
    good = [row for index, row in enumerate(rows) if index not in bad]
    report.problems += problems
    report.added = len(good)
    if good and not order.dry_run:
        done = registry.upsert(good, keep_good=True)
        report.added = done.added
        report.problems += done.problems


def _camera(channel: Channel, stream_url: StreamUrl) -> Camera:
    camera_id, region, above = channel.ids[0], channel.region[:6], parents_of(channel.parent_id)
    return Camera(
        camera_id=camera_id,
        url=stream_url.of(camera_id, channel.parent_id, app=channel.app, stream=channel.stream, vhost=channel.vhost),
        name=channel.name[:_NAME_CHARS].strip(),
        site_id=above.get("site_id", ""),
        region=short_code(region) if region.isdecimal() else "",
        uplink=above.get("uplink", ""),
        platform_status=channel.status,
    )
