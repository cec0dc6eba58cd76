"""Converts measurements to bytes and back: workers send them so, and the store keeps them so. Pure.

proto/patrol/v1/measurement.proto defines the bytes.
"""

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError as ProtobufError

from engine.errors import WireError
from engine.model.active_area import WHOLE, ActiveArea, is_valid
from engine.model.keyframe import Codec, DropReason
from engine.model.measurement import CameraView, Measurement, Scores
from engine.model.picture import TileMap
from engine.model.visit import FeedKind
from patrol.v1 import feed_pb2, measurement_pb2

_CODEC = {feed_pb2.CODEC_H264: Codec.H264, feed_pb2.CODEC_H265: Codec.H265, feed_pb2.CODEC_MJPEG: Codec.MJPEG}
_CODEC_NUMBER = {codec: number for number, codec in _CODEC.items()}
_KIND = {
    feed_pb2.FEED_KIND_RTSP: FeedKind.RTSP,
    feed_pb2.FEED_KIND_DEMUX: FeedKind.DEMUX,
    feed_pb2.FEED_KIND_GATEWAY: FeedKind.GATEWAY,
}
_KIND_NUMBER = {kind: number for number, kind in _KIND.items()}


def pack_measurement(measurement: Measurement) -> bytes:
    """Serialise a measurement."""
    message = measurement_pb2.Measurement()
    fill_measurement(message, measurement)
    return message.SerializeToString()


def unpack_measurement(raw: bytes) -> Measurement:
    """Parse a serialised measurement. Raises WireError if `raw` is none."""
    try:
        return measurement_of(measurement_pb2.Measurement.FromString(raw))
    except (ProtobufError, KeyError, ValueError) as error:
        raise WireError(DropReason.MALFORMED, f"not a Measurement: {error}") from error


def fill_measurement(message: measurement_pb2.Measurement, source: Measurement) -> None:
    """Copy a measurement into a protobuf message."""
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
    _fill_scores(message.scores, source.scores)
    if source.tiles is not None:
        _fill_tiles(message.tiles, source.tiles)
    message.signature = source.signature
    message.decode_ns, message.kernels_ns = source.decode_ns, source.kernels_ns
    message.decode_cpu_ns, message.kernels_cpu_ns = source.decode_cpu_ns, source.kernels_cpu_ns
    message.headers, message.fragile = source.headers, source.fragile
    if source.area != WHOLE:
        fill_area(message.area, source.area)
    if source.seen_area is not None:
        fill_area(message.seen_area, source.seen_area)
    for view in source.views:
        part = message.views.add(signature=view.signature)
        part.figures.update(view.figures)
        _fill_scores(part.scores, view.scores)
        _fill_tiles(part.tiles, view.tiles)


def measurement_of(message: measurement_pb2.Measurement) -> Measurement:
    """Return the measurement in a protobuf message. Raises KeyError for a codec or source that is not known."""
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
        scores=_scores(message.scores),
        tiles=_tiles(message.tiles) if message.HasField("tiles") else None,
        signature=message.signature,
        decode_ns=message.decode_ns,
        kernels_ns=message.kernels_ns,
        decode_cpu_ns=message.decode_cpu_ns,
        kernels_cpu_ns=message.kernels_cpu_ns,
        headers=message.headers,
        fragile=message.fragile,
        area=area_of(message.area) if message.HasField("area") else WHOLE,
        seen_area=area_of(message.seen_area) if message.HasField("seen_area") else None,
        views=tuple(
            CameraView(dict(part.figures), _scores(part.scores), _tiles(part.tiles), part.signature)
            for part in message.views
        ),
    )


def _fill_scores(message: measurement_pb2.Scores, scores: Scores) -> None:
    if scores.sharpness is not None:
        message.sharpness = scores.sharpness
    if scores.exposure is not None:
        message.exposure = scores.exposure
    if scores.occlusion is not None:
        message.occlusion = scores.occlusion


def _scores(message: measurement_pb2.Scores) -> Scores:
    return Scores(
        sharpness=message.sharpness if message.HasField("sharpness") else None,
        exposure=message.exposure if message.HasField("exposure") else None,
        occlusion=message.occlusion if message.HasField("occlusion") else None,
    )


def _fill_tiles(message: measurement_pb2.TileMap, tiles: TileMap) -> None:
    message.rows, message.columns = tiles.luma.shape
    message.luma_f32 = tiles.luma.tobytes()
    message.structure_f32 = tiles.structure.tobytes()
    message.acutance_f32 = tiles.acutance.tobytes()
    message.u_f32, message.v_f32 = tiles.u.tobytes(), tiles.v.tobytes()
    if tiles.masked is not None:
        message.masked = tiles.masked.tobytes()


def fill_area(message: measurement_pb2.ActiveArea, area: ActiveArea) -> None:
    """Copy an area into a protobuf message."""
    message.left, message.top, message.right, message.bottom, message.views = area


def area_of(message: measurement_pb2.ActiveArea) -> ActiveArea:
    """Return the area in a protobuf message. Raises ValueError if its sides are not in order within the picture."""
    area = ActiveArea(message.left, message.top, message.right, message.bottom, message.views)
    if not is_valid(area):
        raise ValueError(f"active area {tuple(area)}: sides are 0 to 10000, left < right, top < bottom, views 1 or 4")
    return area


def _tiles(message: measurement_pb2.TileMap) -> TileMap:
    shape = (message.rows, message.columns)
    return TileMap(
        luma=_grid(message.luma_f32, shape),
        structure=_grid(message.structure_f32, shape),
        acutance=_grid(message.acutance_f32, (2, *shape)),
        u=_grid(message.u_f32, shape),
        v=_grid(message.v_f32, shape),
        masked=np.frombuffer(message.masked, np.uint8).reshape(shape) > 0 if message.masked else None,
    )


def _grid(raw: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return a writable copy: Numba takes several times as long to accept a read-only array."""
    return np.frombuffer(raw, dtype="<f4").reshape(shape).copy()
