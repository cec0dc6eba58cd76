"""One visit through FFmpeg's demuxers: open, first keyframe with its parameter sets, close. Blocks; decodes nothing."""

import contextlib
from fractions import Fraction
from urllib.parse import urlsplit

import av
import av.error

from engine.clock import NS_PER_S, monotonic_ns, seconds, wall_ns
from engine.config.schema import FeedSettings
from engine.feed.camera_url import file_path
from engine.media.keyframe_check import complete_keyframe
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder, VisitTimings
from engine.redact import redact

av.logging.set_level(av.logging.PANIC)

_CODECS = {"h264": Codec.H264, "hevc": Codec.H265, "mjpeg": Codec.MJPEG}
_TO_ANNEX_B = {Codec.H264: "h264_mp4toannexb", Codec.H265: "hevc_mp4toannexb"}
_PACKETS_MAX = 20_000
_PROBE: dict[str, dict[str, str]] = {
    # The SDP names the codec: nothing to probe.
    "rtsp": {"analyzeduration": "1", "probesize": "32"},
    "rtsps": {"analyzeduration": "1", "probesize": "32"},
    # The tags' headers name the codec, but audio and video arrive one after the other; this is how long FFmpeg waits
    # for the second.
    "rtmp": {"analyzeduration": "1000000", "probesize": "500000"},
    "rtmps": {"analyzeduration": "1000000", "probesize": "500000"},
    "http": {"analyzeduration": "1000000", "probesize": "500000"},
    "https": {"analyzeduration": "1000000", "probesize": "500000"},
    "file": {},
}
_REASONS: list[tuple[type[BaseException], FailureReason]] = [
    (av.error.HTTPUnauthorizedError, FailureReason.UNAUTHORIZED),
    (av.error.HTTPForbiddenError, FailureReason.UNAUTHORIZED),
    (av.error.HTTPNotFoundError, FailureReason.NOT_FOUND),
    (av.error.FileNotFoundError, FailureReason.NOT_FOUND),
    (av.error.ConnectionRefusedError, FailureReason.REFUSED),
    (av.error.PermissionError, FailureReason.UNAUTHORIZED),
]
_ERRNO_TIMED_OUT, _ERRNO_UNREACHABLE = {110, 11}, {101, 113, 104, 32}


class Progress:
    """How far a visit has come; the pool reads it when the deadline has passed."""

    def __init__(self) -> None:
        self.began_ns = monotonic_ns()
        self.opened_ns = 0
        self.damaged = 0
        self.received_bytes = 0

    def timings(self, *, whole: bool) -> VisitTimings:
        """Return the timings so far. `whole`: a keyframe has come."""
        now_ns = monotonic_ns()
        opened_ns = self.opened_ns
        return VisitTimings(
            connect_ns=opened_ns - self.began_ns if opened_ns else 0,
            keyframe_ns=now_ns - opened_ns if opened_ns and whole else 0,
            total_ns=now_ns - self.began_ns,
            received_bytes=self.received_bytes,
        )


def demux_visit(order: VisitOrder, settings: FeedSettings, progress: Progress) -> Keyframe | VisitFailure:
    """Fetch one keyframe, or return why there is none. May block past its deadline, so no caller may wait for it."""
    try:
        return _visit(order, settings, progress)
    except (av.FFmpegError, OSError) as error:
        jpeg = _get_snapshot(order, settings, progress) if isinstance(error, av.error.InvalidDataError) else None
        if jpeg is not None:
            progress.received_bytes += len(jpeg)
            return _keyframe(order, progress, Codec.MJPEG, jpeg, None, None)
        return _failure(order, progress, *_reason(error, progress))
    except (UnicodeDecodeError, ValueError, KeyError) as error:
        # PyAV reads names of streams as UTF-8; garbage that looks like a container gets this far.
        return _failure(order, progress, FailureReason.PROTOCOL_ERROR, f"not a stream: {type(error).__name__}")


def _visit(order: VisitOrder, settings: FeedSettings, progress: Progress) -> Keyframe | VisitFailure:
    scheme = urlsplit(order.url).scheme.lower()
    limit_s = seconds(order.deadline_ns)
    container = av.open(
        file_path(order.url) if scheme == "file" else order.url,
        options=_options(scheme, settings),
        timeout=(min(limit_s, 2 * settings.connect_timeout_s), limit_s),
    )
    with contextlib.closing(container):
        progress.opened_ns = monotonic_ns()
        if not container.streams.video:
            kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            return _failure(order, progress, FailureReason.NO_VIDEO, f"the source offers {kinds}, but no video")
        stream = container.streams.video[0]
        name = stream.codec_context.name
        codec = _CODECS.get(name)
        if codec is None:
            detail = f"video in {name}; supported: H.264, H.265, MJPEG"
            return _failure(order, progress, FailureReason.UNSUPPORTED_CODEC, detail)
        return _first_keyframe(order, progress, container, stream, codec)


def _get_snapshot(order: VisitOrder, settings: FeedSettings, progress: Progress) -> bytes | None:
    if urlsplit(order.url).scheme.lower() not in ("http", "https"):
        return None
    from engine.feed.snapshot import get_jpeg  # few cameras need it, and httpx takes time to import

    deadline_ns = progress.began_ns + order.deadline_ns
    return get_jpeg(order.url, settings.connect_timeout_s, deadline_ns, settings.tls_verify)


def _first_keyframe(
    order: VisitOrder,
    progress: Progress,
    container: "av.container.InputContainer",
    stream: "av.VideoStream",
    codec: Codec,
) -> Keyframe | VisitFailure:
    to_annex_b = av.BitStreamFilterContext(_TO_ANNEX_B[codec], stream) if codec in _TO_ANNEX_B else None
    extradata = bytes(stream.codec_context.extradata or b"")
    for number, packet in enumerate(container.demux(stream)):
        progress.received_bytes += packet.size
        if number > _PACKETS_MAX or packet.size > PAYLOAD_BYTES_MAX:
            progress.damaged += 1
            excess = f"a packet of {packet.size} bytes" if number <= _PACKETS_MAX else f"{_PACKETS_MAX} packets"
            return _failure(order, progress, FailureReason.DAMAGED, f"{excess} without a usable keyframe")
        if not packet.size:
            continue
        if packet.is_corrupt:
            progress.damaged += packet.is_keyframe
            continue
        for access_unit in to_annex_b.filter(packet) if to_annex_b else [packet]:
            is_keyframe = access_unit.is_keyframe
            payload = complete_keyframe(codec, bytes(access_unit), extradata) if is_keyframe else None
            if payload is not None and len(payload) <= PAYLOAD_BYTES_MAX:
                return _keyframe(order, progress, codec, payload, access_unit.pts, access_unit.time_base)
            progress.damaged += is_keyframe
    if progress.damaged:
        detail = f"{progress.damaged} keyframes came, none of them whole, then the source ended"
        return _failure(order, progress, FailureReason.DAMAGED, detail)
    return _failure(order, progress, FailureReason.NO_VIDEO, "the source ended without a keyframe")


def _keyframe(
    order: VisitOrder, progress: Progress, codec: Codec, payload: bytes, pts: int | None, base: Fraction | None
) -> Keyframe:
    return Keyframe(
        camera_id=order.camera_id,
        visit_id=order.visit_id,
        codec=codec,
        payload=payload,
        arrival_wall_ns=wall_ns(),
        stream_time_ns=None if pts is None or base is None else round(pts * base * NS_PER_S),
        source=FeedKind.DEMUX,
        timings=progress.timings(whole=True),
    )


def _options(scheme: str, settings: FeedSettings) -> dict[str, str]:
    protocols = list(settings.demux_protocols)
    if scheme == "file" and "file" in settings.schemes:
        protocols = ["file"]
    elif scheme == "rtsp":
        protocols = [protocol for protocol in protocols if protocol in ("tcp", "udp", "rtp", "tls")]
    options = {"protocol_whitelist": ",".join(protocols), **_PROBE.get(scheme, {})}
    timeout_us = str(round(settings.connect_timeout_s * 1e6))
    if scheme in ("rtsp", "rtsps"):
        options |= {"rtsp_transport": settings.rtsp_transport, "timeout": timeout_us}
    elif scheme != "file":
        options |= {"rw_timeout": timeout_us}
    if scheme in ("http", "https"):
        # The newest segment of a live playlist; a segment must be a media file, whatever its path says.
        options |= {"live_start_index": "-1", "tls_verify": "1" if settings.tls_verify else "0"}
    return options


def _reason(error: BaseException, progress: Progress) -> tuple[FailureReason, str]:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason, str(getattr(error, "strerror", error) or error)
    text = str(getattr(error, "strerror", "") or error)
    number = getattr(error, "errno", None)
    log = str(getattr(error, "log", "") or "")
    if "resolve" in log or "resolve" in text:
        return FailureReason.DNS, "the host's name does not resolve"
    if isinstance(error, av.error.ExitError) or number in _ERRNO_TIMED_OUT or isinstance(error, TimeoutError):
        late = FailureReason.TIMEOUT_KEYFRAME if progress.opened_ns else FailureReason.TIMEOUT_CONNECT
        return late, "no answer in time"
    if number in _ERRNO_UNREACHABLE:
        return FailureReason.UNREACHABLE, text
    return FailureReason.PROTOCOL_ERROR, text


def _failure(order: VisitOrder, progress: Progress, reason: FailureReason, detail: str) -> VisitFailure:
    return VisitFailure(order.camera_id, order.visit_id, reason, redact(detail)[:300], progress.timings(whole=False))
