"""Converts the messages between hub and workers to bytes and back. Pure.

proto/patrol/v1/measurement.proto defines them.

job       hub to worker    "JB1" | Job | KeyframeHeader | payload      up to JOBS_MAX times
          hub to worker    "JP1" | Job | payload             of a photograph
ready     worker to hub    "RD1" | credit in decimal digits
result    worker to hub    "JR1" | JobResult                           up to JOBS_MAX times

A message wakes its receiver, which costs as much as judging a small picture. So jobs go together, and so do results.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError as ProtobufError

from engine.errors import WireError
from engine.feed import wire
from engine.model.active_area import ActiveArea
from engine.model.keyframe import DropReason, Keyframe
from engine.model.measurement import Measurement
from engine.model.packed.measurement import area_of, fill_area, fill_measurement, measurement_of
from engine.model.picture import RenderedPicture
from engine.model.verdict import Verdict
from engine.storage.evidence.keyframe_file import facts_of, verdict_of
from patrol.v1 import measurement_pb2

JOB = b"JB1"
PHOTOGRAPH = b"JP1"
READY = b"RD1"
RESULT = b"JR1"
JOB_FRAMES = 4
PHOTOGRAPH_FRAMES = 3
RESULT_FRAMES = 2
"""Frames of one job, photograph or result alone, with the word before it."""
JOBS_MAX = 16
"""Jobs or results in a message, at most."""

_JOB_ID_TAG = b"\x09"  # field 1, fixed64
_JOB_ID_BYTES = 9
_MEASUREMENT_TAG = b"\x12"  # field 2, length-delimited


@dataclass(frozen=True, slots=True)
class Failed:
    """The outcome of a job that gave no picture. `reason`: a word of DecodeError; `detail`: one sentence."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """One keyframe to measure, or with `render` to turn into a JPEG.

    `side_px_max`: longest side of a rendered picture, 0 for its own size. `annotate`: draw the tiles, the scores and
    this verdict in, with `camera_name`. `known_area`: the active area that this camera's pictures have; None if it is
    not known.
    """

    job_id: int
    render: bool
    side_px_max: int
    keyframe: Keyframe
    annotate: Verdict | None = None
    camera_name: str = ""
    known_area: ActiveArea | None = None


@dataclass(frozen=True, slots=True)
class PhotographJob:
    """A file that a caller sent, to turn into a JPEG without metadata. `side_px_max`: its longest side in pixels."""

    job_id: int
    side_px_max: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """A worker's answer, one for each job. `packed`: a measurement as the worker serialised it, else empty; the store
    keeps these bytes, so that nothing is serialised twice."""

    job_id: int
    outcome: Measurement | Failed | RenderedPicture
    packed: bytes = b""


def pack_job(
    job_id: int,
    keyframe: Keyframe,
    *,
    render: bool = False,
    side_px_max: int = 0,
    annotate: Verdict | None = None,
    camera_name: str = "",
    known_area: ActiveArea | None = None,
) -> list[wire.Frame]:
    """Return the four frames of a job; the payload is not copied."""
    kind = measurement_pb2.Job.KIND_RENDER if render else measurement_pb2.Job.KIND_MEASURE
    verdict_json = "" if annotate is None else json.dumps(facts_of(annotate), ensure_ascii=False)
    message = measurement_pb2.Job(
        job_id=job_id, kind=kind, side_px_max=side_px_max, verdict_json=verdict_json, camera_name=camera_name
    )
    if known_area is not None:
        fill_area(message.known_area, known_area)
    return [JOB, message.SerializeToString(), wire.pack_header(keyframe), keyframe.payload]


def unpack_job(frames: list[wire.Frame], payload_bytes_max: int) -> Job:
    """Parse a job. Raises WireError if the frames are not a job."""
    if len(frames) != JOB_FRAMES or frames[0] != JOB:
        raise WireError(DropReason.MALFORMED, f"{len(frames)} frames; a job is four: JB1, Job, KeyframeHeader, payload")
    try:
        message = measurement_pb2.Job.FromString(bytes(frames[1]))
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a Job: {error}") from error
    keyframe = wire.unpack_header(frames[2], frames[3], payload_bytes_max, 0)
    render = message.kind == measurement_pb2.Job.KIND_RENDER
    annotate = None
    if message.verdict_json:
        try:
            annotate = verdict_of(json.loads(message.verdict_json), keyframe.camera_id, keyframe.visit_id)
        except (ValueError, KeyError, TypeError) as error:
            raise WireError(DropReason.MALFORMED, f"not a verdict: {error}") from error
    try:
        known_area = area_of(message.known_area) if message.HasField("known_area") else None
    except ValueError as error:
        raise WireError(DropReason.MALFORMED, str(error)) from error
    return Job(message.job_id, render, message.side_px_max, keyframe, annotate, message.camera_name, known_area)


def joined(messages: Sequence[Sequence[wire.Frame]]) -> list[wire.Frame]:
    """Return one message with what several of one kind hold: jobs, or results."""
    frames = list(messages[0])
    for message in messages[1:]:
        frames += message[1:]
    return frames


def split(frames: Sequence[wire.Frame], frames_each: int) -> Iterator[list[wire.Frame]]:
    """Yield what `joined` made one message of; `frames_each`: of one of them. Raises WireError if it does not fit."""
    each = frames_each - 1
    count, rest = divmod(len(frames) - 1, each)
    if rest or not 1 <= count <= JOBS_MAX:
        raise WireError(DropReason.MALFORMED, f"{len(frames)} frames; allowed: 1 + {each} times 1 to {JOBS_MAX}")
    for begin in range(1, len(frames), each):
        yield [frames[0], *frames[begin : begin + each]]


def pack_photograph(job: PhotographJob) -> list[wire.Frame]:
    """Return the three frames of a photograph's job; the payload is not copied."""
    kind = measurement_pb2.Job.KIND_PHOTOGRAPH
    message = measurement_pb2.Job(job_id=job.job_id, kind=kind, side_px_max=job.side_px_max)
    return [PHOTOGRAPH, message.SerializeToString(), job.payload]


def unpack_photograph(frames: list[wire.Frame], payload_bytes_max: int) -> PhotographJob:
    """Parse a photograph's job. Raises WireError if the frames are none."""
    if len(frames) != PHOTOGRAPH_FRAMES or frames[0] != PHOTOGRAPH:
        raise WireError(DropReason.MALFORMED, f"{len(frames)} frames; a photograph is three: JP1, Job, payload")
    if len(frames[2]) > payload_bytes_max:
        raise WireError(DropReason.TOO_LARGE, f"{len(frames[2])} bytes; allowed: {payload_bytes_max}")
    try:
        message = measurement_pb2.Job.FromString(bytes(frames[1]))
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a Job: {error}") from error
    return PhotographJob(message.job_id, message.side_px_max, bytes(frames[2]))


def pack_result(result: Result) -> list[wire.Frame]:
    """Return the two frames of a result."""
    message = measurement_pb2.JobResult(job_id=result.job_id)
    outcome = result.outcome
    if isinstance(outcome, Measurement):
        fill_measurement(message.measurement, outcome)
    elif isinstance(outcome, RenderedPicture):
        picture = message.picture
        picture.jpeg, picture.width, picture.height = outcome.jpeg, outcome.width, outcome.height
        picture.visit_id, picture.arrival_wall_ns = outcome.visit_id, outcome.arrival_wall_ns
    else:
        message.failed.reason, message.failed.detail = outcome.reason, outcome.detail[:500]
    return [RESULT, message.SerializeToString()]


def unpack_result(frames: list[wire.Frame]) -> Result:
    """Parse a result. Raises WireError if the frames are not a result."""
    if len(frames) != RESULT_FRAMES or frames[0] != RESULT:
        raise WireError(DropReason.MALFORMED, "not a JR1 message of two frames")
    try:
        body = bytes(frames[1])
        message = measurement_pb2.JobResult.FromString(body)
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a JobResult: {error}") from error
    which = message.WhichOneof("outcome")
    if which == "measurement":
        try:
            measurement = measurement_of(message.measurement)
        except (KeyError, ValueError) as error:
            raise WireError(DropReason.MALFORMED, f"not a measurement: {error}") from error
        return Result(message.job_id, measurement, _measurement_bytes(body))
    if which == "picture":
        picture = message.picture
        rendered = RenderedPicture(
            picture.jpeg, picture.width, picture.height, picture.visit_id, picture.arrival_wall_ns
        )
        return Result(message.job_id, rendered)
    return Result(message.job_id, Failed(message.failed.reason, message.failed.detail))


def _measurement_bytes(body: bytes) -> bytes:
    """Return the serialised measurement inside a JobResult that `pack_result` wrote.

    A JobResult is `job_id` (a tag and 8 bytes), then `measurement` (a tag, its length as a varint, its bytes). Raises
    WireError if its fields are in another order.
    """
    if body[:1] != _JOB_ID_TAG or body[_JOB_ID_BYTES : _JOB_ID_BYTES + 1] != _MEASUREMENT_TAG:
        raise WireError(DropReason.MALFORMED, "not a JobResult of a worker: job_id and measurement, in this order")
    length, shift, start = 0, 0, _JOB_ID_BYTES + 1
    while True:
        byte = body[start]
        length |= (byte & 0x7F) << shift
        start, shift = start + 1, shift + 7
        if byte < 0x80:
            break
    return body[start : start + length]
