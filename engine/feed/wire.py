"""Packs and unpacks the messages of the feed. Pure. proto/patrol/v1/feed.proto is the contract.

Bounds are checked before anything is parsed.

Keyframe, from feeder or gateway:   "PK1" | KeyframeHeader | payload
Order, hub to feeder:               "VO1" | VisitOrder
Failed visit, feeder to hub:        "VF1" | VisitFailed
Dialogue, feeder to hub:            "VD1" | VisitDialogue, before the end of a visit that is traced
Heartbeat, feeder to hub:           "FS1" | FeederStatus
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message

from engine.errors import WireError
from engine.model.camera import CameraStream
from engine.model.dialogue import Side, TraceLine
from engine.model.keyframe import Codec, DropReason, Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder, VisitTimings
from engine.printable import printable
from patrol.v1 import feed_pb2

KEYFRAME = b"PK1"
ORDER = b"VO1"
FAILED = b"VF1"
DIALOGUE = b"VD1"
STATUS = b"FS1"
HEADER_BYTES_MAX = 4096
DIALOGUE_BYTES_MAX = 32 * 1024
_NOTE_BYTES_MAX = 200
"""Kept free for the line that says how many lines are left out."""
CAMERA_ID_CHARS_MAX = 64

_CODEC_NUMBER = {Codec.H264: feed_pb2.CODEC_H264, Codec.H265: feed_pb2.CODEC_H265, Codec.MJPEG: feed_pb2.CODEC_MJPEG}
_CODEC = {number: codec for codec, number in _CODEC_NUMBER.items()}
_KIND_NUMBER = {
    FeedKind.RTSP: feed_pb2.FEED_KIND_RTSP,
    FeedKind.DEMUX: feed_pb2.FEED_KIND_DEMUX,
    FeedKind.GATEWAY: feed_pb2.FEED_KIND_GATEWAY,
}
_KIND = {number: kind for kind, number in _KIND_NUMBER.items()}
_STREAM_NUMBER = {CameraStream.MAIN: feed_pb2.CAMERA_STREAM_MAIN, CameraStream.SUB: feed_pb2.CAMERA_STREAM_SUB}
_REASON_NUMBER: dict[FailureReason, feed_pb2.FailureReason] = {
    reason: getattr(feed_pb2, f"FAILURE_REASON_{reason.name}") for reason in FailureReason
}
_REASON = {number: reason for reason, number in _REASON_NUMBER.items()}

Frame = bytes | memoryview


def pack_keyframe(keyframe: Keyframe) -> list[Frame]:
    """Return the three frames of a keyframe; the payload is not copied."""
    return [KEYFRAME, pack_header(keyframe), keyframe.payload]


def pack_header(keyframe: Keyframe) -> bytes:
    """Return the serialised header of a keyframe: everything but its payload."""
    timings = keyframe.timings
    header = feed_pb2.KeyframeHeader(
        camera_id=keyframe.camera_id,
        codec=_CODEC_NUMBER[keyframe.codec],
        arrival_wall_ns=keyframe.arrival_wall_ns,
        visit_id=keyframe.visit_id,
        source=_KIND_NUMBER[keyframe.source],
        timings=_pack_timings(timings),
        stream=_STREAM_NUMBER[keyframe.stream],
    )
    if keyframe.stream_time_ns is not None:
        header.stream_time_ns = keyframe.stream_time_ns
    return header.SerializeToString()


def unpack_keyframe(frames: Sequence[Frame], payload_bytes_max: int, now_wall_ns: int) -> Keyframe:
    """Return the keyframe in a three-frame message.

    A header without an arrival time gets `now_wall_ns`. Raises WireError with a DropReason, before anything large is
    read, if the message is malformed or too large.
    """
    if len(frames) != 3 or frames[0] != KEYFRAME:
        raise WireError(DropReason.MALFORMED, f"{len(frames)} frames; a keyframe has three: PK1, header, payload")
    return unpack_header(frames[1], frames[2], payload_bytes_max, now_wall_ns)


def unpack_header(raw: Frame, payload: Frame, payload_bytes_max: int, now_wall_ns: int) -> Keyframe:
    """Return the keyframe of a serialised header and its payload. Raises WireError as unpack_keyframe does."""
    if len(raw) > HEADER_BYTES_MAX:
        raise WireError(DropReason.MALFORMED, f"a header of {len(raw)} bytes; at most {HEADER_BYTES_MAX} are allowed")
    if not 1 <= len(payload) <= payload_bytes_max:
        reason = DropReason.TOO_LARGE if payload else DropReason.MALFORMED
        raise WireError(reason, f"a payload of {len(payload)} bytes; 1 to {payload_bytes_max} are allowed")
    header = feed_pb2.KeyframeHeader()
    _parse(header, raw)
    codec = _CODEC.get(header.codec)
    if codec is None:
        raise WireError(DropReason.MALFORMED, f"codec {header.codec}; allowed: 1 (H.264), 2 (H.265), 3 (MJPEG)")
    timings = header.timings
    return Keyframe(
        camera_id=_checked_id(header.camera_id),
        visit_id=header.visit_id,
        codec=codec,
        payload=payload,
        arrival_wall_ns=header.arrival_wall_ns or now_wall_ns,
        stream_time_ns=header.stream_time_ns if header.HasField("stream_time_ns") else None,
        source=_KIND.get(header.source, FeedKind.GATEWAY),
        timings=_unpack_timings(timings),
        stream=_stream_of(header.stream),
    )


def pack_order(order: VisitOrder) -> list[Frame]:
    """Return the frames of an order to a feeder."""
    message = feed_pb2.VisitOrder(
        visit_id=order.visit_id,
        camera_id=order.camera_id,
        url=order.url,
        deadline_ns=order.deadline_ns,
        via=_KIND_NUMBER[order.via],
        region=order.region,
        trace=order.trace,
        stream=_STREAM_NUMBER[order.stream],
    )
    return [ORDER, message.SerializeToString()]


def unpack_order(frames: Sequence[Frame]) -> VisitOrder:
    """Return the order in a two-frame message. Raises WireError if it is malformed."""
    message = feed_pb2.VisitOrder()
    _parse(message, _body(frames, ORDER))
    return VisitOrder(
        visit_id=message.visit_id,
        camera_id=message.camera_id,
        url=message.url,
        deadline_ns=message.deadline_ns,
        via=_KIND.get(message.via, FeedKind.DEMUX),
        region=message.region,
        trace=message.trace,
        stream=_stream_of(message.stream),
    )


def pack_dialogue(visit_id: int, lines: Sequence[TraceLine]) -> list[Frame]:
    """Return the frames of a visit's dialogue; lines that do not fit into DIALOGUE_BYTES_MAX are left out, and counted
    in the last."""
    message = feed_pb2.VisitDialogue(visit_id=visit_id)
    room = DIALOGUE_BYTES_MAX - _NOTE_BYTES_MAX - message.ByteSize()
    for number, line in enumerate(lines):
        packed = feed_pb2.VisitDialogue.Line(after_ns=line.after_ns, side=line.side.value, text=line.text)
        room -= packed.ByteSize() + 4  # tag and length
        if room < 0:
            packed.side, packed.text = Side.NOTE.value, f"{len(lines) - number} more lines are left out"
            message.lines.append(packed)
            break
        message.lines.append(packed)
    return [DIALOGUE, message.SerializeToString()]


def unpack_dialogue(frames: Sequence[Frame]) -> tuple[int, tuple[TraceLine, ...]]:
    """Return the visit's id and the lines in a two-frame message. Raises WireError if it is malformed."""
    message = feed_pb2.VisitDialogue()
    _parse(message, _body(frames, DIALOGUE, DIALOGUE_BYTES_MAX))
    known = set(Side)
    lines = (
        TraceLine(line.after_ns, Side(line.side) if line.side in known else Side.NOTE, printable(line.text))
        for line in message.lines
    )
    return message.visit_id, tuple(lines)


def pack_failure(failure: VisitFailure) -> list[Frame]:
    """Return the frames of a failed visit; `detail` is cut to 500 characters."""
    message = feed_pb2.VisitFailed(
        visit_id=failure.visit_id,
        camera_id=failure.camera_id,
        reason=_REASON_NUMBER[failure.reason],
        detail=failure.detail[:500],
        timings=_pack_timings(failure.timings),
    )
    return [FAILED, message.SerializeToString()]


def unpack_failure(frames: Sequence[Frame]) -> VisitFailure:
    """Return the failed visit in a two-frame message. Raises WireError if it is malformed."""
    message = feed_pb2.VisitFailed()
    _parse(message, _body(frames, FAILED))
    return VisitFailure(
        camera_id=message.camera_id,
        visit_id=message.visit_id,
        reason=_REASON.get(message.reason, FailureReason.INTERNAL),
        detail=printable(message.detail),
        timings=_unpack_timings(message.timings),
    )


def pack_status(status: feed_pb2.FeederStatus) -> list[Frame]:
    """Return the frames of a feeder's heartbeat."""
    return [STATUS, status.SerializeToString()]


def unpack_status(frames: Sequence[Frame]) -> feed_pb2.FeederStatus:
    """Return the heartbeat in a two-frame message. Raises WireError if it is malformed."""
    message = feed_pb2.FeederStatus()
    _parse(message, _body(frames, STATUS))
    return message


def feeder_kind(status: feed_pb2.FeederStatus) -> FeedKind:
    """Return which visits this feeder makes."""
    return _KIND.get(status.kind, FeedKind.DEMUX)


def _stream_of(number: int) -> CameraStream:
    return CameraStream.SUB if number == feed_pb2.CAMERA_STREAM_SUB else CameraStream.MAIN


def _body(frames: Sequence[Frame], tag: bytes, bytes_max: int = HEADER_BYTES_MAX) -> Frame:
    if len(frames) != 2 or frames[0] != tag or len(frames[1]) > bytes_max:
        raise WireError(DropReason.MALFORMED, f"not a {tag.decode()} message of two frames")
    return frames[1]


def _parse(message: Message, raw: Frame) -> None:
    try:
        message.ParseFromString(bytes(raw))
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a {type(message).__name__}: {error}") from error


def _checked_id(camera_id: str) -> str:
    if not 1 <= len(camera_id) <= CAMERA_ID_CHARS_MAX or not camera_id.isprintable():
        raise WireError(
            DropReason.MALFORMED, f"a camera id of {len(camera_id)} characters; 1 to 64 printable ones are allowed"
        )
    return camera_id


def _pack_timings(timings: VisitTimings) -> feed_pb2.VisitTimings:
    return feed_pb2.VisitTimings(
        connect_ns=timings.connect_ns,
        keyframe_ns=timings.keyframe_ns,
        total_ns=timings.total_ns,
        received_bytes=timings.received_bytes,
    )


def _unpack_timings(timings: feed_pb2.VisitTimings) -> VisitTimings:
    return VisitTimings(timings.connect_ns, timings.keyframe_ns, timings.total_ns, timings.received_bytes)
