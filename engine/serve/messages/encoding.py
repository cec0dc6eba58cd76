"""Encodes verdicts and pages of cameras directly as bytes, where thousands are sent. Pure.

A verdict holds some hundred numbers in two maps, and protobuf builds, copies and encodes each entry by itself: 49 ms of
CPU for a page of 1,000 cameras. Here the parts that thousands of verdicts share are encoded once, and the names of the
figures once per set of names. The bytes are those of the same messages (a message is the concatenation of its parts).
"""

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from engine.model.camera import Camera
from engine.model.packed.verdict import PackedVerdict, Shape, scores, unpack_body, visit_and_since
from engine.model.registry import CameraStatus
from engine.model.verdict import Verdict, View
from engine.serve.messages.convert import (
    Redact,
    camera_message,
    scores_message,
    timestamp,
    verdict_message,
)
from engine.serve.messages.resource_names import verdict_name
from patrol.v1 import cameras_pb2, patrol_pb2, verdicts_pb2

ENCODED_MAX = 32_768
"""Cameras that are kept encoded in one view, in some 50 MB with VIEW_FULL and 15 MB with VIEW_BASIC."""
_READY_CAMERAS_MAX = 1000
_READY_MISSING_MAX = 32
_DOUBLE_BYTES = 8
_THRESHOLDS_MAX = 1024
_LENGTH_DELIMITED = 2
_thresholds: dict[int, tuple[Mapping[str, float], bytes]] = {}
"""Encoded thresholds by the `id` of their mapping, which is kept so that no other object can get the same `id`."""
_SHAPES_MAX = 1024
_shapes: dict[tuple[int, View], tuple[Shape, bytes]] = {}
"""Encoded shapes by their `id`, likewise, in each view."""


def encode_verdict(verdict: Verdict, view: View = View.FULL) -> bytes:
    """Return the serialised Verdict."""
    if view is View.BASIC:
        return verdict_message(verdict, view).SerializeToString()
    scalars = verdict_message(verdict, with_numbers=False).SerializeToString()
    return b"".join(
        (
            scalars,
            _encode_figures(tuple(verdict.figures), verdict.figures.values()),
            _encode_thresholds(verdict.thresholds),
        )
    )


def encode_watch_response(verdict: Verdict, view: View = View.FULL) -> bytes:
    """Return a serialised WatchVerdictsResponse that holds only this verdict; such messages can be joined."""
    return _field(_WATCHED, encode_verdict(verdict, view))


class CameraEncoder:
    """Encodes cameras with their latest verdicts in one view. Methods may be called from any thread.

    The cameras encoded last are kept, at most `kept_max`, some 1.5 KB each with VIEW_FULL, 0.4 KB with VIEW_BASIC:
    callers request the same lists over and over, and few cameras are visited between two requests. `redact`: hides the
    password in a URL.
    """

    def __init__(self, redact: Redact, kept_max: int = ENCODED_MAX, view: View = View.FULL) -> None:
        self._redact = redact
        self._view = view
        self._kept_max = kept_max
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Encoded] = OrderedDict()

    def camera(self, status: CameraStatus) -> bytes:
        """Return the serialised Camera."""
        return b"".join(self._parts(status))

    def batch(self, cameras: Sequence[CameraStatus]) -> bytes:
        """Return the serialised BatchGetCamerasResponse: a page without a token has the same bytes."""
        return self.page(cameras, "", 0)

    def page(self, cameras: Sequence[CameraStatus], next_page_token: str, total: int) -> bytes:
        """Return the serialised ListCamerasResponse."""
        pieces: list[bytes] = []
        for status in cameras:
            camera_parts = self._cached_parts(status)
            pieces += (_LISTED, _varint(sum(map(len, camera_parts))), *camera_parts)
        rest = cameras_pb2.ListCamerasResponse(next_page_token=next_page_token, total_size=total)
        return b"".join((*pieces, rest.SerializeToString()))

    def ready_page(self, cameras: Sequence[CameraStatus], next_page_token: str, total: int) -> bytes | None:
        """Return the page if that takes a millisecond: in the basic view, with nearly all cameras kept; else None."""
        if self._view is not View.BASIC or len(cameras) > _READY_CAMERAS_MAX:
            return None
        missing = sum(not self._is_kept(status) for status in cameras)
        return self.page(cameras, next_page_token, total) if missing <= _READY_MISSING_MAX else None

    def _is_kept(self, status: CameraStatus) -> bool:
        kept = self._kept.get(status.camera.camera_id)
        return kept is not None and kept.camera is status.camera and kept.verdict is status.stored_verdict

    def _cached_parts(self, status: CameraStatus) -> tuple[bytes, ...]:
        camera_id = status.camera.camera_id
        kept = self._kept.get(camera_id)
        # Identity, not equality: comparing the values would take as long as encoding them.
        if kept is not None and kept.camera is status.camera and kept.verdict is status.stored_verdict:
            return kept.parts
        camera_parts = self._parts(status)
        with self._lock:
            self._kept.pop(camera_id, None)
            self._kept[camera_id] = _Encoded(status.camera, status.stored_verdict, camera_parts)
            if len(self._kept) > self._kept_max:
                self._kept.popitem(last=False)
        return camera_parts

    def _parts(self, status: CameraStatus) -> tuple[bytes, ...]:
        camera, verdict = camera_message(status.camera, self._redact).SerializeToString(), status.stored_verdict
        if verdict is None:
            return (camera,)
        encoded: tuple[bytes, ...]
        if not isinstance(verdict, PackedVerdict):
            encoded = (encode_verdict(verdict, self._view),)
        elif self._view is View.BASIC:
            encoded = _basic_parts(status.camera.camera_id, verdict)
        else:
            encoded = _packed_parts(status.camera.camera_id, verdict)
        return (camera, _LATEST, _varint(sum(map(len, encoded))), *encoded)


class _Encoded(NamedTuple):
    """An encoded camera. `parts`: joined, they are the message; all verdicts of a shape share one of them."""

    camera: Camera
    verdict: Verdict | PackedVerdict | None
    parts: tuple[bytes, ...]


def _packed_parts(camera_id: str, packed: PackedVerdict) -> tuple[bytes, ...]:
    """Encode a packed verdict without unpacking it: the part that its shape shares, and its own."""
    shape, own = packed.shape, unpack_body(packed.shape, packed.body)
    scalars = verdicts_pb2.Verdict(
        name=verdict_name(camera_id, own.visit_id),
        visit_time=timestamp(packed.at_wall_ns),
        since_time=timestamp(own.since_wall_ns),
        detail=own.detail,
        scores=scores_message(own.scores),
        width=own.width,
        height=own.height,
        confidence=own.confidence,
        tiles=own.tiles,
    )
    # If a field occurs twice in a message, the later one counts.
    own_part = scalars.SerializeToString() + _encode_figures(shape.key.names, own.figures)
    return _encoded_shape(shape, View.FULL), own_part


def _basic_parts(camera_id: str, packed: PackedVerdict) -> tuple[bytes, ...]:
    """Encode the basic view of a packed verdict without unpacking its figures; parts as of `_packed_parts`."""
    visit_id, since_wall_ns = visit_and_since(packed.body)
    own = verdicts_pb2.Verdict(
        name=verdict_name(camera_id, visit_id),
        visit_time=timestamp(packed.at_wall_ns),
        since_time=timestamp(since_wall_ns),
        scores=scores_message(scores(packed.body)),
    )
    return _encoded_shape(packed.shape, View.BASIC), own.SerializeToString()


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _tag(field_no: int) -> bytes:
    return _varint(field_no << 3 | _LENGTH_DELIMITED)


def _field(tag: bytes, body: bytes) -> bytes:
    return b"".join((tag, _varint(len(body)), body))


_WATCHED = _tag(patrol_pb2.WatchVerdictsResponse.DESCRIPTOR.fields_by_name["verdicts"].number)
_LATEST = _tag(cameras_pb2.Camera.DESCRIPTOR.fields_by_name["latest_verdict"].number)
_LISTED = _tag(cameras_pb2.ListCamerasResponse.DESCRIPTOR.fields_by_name["cameras"].number)


def _encoded_shape(shape: Shape, view: View) -> bytes:
    """Return the encoded fields that all verdicts of a shape share."""
    known = _shapes.get((id(shape), view))
    if known is None:
        if len(_shapes) >= _SHAPES_MAX:
            _shapes.clear()
        known = _shapes[id(shape), view] = shape, _encode_shape(shape, view)
    return known[1]


def _encode_shape(shape: Shape, view: View) -> bytes:
    shared = {name: value for name, value in shape.key._asdict().items() if name != "names"}
    verdict = Verdict("", 0, 0, thresholds=shape.thresholds, **shared)
    message = verdict_message(verdict, view)
    message.ClearField("name")
    return message.SerializeToString()


def _encode_figures(names: tuple[str, ...], numbers: Iterable[float]) -> bytes:
    layout, entries = _layout(names)
    interleaved = entries.copy()
    interleaved[1::2] = numbers
    return layout.pack(*interleaved)


@lru_cache(maxsize=256)
def _layout(names: tuple[str, ...]) -> tuple[struct.Struct, list[bytes | float]]:
    """Return the layout of a map of figures with these names, and its items: a prefix and a zero for each number."""
    entries = [verdicts_pb2.Verdict(figures={name: 0.0}).SerializeToString()[:-_DOUBLE_BYTES] for name in names]
    layout = struct.Struct("<" + "".join(f"{len(entry)}sd" for entry in entries))
    return layout, [part for entry in entries for part in (entry, 0.0)]


def _encode_thresholds(thresholds: Mapping[str, float]) -> bytes:
    kept = _thresholds.get(id(thresholds))
    if kept is None:
        if len(_thresholds) >= _THRESHOLDS_MAX:
            _thresholds.clear()
        kept = thresholds, verdicts_pb2.Verdict(thresholds=thresholds).SerializeToString()
        _thresholds[id(thresholds)] = kept
    return kept[1]
