"""Packs verdicts into the compact form that the store and the hub's memory hold, and unpacks them. Pure.

Fields that differ from verdict to verdict (times, scores, figures, tiles, detail) form a body of some 200 bytes. Fields
that thousands of verdicts share (state, kinds, reason, causes, the names of the figures, the thresholds) form a shape,
which is stored once.

Layout of a body, little-endian: visit id u64, since i64, width u16, height u16, confidence u16 (thousandths),
sharpness, exposure, occlusion f32 (nan: None), the figures f32 in the order of the shape's names, the number of tile
bytes u8, the tiles as a bit set, the detail in UTF-8. Figures and scores keep seven digits.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from engine.model.camera import CameraStream
from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict

_HEAD = struct.Struct("<QqHHHfff")
_IDS = struct.Struct("<Qq")
_SIZE = struct.Struct("<HH")
_SCORES = struct.Struct("<fff")
_SCORES_AT = _HEAD.size - _SCORES.size
_SCORE = struct.Struct("<f")
_SCORE_AT = {name: _SCORES_AT + _SCORE.size * n for n, name in enumerate(("sharpness", "exposure", "occlusion"))}
_CONFIDENCE_STEPS = 1000
_NAN = math.nan


class ShapeKey(NamedTuple):
    """The fields that verdicts of one shape share, without the thresholds, which are interned separately.

    `names`: of the figures, in the order in which a body holds them. All others as in Verdict.
    """

    state: State
    kinds: tuple[FaultKind, ...]
    reason: str
    announced: State
    announced_kinds: tuple[FaultKind, ...]
    rules_version: str
    codec: Codec | None
    cause: Cause | None
    announced_cause: Cause | None
    severity: Severity | None
    names: tuple[str, ...]
    stream: CameraStream = CameraStream.MAIN


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape: its key and its thresholds (value by name)."""

    key: ShapeKey
    thresholds: Mapping[str, float]


class PackedVerdict(NamedTuple):
    """A packed verdict. `at_wall_ns`: of the verdict. `body`: laid out as above; `shape` tells how to read it."""

    at_wall_ns: int
    shape: Shape
    body: bytes

    def verdict(self, camera_id: str) -> Verdict:
        """Unpack it. Raises struct.error or ValueError if the body does not fit the shape."""
        return unpack(camera_id, self.at_wall_ns, self.shape, self.body)


class BodyFields(NamedTuple):
    """The fields of a body. `figures`: in the order of the shape's names. All others as in Verdict."""

    visit_id: int
    since_wall_ns: int
    width: int
    height: int
    confidence: float
    scores: Scores
    figures: tuple[float, ...]
    tiles: tuple[int, ...]
    detail: str


def shape_key(verdict: Verdict) -> ShapeKey:
    """Return the key of the shape that this verdict has."""
    return ShapeKey(
        verdict.state, verdict.kinds, verdict.reason, verdict.announced, verdict.announced_kinds, verdict.rules_version,
        verdict.codec, verdict.cause, verdict.announced_cause, verdict.severity, tuple(verdict.figures), verdict.stream,
    )  # fmt: skip


def pack_shape(key: ShapeKey, names_no: int, thresholds_no: int) -> str:
    """Return the shape as JSON. `names_no`, `thresholds_no`: ids under which its names and thresholds are stored."""
    return _json(key._asdict() | {"names": names_no, "thresholds": thresholds_no})


def unpack_shape(raw: str) -> tuple[dict[str, Any], int, int]:
    """Return the fields of a stored shape, and the ids of its names and thresholds.

    Raises KeyError or ValueError if `raw` is not a shape.
    """
    fields = json.loads(raw)
    return fields, fields.pop("names"), fields.pop("thresholds")


def build_shape(fields: Mapping[str, Any], names: tuple[str, ...], thresholds: Mapping[str, float]) -> Shape:
    """Return the shape with these fields (from `unpack_shape`), names and thresholds.

    Raises KeyError or ValueError if a field is missing or has an unknown value.
    """
    key = ShapeKey(
        state=State(fields["state"]),
        kinds=tuple(map(FaultKind, fields["kinds"])),
        reason=fields["reason"],
        announced=State(fields["announced"]),
        announced_kinds=tuple(map(FaultKind, fields["announced_kinds"])),
        rules_version=fields["rules_version"],
        codec=_optional(Codec, fields["codec"]),
        cause=_optional(Cause, fields["cause"]),
        announced_cause=_optional(Cause, fields["announced_cause"]),
        severity=_optional(Severity, fields["severity"]),
        names=names,
        stream=CameraStream(fields.get("stream", CameraStream.MAIN)),  # shapes of earlier programs have none
    )
    return Shape(key, thresholds)


def pack_names(names: tuple[str, ...]) -> str:
    """Return the names of figures as JSON."""
    return _json(names)


def pack_thresholds(thresholds: Mapping[str, float]) -> str:
    """Return thresholds as JSON."""
    return _json(dict(thresholds))


def pack(verdict: Verdict) -> bytes:
    """Return the body of a verdict. Raises struct.error or OverflowError if a number is out of range."""
    scores, tiles = verdict.scores, 0
    for tile in verdict.tiles:
        tiles |= 1 << tile
    bits = tiles.to_bytes((tiles.bit_length() + 7) // 8, "little")
    return b"".join(
        (
            _HEAD.pack(
                verdict.visit_id,
                verdict.since_wall_ns,
                verdict.width,
                verdict.height,
                round(verdict.confidence * _CONFIDENCE_STEPS),
                _NAN if scores.sharpness is None else scores.sharpness,
                _NAN if scores.exposure is None else scores.exposure,
                _NAN if scores.occlusion is None else scores.occlusion,
            ),
            _figures_layout(len(verdict.figures)).pack(*verdict.figures.values(), len(bits)),
            bits,
            verdict.detail.encode(),
        )
    )


def unpack_body(shape: Shape, body: bytes) -> BodyFields:
    """Return the fields of a body. Raises struct.error or ValueError if the body does not fit the shape."""
    visit_id, since_wall_ns, width, height, confidence, *_ = _HEAD.unpack_from(body)
    count = len(shape.key.names)
    *figures, bits = _figures_layout(count).unpack_from(body, _HEAD.size)
    tiles_at = _HEAD.size + 4 * count + 1
    return BodyFields(
        visit_id,
        since_wall_ns,
        width,
        height,
        confidence / _CONFIDENCE_STEPS,
        scores(body),
        tuple(figures),
        _tiles(body[tiles_at : tiles_at + bits]) if bits else (),
        body[tiles_at + bits :].decode(),
    )


def unpack(camera_id: str, at_wall_ns: int, shape: Shape, body: bytes) -> Verdict:
    """Return the verdict. Raises struct.error or ValueError if the body does not fit the shape."""
    key, fields = shape.key, unpack_body(shape, body)
    return Verdict(
        camera_id=camera_id,
        visit_id=fields.visit_id,
        at_wall_ns=at_wall_ns,
        state=key.state,
        kinds=key.kinds,
        reason=key.reason,
        detail=fields.detail,
        announced=key.announced,
        announced_kinds=key.announced_kinds,
        since_wall_ns=fields.since_wall_ns,
        scores=fields.scores,
        figures=dict(zip(key.names, fields.figures, strict=True)),
        thresholds=shape.thresholds,
        rules_version=key.rules_version,
        width=fields.width,
        height=fields.height,
        codec=key.codec,
        cause=key.cause,
        announced_cause=key.announced_cause,
        severity=key.severity,
        confidence=fields.confidence,
        tiles=fields.tiles,
        stream=key.stream,
    )


def scores(body: bytes) -> Scores:
    """Return the scores of a body, without unpacking the rest."""
    return Scores(*(None if score != score else score for score in _SCORES.unpack_from(body, _SCORES_AT)))


def visit_and_since(body: bytes) -> tuple[int, int]:
    """Return `visit_id` and `since_wall_ns` of a body, without unpacking the rest."""
    visit_id, since_wall_ns = _IDS.unpack_from(body)
    return visit_id, since_wall_ns


def picture_size(body: bytes) -> tuple[int, int]:
    """Return width and height of a body's picture in pixels, without unpacking the rest; 0 without a picture."""
    width, height = _SIZE.unpack_from(body, _IDS.size)
    return width, height


def score(body: bytes, name: str) -> float:
    """Return one score of a body by its name in Scores, without unpacking the rest; nan: there is none."""
    value: float = _SCORE.unpack_from(body, _SCORE_AT[name])[0]
    return value


@lru_cache(maxsize=256)
def _figures_layout(count: int) -> struct.Struct:
    """Return the layout of `count` figures and the number of tile bytes."""
    return struct.Struct(f"<{count}fB")


def _tiles(bits: bytes) -> tuple[int, ...]:
    return tuple(8 * index + bit for index, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)


def _optional(kind: Any, value: str | None) -> Any:
    return None if value is None else kind(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
