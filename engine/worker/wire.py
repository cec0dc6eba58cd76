"""Messages between hub and workers <-> bytes. Pure. The contract is proto/patrol/v1/measurement.proto.

Job, hub to worker:        "JB1" | Job | KeyframeHeader | payload
Ready, worker to hub:      "RD1" | credit in decimal digits
Result, worker to hub:     "JR1" | JobResult
Kept by the store:         Measurement
"""

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError as ProtobufError

from engine.errors import WireError
from engine.feed import wire
from engine.model.keyframe import Codec, DropReason, Keyframe
from engine.model.measurement import Measurement, Scores
from engine.model.picture import RenderedPicture, TileMap
from engine.model.verdict import Verdict
from engine.model.visit import FeedKind
from engine.storage.evidence.keyframe_file import facts_of, verdict_of
from patrol.v1 import feed_pb2, measurement_pb2

JOB = b"JB1"
READY = b"RD1"
RESULT = b"JR1"

_CODEC = {feed_pb2.CODEC_H264: Codec.H264, feed_pb2.CODEC_H265: Codec.H265, feed_pb2.CODEC_MJPEG: Codec.MJPEG}
_CODEC_NUMBER = {codec: number for number, codec in _CODEC.items()}
_KIND = {
    feed_pb2.FEED_KIND_RTSP: FeedKind.RTSP,
    feed_pb2.FEED_KIND_DEMUX: FeedKind.DEMUX,
    feed_pb2.FEED_KIND_GATEWAY: FeedKind.GATEWAY,
}
_KIND_NUMBER = {kind: number for number, kind in _KIND.items()}


@dataclass(frozen=True, slots=True)
class Failed:
    """A job without a picture: one word (see DecodeError) and one sentence."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is asked. `side_px_max` and `annotate` belong to rendering.

    `annotate`: draw the tiles and scores in, and what this verdict said.
    """

    job_id: int
    render: bool
    side_px_max: int
    keyframe: Keyframe
    annotate: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a worker answers, once for every job."""

    job_id: int
    outcome: Measurement | Failed | RenderedPicture


def pack_job(
    job_id: int, keyframe: Keyframe, *, render: bool = False, side_px_max: int = 0, annotate: Verdict | None = None
) -> list[wire.Frame]:
    """The four frames of a job; the payload is passed on, not copied."""
    kind = measurement_pb2.Job.KIND_RENDER if render else measurement_pb2.Job.KIND_MEASURE
    said = "" if annotate is None else json.dumps(facts_of(annotate), ensure_ascii=False)
    message = measurement_pb2.Job(job_id=job_id, kind=kind, side_px_max=side_px_max, verdict_json=said)
    return [JOB, message.SerializeToString(), wire.pack_header(keyframe), keyframe.payload]


def unpack_job(frames: list[wire.Frame], payload_bytes_max: int) -> Job:
    """The job in a four-frame message; raises WireError."""
    if len(frames) != 4 or frames[0] != JOB:
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
    return Job(message.job_id, render, message.side_px_max, keyframe, annotate)


def pack_result(result: Result) -> list[wire.Frame]:
    """The two frames of a result."""
    message = measurement_pb2.JobResult(job_id=result.job_id)
    outcome = result.outcome
    if isinstance(outcome, Measurement):
        _fill_measurement(message.measurement, outcome)
    elif isinstance(outcome, RenderedPicture):
        picture = message.picture
        picture.jpeg, picture.width, picture.height = outcome.jpeg, outcome.width, outcome.height
        picture.visit_id, picture.arrival_wall_ns = outcome.visit_id, outcome.arrival_wall_ns
    else:
        message.failed.reason, message.failed.detail = outcome.reason, outcome.detail[:500]
    return [RESULT, message.SerializeToString()]


def unpack_result(frames: list[wire.Frame]) -> Result:
    """The result in a two-frame message; raises WireError."""
    if len(frames) != 2 or frames[0] != RESULT:
        raise WireError(DropReason.MALFORMED, "not a JR1 message of two frames")
    try:
        message = measurement_pb2.JobResult.FromString(bytes(frames[1]))
    except ProtobufError as error:
        raise WireError(DropReason.MALFORMED, f"not a JobResult: {error}") from error
    which = message.WhichOneof("outcome")
    if which == "measurement":
        return Result(message.job_id, _measurement(message.measurement))
    if which == "picture":
        picture = message.picture
        rendered = RenderedPicture(
            picture.jpeg, picture.width, picture.height, picture.visit_id, picture.arrival_wall_ns
        )
        return Result(message.job_id, rendered)
    return Result(message.job_id, Failed(message.failed.reason, message.failed.detail))


def pack_measurement(measurement: Measurement) -> bytes:
    """As the store keeps it."""
    message = measurement_pb2.Measurement()
    _fill_measurement(message, measurement)
    return message.SerializeToString()


def unpack_measurement(raw: bytes) -> Measurement:
    """What was kept; raises WireError."""
    try:
        return _measurement(measurement_pb2.Measurement.FromString(raw))
    except (ProtobufError, KeyError, ValueError) as error:
        raise WireError(DropReason.MALFORMED, f"not a Measurement: {error}") from error


def _fill_measurement(message: measurement_pb2.Measurement, source: Measurement) -> None:
    message.camera_id = source.camera_id
    message.visit_id = source.visit_id
    message.arrival_wall_ns = source.arrival_wall_ns
    if source.stream_time_ns is not None:
        message.stream_time_ns = source.stream_time_ns
    message.source = _KIND_NUMBER[source.source]
    message.codec = _CODEC_NUMBER[source.codec]
    message.width, message.height = source.width, source.height
    message.pixel_format = source.pixel_format
    message.full_range, message.interlaced = source.full_range, source.interlaced
    message.damage.extend(source.damage)
    message.figures.update(source.figures)
    scores = source.scores
    if scores.sharpness is not None:
        message.scores.sharpness = scores.sharpness
    if scores.exposure is not None:
        message.scores.exposure = scores.exposure
    if scores.occlusion is not None:
        message.scores.occlusion = scores.occlusion
    if source.tiles is not None:
        message.tiles.rows, message.tiles.columns = source.tiles.luma.shape
        message.tiles.luma_f32 = source.tiles.luma.tobytes()
        message.tiles.structure_f32 = source.tiles.structure.tobytes()
        message.tiles.acutance_f32 = source.tiles.acutance.tobytes()
        message.tiles.u_f32, message.tiles.v_f32 = source.tiles.u.tobytes(), source.tiles.v.tobytes()
    message.signature = source.signature
    message.decode_ns, message.kernels_ns = source.decode_ns, source.kernels_ns
    message.decode_cpu_ns, message.kernels_cpu_ns = source.decode_cpu_ns, source.kernels_cpu_ns


def _measurement(message: measurement_pb2.Measurement) -> Measurement:
    scores = message.scores
    return Measurement(
        camera_id=message.camera_id,
        visit_id=message.visit_id,
        arrival_wall_ns=message.arrival_wall_ns,
        stream_time_ns=message.stream_time_ns if message.HasField("stream_time_ns") else None,
        source=_KIND[message.source],
        codec=_CODEC[message.codec],
        width=message.width,
        height=message.height,
        pixel_format=message.pixel_format,
        full_range=message.full_range,
        interlaced=message.interlaced,
        damage=tuple(message.damage),
        figures=dict(message.figures),
        scores=Scores(
            sharpness=scores.sharpness if scores.HasField("sharpness") else None,
            exposure=scores.exposure if scores.HasField("exposure") else None,
            occlusion=scores.occlusion if scores.HasField("occlusion") else None,
        ),
        tiles=_tiles(message.tiles) if message.HasField("tiles") else None,
        signature=message.signature,
        decode_ns=message.decode_ns,
        kernels_ns=message.kernels_ns,
        decode_cpu_ns=message.decode_cpu_ns,
        kernels_cpu_ns=message.kernels_cpu_ns,
    )


def _tiles(message: measurement_pb2.TileMap) -> TileMap:
    shape = (message.rows, message.columns)
    return TileMap(
        luma=_grid(message.luma_f32, shape),
        structure=_grid(message.structure_f32, shape),
        acutance=_grid(message.acutance_f32, (2, *shape)),
        u=_grid(message.u_f32, shape),
        v=_grid(message.v_f32, shape),
    )


def _grid(raw: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """A copy, since Numba takes several times as long to accept an array that must not be written."""
    return np.frombuffer(raw, dtype="<f4").reshape(shape).copy()
