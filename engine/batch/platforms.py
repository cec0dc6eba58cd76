"""Pulls the channels of media platforms, and compares their claims with the registry and with what the engine sees.

Of cameras that are in the registry only `platform_status` is ever written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from engine.batch.registry import RegistryAccess
from engine.config.schema import Settings
from engine.errors import PlatformError
from engine.feed.camera_url import check_url, host_of
from engine.interchange.http_json import PlatformHttp
from engine.interchange.platform_claims import (
    Channel,
    ClaimedChannels,
    Disagreement,
    claimed_online,
    disagreement,
    seen_online,
)
from engine.interchange.registry_rules import check_cameras
from engine.interchange.stream_url import StreamUrl
from engine.interchange.wvp import WvpList
from engine.interchange.zlmediakit import channels as zlm_channels
from engine.model.camera import Camera
from engine.model.registry import CameraQuery, RowProblem
from engine.rows.gbt28181 import OFF, parents_of, short_code

_CHUNK_ROWS = 1000
_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class PlatformListing:
    """What a platform lists. `hosts`: host names it serves streams from. `notes`: what was odd about the list."""

    channels: ClaimedChannels
    hosts: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A camera whose `platform_status` changes."""

    camera_id: str
    name: str
    region: str
    was: str
    now: str


@dataclass(slots=True)
class PullReport:
    """What a pull changed, or with `dry_run` would change.

    `known`: cameras of the registry that the platform lists. `absent`: cameras of this platform, by their URL or
    uplink, that it does not list. `unknown`: channels that are no camera of the registry; `added` of them were added.
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
    """What a pull writes.

    `region`: only cameras of this region are changed and added. `mark_absent`: write OFF for cameras that the platform
    does not list. `stream_url`: add unknown channels with this URL; None: only report them.
    """

    region: str = ""
    mark_absent: bool = False
    stream_url: StreamUrl | None = None
    dry_run: bool = False


@dataclass(slots=True)
class ClaimComparison:
    """How the platform's claims compare with what the engine sees. `unclear`: one of the two says nothing."""

    agree: int = 0
    unclear: int = 0
    disagree: list[Disagreement] = field(default_factory=list)


def list_zlmediakit(http: PlatformHttp, stream_hosts: Sequence[str], schema: str) -> PlatformListing:
    """Return the streams of a ZLMediaKit. Raises PlatformError."""
    hosts = (http.host, *(host.lower() for host in stream_hosts))
    return PlatformListing(_claimed_channels(http, zlm_channels(http.get, hosts, schema)), hosts)


def list_wvp(http: PlatformHttp, stream_hosts: Sequence[str], page_rows: int, pages_max: int) -> PlatformListing:
    """Return the channels of a WVP-PRO. Raises PlatformError."""
    listing = WvpList(http.get, page_rows, pages_max)
    channels = _claimed_channels(http, listing.channels())
    tally, notes = listing.tally, []
    if tally.left_out:
        notes.append(f"{tally.left_out} entries are no cameras (groups, recorders, entries without an id)")
    if tally.listed < tally.promised:
        notes.append(f"{tally.promised} entries were promised, {tally.listed} came; it changed meanwhile, pull again")
    return PlatformListing(channels, (http.host, *(host.lower() for host in stream_hosts)), tuple(notes))


def pull(registry: RegistryAccess, listing: PlatformListing, options: PullOptions, settings: Settings) -> PullReport:
    """Write the platform's claims into the registry, and report or add its unknown channels."""
    report = PullReport(channels=len(listing.channels))
    listed: set[str] = set()
    changed: list[Camera] = []
    for camera_status in registry.cameras(CameraQuery()):
        camera = camera_status.camera
        channel = listing.channels.find(camera)
        if channel is not None:
            listed.add(channel.ids[0])
        if not camera.region.startswith(options.region):
            continue
        status_now = _claimed_status(camera, channel, listing, options, report)
        if status_now == camera.platform_status:
            continue
        report.changes.append(Change(camera.camera_id, camera.name, camera.region, camera.platform_status, status_now))
        changed.append(replace(camera, platform_status=status_now))
        if len(changed) >= _CHUNK_ROWS:
            _flush(registry, changed, options, report)
    _flush(registry, changed, options, report)
    report.unknown = [
        channel
        for channel in listing.channels
        if channel.ids[0] not in listed and channel.region.startswith(options.region)
    ]
    if options.stream_url is not None:
        _add_unknown(registry, options, options.stream_url, report, settings)
    return report


def compare_claims(registry: RegistryAccess, region: str) -> ClaimComparison:
    """Compare the platform's claims with what the engine sees, over the cameras of a region."""
    comparison = ClaimComparison()
    for status in registry.cameras(CameraQuery(region)):
        differing = disagreement(status)
        if differing is not None:
            comparison.disagree.append(differing)
        elif (
            None in (claimed_online(status.camera.platform_status), seen_online(status.latest))
            or not status.camera.enabled
        ):
            comparison.unclear += 1
        else:
            comparison.agree += 1
    return comparison


def _claimed_channels(http: PlatformHttp, channels: Iterator[Channel]) -> ClaimedChannels:
    try:
        return ClaimedChannels(channels)
    except PlatformError as error:
        raise PlatformError(http.masked(str(error)), error.status) from error


def _claimed_status(
    camera: Camera, channel: Channel | None, listing: PlatformListing, options: PullOptions, report: PullReport
) -> str:
    if channel is not None:
        report.known += 1
        return channel.status
    if host_of(camera.url) in listing.hosts or camera.uplink.partition(":")[0].lower() in listing.hosts:
        report.absent += 1
        if options.mark_absent:
            return OFF
    return camera.platform_status


def _flush(registry: RegistryAccess, changed: list[Camera], options: PullOptions, report: PullReport) -> None:
    if changed and not options.dry_run:
        report.problems += registry.upsert(changed, keep_good=True).problems
    changed.clear()


def _add_unknown(
    registry: RegistryAccess, options: PullOptions, stream_url: StreamUrl, report: PullReport, settings: Settings
) -> None:
    rows = [_camera(channel, stream_url) for channel in report.unknown]
    problems = check_cameras(rows, partial(check_url, schemes=settings.feed.schemes))
    bad = {problem.index for problem in problems}
    good = [row for index, row in enumerate(rows) if index not in bad]
    report.problems += problems
    report.added = len(good)
    if good and not options.dry_run:
        upserted = registry.upsert(good, keep_good=True)
        report.added = upserted.added
        report.problems += upserted.problems


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
