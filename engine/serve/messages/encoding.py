"""Verdicts and pages of cameras straight as bytes, where thousands are sent. Pure.

A verdict carries some hundred numbers in two maps, of which protobuf builds, copies and codes each entry by itself: 49
ms of CPU for a page of 1,000 cameras. Here what thousands of verdicts share is coded once, and the names of the figures
once a set of names. The bytes are of the same messages (a message is the concatenation of its parts).
"""

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from engine.model.camera import Camera
from engine.model.packed_verdict import PackedVerdict, Shape, unpack_body
from engine.model.registry import CameraStatus
from engine.model.verdict import Verdict
from engine.serve.messages.convert import Redact, camera_message, scores_message, timestamp, verdict_message
from engine.serve.messages.resource_names import verdict_name
from patrol.v1 import cameras_pb2, patrol_pb2, verdicts_pb2

CODED_MAX = 32_768
"""Cameras that are kept coded, in some 50 MB."""
_DOUBLE_BYTES = 8
_THRESHOLDS_MAX = 1024
_LENGTH_DELIMITED = 2
_thresholds: dict[int, tuple[Mapping[str, float], bytes]] = {}
"""By the identity of the mapping, which is kept so that no other can have it."""
_SHAPES_MAX = 1024
_shapes: dict[int, tuple[Shape, bytes]] = {}
"""The same of shapes."""


def verdict_bytes(verdict: Verdict) -> bytes:
    """The serialised Verdict."""
    scalars = verdict_message(verdict, with_numbers=False).SerializeToString()
    return b"".join(
        (
            scalars,
            _coded_numbers(tuple(verdict.figures), verdict.figures.values()),
            _coded_thresholds(verdict.thresholds),
        )
    )


def watch_bytes(verdict: Verdict) -> bytes:
    """A WatchVerdictsResponse that holds it and nothing else; they can be joined."""
    return _field(_WATCHED, verdict_bytes(verdict))


class CameraCoder:
    """Cameras with their latest verdicts as bytes. Those that were coded last are kept, up to `most`, some 1.5 KB each:
    lists are asked for over and over, and between two times few of their cameras were visited.

    Any thread may call.
    """

    def __init__(self, redact: Redact, most: int = CODED_MAX) -> None:
        self._redact = redact
        self._most = most
        self._lock = threading.Lock()
        self._coded: OrderedDict[str, _Coded] = OrderedDict()

    def camera(self, status: CameraStatus) -> bytes:
        """The serialised Camera."""
        return b"".join(self._parts(status))

    def page(self, cameras: Sequence[CameraStatus], next_page_token: str, total: int) -> bytes:
        """The serialised ListCamerasResponse."""
        pieces: list[bytes] = []
        for status in cameras:
            coded = self._kept(status)
            pieces += (_LISTED, _varint(sum(map(len, coded))), *coded)
        rest = cameras_pb2.ListCamerasResponse(next_page_token=next_page_token, total_size=total)
        return b"".join((*pieces, rest.SerializeToString()))

    def _kept(self, status: CameraStatus) -> tuple[bytes, ...]:
        camera_id = status.camera.camera_id
        known = self._coded.get(camera_id)
        # The same values, not equal ones: to compare them would take as long as to code them.
        if known is not None and known.camera is status.camera and known.verdict is status.stored_verdict:
            return known.parts
        coded = self._parts(status)
        with self._lock:
            self._coded.pop(camera_id, None)
            self._coded[camera_id] = _Coded(status.camera, status.stored_verdict, coded)
            if len(self._coded) > self._most:
                self._coded.popitem(last=False)
        return coded

    def _parts(self, status: CameraStatus) -> tuple[bytes, ...]:
        camera, known = camera_message(status.camera, self._redact).SerializeToString(), status.stored_verdict
        if known is None:
            return (camera,)
        whose = status.camera.camera_id
        coded = _packed_parts(whose, known) if isinstance(known, PackedVerdict) else (verdict_bytes(known),)
        return (camera, _LATEST, _varint(sum(map(len, coded))), *coded)


class _Coded(NamedTuple):
    """`parts`: what a shape has in common is one object for all of its verdicts."""

    camera: Camera
    verdict: Verdict | PackedVerdict | None
    parts: tuple[bytes, ...]


def _packed_parts(camera_id: str, packed: PackedVerdict) -> tuple[bytes, ...]:
    """A verdict, without opening it: what its shape has in common, and its own."""
    of, own = packed.shape, unpack_body(packed.shape, packed.body)
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
    shared = _shapes.get(id(of))
    if shared is None:
        if len(_shapes) >= _SHAPES_MAX:
            _shapes.clear()
        shared = _shapes[id(of)] = of, _coded_shape(of)
    # Of a field that stands twice the later one counts.
    return shared[1], scalars.SerializeToString() + _coded_numbers(of.key.names, own.figures)


def _varint(number: int) -> bytes:
    coded = bytearray()
    while number > 0x7F:
        coded.append(number & 0x7F | 0x80)
        number >>= 7
    coded.append(number)
    return bytes(coded)


def _tag(field_no: int) -> bytes:
    return _varint(field_no << 3 | _LENGTH_DELIMITED)


def _field(tag: bytes, body: bytes) -> bytes:
    return b"".join((tag, _varint(len(body)), body))


_WATCHED = _tag(patrol_pb2.WatchVerdictsResponse.DESCRIPTOR.fields_by_name["verdicts"].number)
_LATEST = _tag(cameras_pb2.Camera.DESCRIPTOR.fields_by_name["latest_verdict"].number)
_LISTED = _tag(cameras_pb2.ListCamerasResponse.DESCRIPTOR.fields_by_name["cameras"].number)


def _coded_shape(of: Shape) -> bytes:
    """What all verdicts of a shape have in common."""
    shared = {name: value for name, value in of.key._asdict().items() if name != "names"}
    message = verdict_message(Verdict("", 0, 0, thresholds=of.thresholds, **shared))
    message.ClearField("name")
    return message.SerializeToString()


def _coded_numbers(names: tuple[str, ...], numbers: Iterable[float]) -> bytes:
    layout, entries = _layout(names)
    interleaved = entries.copy()
    interleaved[1::2] = numbers
    return layout.pack(*interleaved)


@lru_cache(maxsize=256)
def _layout(names: tuple[str, ...]) -> tuple[struct.Struct, list[bytes | float]]:
    """Entries of a map of figures with these names: what stands before each number, and a place for it."""
    entries = [verdicts_pb2.Verdict(figures={name: 0.0}).SerializeToString()[:-_DOUBLE_BYTES] for name in names]
    layout = struct.Struct("<" + "".join(f"{len(entry)}sd" for entry in entries))
    return layout, [part for entry in entries for part in (entry, 0.0)]


def _coded_thresholds(thresholds: Mapping[str, float]) -> bytes:
    known = _thresholds.get(id(thresholds))
    if known is None:
        if len(_thresholds) >= _THRESHOLDS_MAX:
            _thresholds.clear()
        known = thresholds, verdicts_pb2.Verdict(thresholds=thresholds).SerializeToString()
        _thresholds[id(thresholds)] = known
    return known[1]
