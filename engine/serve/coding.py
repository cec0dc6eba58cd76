"""Verdicts and pages of cameras straight as bytes, where thousands are sent. Pure.

A verdict carries some hundred numbers in two maps, of which protobuf builds, copies and codes each entry by itself: 49
ms of CPU for a page of 1,000 cameras. Here the thresholds, which thousands of verdicts share, are coded once, and the
names of the figures once a set of names: 12 ms. The bytes are of the same messages (a message is the concatenation of
its parts, in any order).
"""

import struct
from collections.abc import Mapping
from functools import lru_cache

from engine.replies import CameraStatus
from engine.serve.convert import Redact, camera_message, verdict_message
from engine.types import Verdict
from patrol.v1 import cameras_pb2, patrol_pb2, verdicts_pb2

_DOUBLE_BYTES = 8
_THRESHOLDS_MAX = 1024
_LENGTH_DELIMITED = 2
_thresholds: dict[int, tuple[Mapping[str, float], bytes]] = {}
"""By the identity of the mapping, which is kept so that no other can have it."""


def verdict_bytes(verdict: Verdict) -> bytes:
    """The serialised Verdict."""
    scalars = verdict_message(verdict, with_numbers=False).SerializeToString()
    return b"".join((scalars, _coded_figures(verdict.figures), _coded_thresholds(verdict.thresholds)))


def watch_bytes(verdict: Verdict) -> bytes:
    """A WatchVerdictsResponse that holds it and nothing else; they can be joined."""
    return _field(_WATCHED, verdict_bytes(verdict))


def status_bytes(status: CameraStatus, redact: Redact) -> bytes:
    """The serialised Camera, with its latest verdict."""
    camera = camera_message(status.camera, redact).SerializeToString()
    return camera if status.latest is None else camera + _field(_LATEST, verdict_bytes(status.latest))


def page_bytes(cameras: "tuple[CameraStatus, ...]", redact: Redact, next_page_token: str, total: int) -> bytes:
    """The serialised ListCamerasResponse."""
    rest = cameras_pb2.ListCamerasResponse(next_page_token=next_page_token, total_size=total).SerializeToString()
    return b"".join([*(_field(_LISTED, status_bytes(one, redact)) for one in cameras), rest])


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


def _coded_figures(figures: Mapping[str, float]) -> bytes:
    layout, parts = _layout(tuple(figures))
    interleaved = parts.copy()
    interleaved[1::2] = figures.values()
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
