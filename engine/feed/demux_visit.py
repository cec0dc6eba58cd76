"""One visit through FFmpeg's demuxers: open, first keyframe with its parameter sets, close. Blocks; decodes nothing."""

import contextlib
import logging
from fractions import Fraction
from urllib.parse import urlsplit

import av
import av.error

from engine.clock import NS_PER_S, monotonic_ns, ns, seconds, wall_ns
from engine.config.schema import FeedSettings
from engine.errors import SourceRefusedError
from engine.feed.camera_url import check_secrets, check_url, file_path
from engine.feed.demux_failure import explain, timed_out
from engine.feed.demux_progress import Progress
from engine.media.keyframe_check import complete_keyframe
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from engine.redact import without_secrets_of

av.logging.set_skip_repeated(False)  # another visit may just have logged the same
_libav = logging.getLogger("libav")  # FFmpeg's lines outside a visit: the decoder's, which has words of its own
_libav.addHandler(logging.NullHandler())
_libav.propagate = False

_CODECS = {"h264": Codec.H264, "hevc": Codec.H265, "mjpeg": Codec.MJPEG}
_TO_ANNEX_B = {Codec.H264: "h264_mp4toannexb", Codec.H265: "hevc_mp4toannexb"}
_PACKETS_MAX = 20_000
_LOG_LINES_MAX = 100
_OPENING_SHARE = 0.9
"""Share of the time after which FFmpeg must know the streams; the rest is for finding out why it does not."""
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
_WEB_PAGE = "the server answers with a web page, not with video"


def demux_visit(order: VisitOrder, settings: FeedSettings, progress: Progress) -> Keyframe | VisitFailure:
    """Fetch one keyframe, or return why there is none. May block past its deadline, so no caller may wait for it."""
    try:
        check_url(order.url, settings.schemes)
        check_secrets(order.url)
    except SourceRefusedError as error:
        return _failure(order, progress, FailureReason.SOURCE_REFUSED, str(error))
    if av.logging.get_level() != av.logging.ERROR:  # whoever decodes in this process silences FFmpeg
        av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture(local=True) as log:
        try:
            return _visit(order, settings, progress)
        except av.error.InvalidDataError as error:
            return _ask_page(order, settings, progress, str(error.strerror))
        except (av.FFmpegError, OSError) as error:
            said = [message.strip() for _, _, message in log[-_LOG_LINES_MAX:]]
            return _failure(order, progress, *explain(error, said, order, settings, progress))
        except (UnicodeDecodeError, ValueError, KeyError) as error:
            # PyAV reads names of streams as UTF-8; garbage that looks like a container gets this far.
            return _failure(order, progress, FailureReason.PROTOCOL_ERROR, f"not a stream: {type(error).__name__}")


def _visit(order: VisitOrder, settings: FeedSettings, progress: Progress) -> Keyframe | VisitFailure:
    scheme = urlsplit(order.url).scheme.lower()
    limit_s = seconds(order.deadline_ns)
    container = av.open(
        file_path(order.url) if scheme == "file" else order.url,
        options=_options(scheme, settings),
        timeout=(min(_OPENING_SHARE * limit_s, 2 * settings.connect_timeout_s), limit_s),
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
        outcome = _first_keyframe(order, progress, container, stream, codec)
    if isinstance(outcome, VisitFailure) and codec is Codec.MJPEG:
        asked = _ask_page(order, settings, progress, outcome.detail, with_picture=False)  # FFmpeg believes a name
        return asked if isinstance(asked, VisitFailure) and asked.reason is FailureReason.NO_VIDEO else outcome
    return outcome


def _ask_page(
    order: VisitOrder, settings: FeedSettings, progress: Progress, detail: str, *, with_picture: bool = True
) -> Keyframe | VisitFailure:
    """Ask an HTTP server what it has there instead of a stream: a JPEG that FFmpeg does not take, or a web page.

    `detail`: what FFmpeg says. `with_picture`: whether to take a JPEG.
    """
    scheme = urlsplit(order.url).scheme.lower()
    if scheme in ("rtsp", "rtsps") and monotonic_ns() - progress.began_ns >= ns(settings.connect_timeout_s):
        # FFmpeg's RTSP takes a response that did not come in time for one that is none.
        return _failure(order, progress, *timed_out(order, progress))
    unclear = _failure(order, progress, FailureReason.PROTOCOL_ERROR, detail)
    if scheme not in ("http", "https"):
        return unclear
    from engine.feed.snapshot import get_page  # few cameras need it, and httpx takes time to import

    deadline_ns = progress.began_ns + order.deadline_ns
    page = get_page(order.url, settings.connect_timeout_s, deadline_ns, settings.tls_verify, with_picture=with_picture)
    if page.jpeg is not None:
        progress.received_bytes += len(page.jpeg)
        return _keyframe(order, progress, Codec.MJPEG, page.jpeg, None, None)
    if page.is_late:
        return _failure(order, progress, *timed_out(order, progress))
    if page.is_html:
        return _failure(order, progress, FailureReason.NO_VIDEO, _WEB_PAGE)
    if page.location:
        moved = f"the server sends callers on to {page.location}, and there is no video"
        return _failure(order, progress, FailureReason.NO_VIDEO, moved)
    if page.is_empty:
        return _failure(order, progress, FailureReason.PROTOCOL_ERROR, "the server's answer is empty")
    if page.is_text:
        return _failure(order, progress, FailureReason.NO_VIDEO, f"the server answers with {page.kind}, not with video")
    return unclear


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


def _failure(order: VisitOrder, progress: Progress, reason: FailureReason, detail: str) -> VisitFailure:
    shown = without_secrets_of(order.url, detail)[:300]
    return VisitFailure(order.camera_id, order.visit_id, reason, shown, progress.timings(whole=False))
