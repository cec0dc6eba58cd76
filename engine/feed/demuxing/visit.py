"""One visit through FFmpeg's demuxers: open, first keyframe with its parameter sets, close. Blocks; decodes nothing.

FFmpeg connects to nothing but this machine: what it reads comes from `engine.feed.sources`.
"""

import contextlib
import logging
from fractions import Fraction
from urllib.parse import urlsplit

import av
import av.error

from engine.clock import NS_PER_S, monotonic_ns, wall_ns
from engine.config.feed import FeedSettings
from engine.errors import SourceRefusedError
from engine.feed.camera_url import check_secrets, check_url, file_path
from engine.feed.demuxing.failure import explain
from engine.feed.failure import visit_failure
from engine.feed.sources.connection import Connections
from engine.feed.sources.hls import Hls, SegmentFile
from engine.feed.sources.http import Answer, get
from engine.feed.sources.playlist import START as PLAYLIST_START
from engine.feed.sources.progress import Progress, SourceError
from engine.feed.sources.relay import Relay
from engine.media.jpeg import END_OF_IMAGE, START_OF_IMAGE
from engine.media.keyframe_check import complete_keyframe
from engine.model.keyframe import PAYLOAD_BYTES_MAX, Codec, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder

av.logging.set_skip_repeated(False)  # another visit may just have logged the same
_libav = logging.getLogger("libav")  # FFmpeg's lines outside a visit: the decoder's, which has words of its own
_libav.addHandler(logging.NullHandler())
_libav.propagate = False

_CODECS = {"h264": Codec.H264, "hevc": Codec.H265, "mjpeg": Codec.MJPEG}
_TO_ANNEX_B = {Codec.H264: "h264_mp4toannexb", Codec.H265: "hevc_mp4toannexb"}
_PACKETS_MAX = 20_000
_LOG_LINES_MAX = 100
_READ_BYTES = 65_536
_NEXT_PICTURE = END_OF_IMAGE + START_OF_IMAGE + b"\xff"
_FORMATS = (
    "flv,live_flv,mpegts,mpeg,mov,mp4,matroska,webm,avi,mpjpeg,mjpeg,jpeg_pipe,h264,hevc,"
    "aac,mp3,ogg,wav"  # sound without a picture, to say so
)
"""What a server may send. Not among them: formats that name other files or addresses (HLS, DASH, SDP, lists)."""
_OF_BYTES = {
    "format_whitelist": _FORMATS,
    "protocol_whitelist": "none",  # nothing that these bytes name is opened
    # The headers name the codec, but audio and video arrive one after the other; this is how long FFmpeg waits for the
    # second.
    "analyzeduration": "1000000",
    "probesize": "500000",
}
_NO_STREAM = (av.error.InvalidDataError, av.error.ArgumentError, UnicodeDecodeError)
"""What FFmpeg and PyAV raise for bytes that are no stream of a format that they may be."""
_Container = av.container.InputContainer


def demux_visit(order: VisitOrder, settings: FeedSettings, progress: Progress) -> Keyframe | VisitFailure:
    """Fetch one keyframe, or return why there is none. May block past its deadline, so no caller may wait for it."""
    try:
        check_url(order.url, settings.schemes)
        check_secrets(order.url)
    except SourceRefusedError as error:
        return _failure(order, progress, FailureReason.SOURCE_REFUSED, str(error))
    if av.logging.get_level() != av.logging.ERROR:  # whoever decodes in this process silences FFmpeg
        av.logging.set_level(av.logging.ERROR)
    scheme = urlsplit(order.url).scheme.lower()
    visit = _visit_file if scheme == "file" else _visit_http if scheme in ("http", "https") else _visit_relayed
    with av.logging.Capture(local=True) as log:
        try:
            return visit(order, settings, progress)
        except SourceError as failure:
            return _failure(order, progress, failure.reason, failure.detail)
        except (av.FFmpegError, OSError) as error:
            said = [message.strip() for _, _, message in log[-_LOG_LINES_MAX:]]
            return _failure(order, progress, *explain(error, said, order.url, settings, progress))
        except (UnicodeDecodeError, ValueError, KeyError) as error:
            # PyAV reads names of streams as UTF-8; garbage that looks like a container gets this far.
            return _failure(order, progress, FailureReason.PROTOCOL_ERROR, f"not a stream: {type(error).__name__}")


def _visit_file(order: VisitOrder, settings: FeedSettings, progress: Progress) -> Keyframe | VisitFailure:
    container = av.open(
        file_path(order.url), options={"protocol_whitelist": "file"}, timeout=_timeout(settings, progress)
    )
    return _visit_container(order, progress, container)


def _visit_http(order: VisitOrder, settings: FeedSettings, progress: Progress) -> Keyframe | VisitFailure:
    connections = Connections(order.url, settings, progress)
    with contextlib.closing(get(order.url, connections)) as answer:
        begin = answer.begin()
        if not begin:
            return _failure(order, progress, FailureReason.PROTOCOL_ERROR, "the server's answer is empty")
        if begin.startswith(START_OF_IMAGE) and not answer.kind.startswith("multipart/"):
            return _keyframe(order, progress, Codec.MJPEG, _picture(answer), None, None)
        if begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(PLAYLIST_START):
            return _visit_hls(order, settings, progress, Hls(answer, connections))
        try:
            container = _open_bytes(answer, settings, progress)
        except _NO_STREAM as error:
            return _failure(order, progress, *_no_stream(answer, error))
        return _visit_container(order, progress, container)


def _visit_hls(order: VisitOrder, settings: FeedSettings, progress: Progress, hls: Hls) -> Keyframe | VisitFailure:
    outcome: Keyframe | VisitFailure | None = None
    try:
        for segment in hls.segments():
            with contextlib.closing(segment):
                outcome = _visit_container(order, progress, _open_bytes(segment, settings, progress))
            if isinstance(outcome, Keyframe) or outcome.reason not in (FailureReason.DAMAGED, FailureReason.NO_VIDEO):
                return outcome
    except SourceError as failure:
        if outcome is None or failure.reason is not FailureReason.TIMEOUT_KEYFRAME:
            raise
    return outcome or _failure(order, progress, FailureReason.NO_VIDEO, "the playlist has no segments")


def _open_bytes(source: Answer | SegmentFile, settings: FeedSettings, progress: Progress) -> _Container:
    # No name: FFmpeg goes by what comes, and never by what a server calls it.
    return av.open(source, "r", options=_OF_BYTES, timeout=_timeout(settings, progress))


def _visit_relayed(order: VisitOrder, settings: FeedSettings, progress: Progress) -> Keyframe | VisitFailure:
    with Relay(order.url, Connections(order.url, settings, progress)) as relay:
        try:
            container = av.open(relay.url, options=relay.options, timeout=_timeout(settings, progress))
            outcome = _visit_container(order, progress, container)
        except (av.FFmpegError, OSError, ValueError):
            if relay.failure is not None:
                raise relay.failure from None
            raise
        if isinstance(outcome, VisitFailure) and relay.failure is not None:
            raise relay.failure
        return outcome


def _timeout(settings: FeedSettings, progress: Progress) -> tuple[float, float]:
    """Return how long FFmpeg may take until it knows the streams, and for each packet after that, in s."""
    left_s = max(0.1, progress.left_s())
    return min(left_s, 2 * settings.connect_timeout_s), left_s


def _no_stream(answer: Answer, error: Exception) -> tuple[FailureReason, str]:
    """Return why FFmpeg finds no stream in what an HTTP server answers."""
    if answer.is_html or answer.is_text:
        kind = "a web page" if answer.is_html else answer.kind
        if answer.moved_to:
            return FailureReason.NO_VIDEO, f"the server sends callers on to {answer.moved_to}, and there is no video"
        return FailureReason.NO_VIDEO, f"the server answers with {kind}, not with video"
    if isinstance(error, UnicodeDecodeError):
        return FailureReason.PROTOCOL_ERROR, f"not a stream: {type(error).__name__}"
    return FailureReason.PROTOCOL_ERROR, str(getattr(error, "strerror", "") or error)


def _picture(answer: Answer) -> bytes:
    """Return a JPEG: all of the answer, or the first of several that follow one another without an end."""
    body = bytearray()
    while chunk := answer.read(_READ_BYTES):
        place = max(0, len(body) - len(_NEXT_PICTURE))
        body += chunk
        end = body.find(_NEXT_PICTURE, place)
        if end >= 0:
            del body[end + len(END_OF_IMAGE) :]
            break
        if len(body) > PAYLOAD_BYTES_MAX:
            detail = f"the picture has more than {PAYLOAD_BYTES_MAX} bytes"
            raise SourceError(FailureReason.FLOOD, detail)
    return bytes(body)


def _visit_container(order: VisitOrder, progress: Progress, container: _Container) -> Keyframe | VisitFailure:
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


def _first_keyframe(
    order: VisitOrder,
    progress: Progress,
    container: _Container,
    stream: "av.VideoStream",
    codec: Codec,
) -> Keyframe | VisitFailure:
    to_annex_b = av.BitStreamFilterContext(_TO_ANNEX_B[codec], stream) if codec in _TO_ANNEX_B else None
    extradata = bytes(stream.codec_context.extradata or b"")
    for number, packet in enumerate(container.demux(stream)):
        progress.released()
        progress.check()
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
        stream=order.stream,
    )


def _failure(order: VisitOrder, progress: Progress, reason: FailureReason, detail: str) -> VisitFailure:
    return visit_failure(order, reason, detail, progress.timings(whole=False))
