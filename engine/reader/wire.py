"""Converts the messages between hub and reader to bytes and back. Pure.

proto/patrol/v1/reading.proto defines them.

job       hub to reader    "RT1" | ReadJob | KeyframeHeader | payload
ready     reader to hub    "RD1"
result    reader to hub    "RR1" | ReadResult
"""

from dataclasses import dataclass

from google.protobuf.message import DecodeError as ProtobufError

from engine.errors import WireError
from engine.feed import wire
from engine.model.keyframe import DropReason, Keyframe
from engine.model.overlay import LINE_CHARS_MAX, LINES_MAX, Box, PictureText, TextLine
from engine.printable import printable
from patrol.v1 import reading_pb2

JOB = b"RT1"
READY = b"RD1"
RESULT = b"RR1"
CROP_BYTES_MAX = 1_000_000
"""Largest crop, as JPEG."""
SIDE_PX_MAX = 16_384
"""Longest side of a picture that can be read."""


@dataclass(frozen=True, slots=True)
class Job:
    """One keyframe to read, or with `crop` to cut out a part of, as JPEG."""

    job_id: int
    keyframe: Keyframe
    crop: Box | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The outcome of a job that came to nothing. `reason`: one word; `detail`: one sentence."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Result:
    """The reader's answer, one for each job. `outcome`: the text, the JPEG of a crop, or why there is neither."""

    job_id: int
    outcome: PictureText | bytes | Failed


def pack_job(job: Job) -> list[wire.Frame]:
    """Return the four frames of a job; the payload is not copied."""
    message = reading_pb2.ReadJob(job_id=job.job_id)
    if job.crop is not None:
        _fill_box(message.crop, job.crop)
    return [JOB, message.SerializeToString(), wire.pack_header(job.keyframe), job.keyframe.payload]


def unpack_job(frames: list[wire.Frame], payload_bytes_max: int) -> Job:
    """Parse a job. Raises WireError if the frames are not a job."""
    if len(frames) != 4 or frames[0] != JOB:
        raise WireError(DropReason.MALFORMED, f"{len(frames)} frames; a job is four: RT1, ReadJob, header, payload")
    try:
        message = reading_pb2.ReadJob.FromString(bytes(frames[1]))
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a ReadJob: {error}") from error
    keyframe = wire.unpack_header(frames[2], frames[3], payload_bytes_max, 0)
    return Job(message.job_id, keyframe, _box(message.crop) if message.HasField("crop") else None)


def pack_result(result: Result) -> list[wire.Frame]:
    """Return the two frames of a result."""
    message = reading_pb2.ReadResult(job_id=result.job_id)
    outcome = result.outcome
    if isinstance(outcome, PictureText):
        message.text.width, message.text.height = outcome.width, outcome.height
        for line in outcome.lines:
            added = message.text.lines.add(text=line.text, confidence=line.confidence)
            _fill_box(added.box, line.box)
    elif isinstance(outcome, bytes):
        message.jpeg = outcome
    else:
        message.failed.reason, message.failed.detail = outcome.reason, outcome.detail[:500]
    return [RESULT, message.SerializeToString()]


def unpack_result(frames: list[wire.Frame]) -> Result:
    """Parse a result; what a reader says that a camera has taken over is held to bounds. Raises WireError."""
    if len(frames) != 2 or frames[0] != RESULT:
        raise WireError(DropReason.MALFORMED, "not an RR1 message of two frames")
    try:
        message = reading_pb2.ReadResult.FromString(bytes(frames[1]))
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a ReadResult: {error}") from error
    which = message.WhichOneof("outcome")
    if which == "text":
        return Result(message.job_id, _text(message.text))
    if which == "jpeg":
        if not message.jpeg.startswith(b"\xff\xd8") or len(message.jpeg) > CROP_BYTES_MAX:
            raise WireError(DropReason.MALFORMED, f"a crop of {len(message.jpeg)} bytes is no JPEG of its size")
        return Result(message.job_id, message.jpeg)
    return Result(message.job_id, Failed(message.failed.reason[:40], printable(message.failed.detail[:500])))


def _text(message: reading_pb2.ReadText) -> PictureText:
    if not (0 < message.width <= SIDE_PX_MAX and 0 < message.height <= SIDE_PX_MAX) or len(message.lines) > LINES_MAX:
        size = f"{message.width} x {message.height}, {len(message.lines)} lines"
        raise WireError(DropReason.MALFORMED, f"text of {size}; allowed: {SIDE_PX_MAX} a side, {LINES_MAX} lines")
    lines: list[TextLine] = []
    for line in message.lines:
        box = _box(line.box)
        if not 0 <= line.confidence <= 1.01 or max(box) > SIDE_PX_MAX:
            raise WireError(DropReason.MALFORMED, f"a line with confidence {line.confidence} at {box}")
        lines.append(TextLine(printable(line.text[:LINE_CHARS_MAX]), min(1.0, line.confidence), box))
    return PictureText(message.width, message.height, tuple(lines))


def _box(message: reading_pb2.TextBox) -> Box:
    return Box(message.left, message.top, message.width, message.height)


def _fill_box(message: reading_pb2.TextBox, box: Box) -> None:
    message.left, message.top, message.width, message.height = box
