"""A verdict packed: as a row of the store has it, and the hub's memory. Pure.

What few verdicts have to themselves (times, scores, figures, tiles, detail) is a body of some 200 bytes; what thousands
share is a shape, which stands once: state, kinds, reason, causes, the names of the figures, and the thresholds.

Layout of a body, little-endian: visit id u64, since i64, width u16, height u16, confidence u16 (thousandths),
sharpness, exposure, occlusion f32 (nan: None), the figures f32 in the order of the shape's names, number of bytes of
the tiles u8, the tiles as bits, the detail in UTF-8. Figures and scores keep seven digits.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict

_HEAD = struct.Struct("<QqHHHfff")
_SCORES = struct.Struct("<fff")
_SCORES_AT = _HEAD.size - _SCORES.size
_CONFIDENCE_STEPS = 1000
_NAN = math.nan


class ShapeKey(NamedTuple):
    """What verdicts of one shape have in common, the thresholds left out: those have a number of their own."""

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


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape as it is read: its words, and the thresholds it points to."""

    key: ShapeKey
    thresholds: Mapping[str, float]


class Packed(NamedTuple):
    """A verdict as it is stored, with the shape that says how to read it."""

    at_wall_ns: int
    shape: Shape
    body: bytes

    def verdict(self, camera_id: str) -> Verdict:
        """The verdict in it."""
        return unpack(camera_id, self.at_wall_ns, self.shape, self.body)


class Parts(NamedTuple):
    """What stands in a body. `figures`: in the order of the shape's names."""

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
    """The shape that this verdict has."""
    return ShapeKey(
        verdict.state, verdict.kinds, verdict.reason, verdict.announced, verdict.announced_kinds, verdict.rules_version,
        verdict.codec, verdict.cause, verdict.announced_cause, verdict.severity, tuple(verdict.figures),
    )  # fmt: skip


def pack_shape(key: ShapeKey, names_no: int, thresholds_no: int) -> str:
    """The shape as JSON, with the numbers under which names and thresholds are kept."""
    return _json(key._asdict() | {"names": names_no, "thresholds": thresholds_no})


def unpack_shape(raw: str) -> tuple[dict[str, Any], int, int]:
    """The words of a shape, and the numbers of its names and thresholds; KeyError or ValueError if it is none."""
    fields = json.loads(raw)
    return fields, fields.pop("names"), fields.pop("thresholds")


def shape(fields: Mapping[str, Any], names: tuple[str, ...], thresholds: Mapping[str, float]) -> Shape:
    """A shape from its three parts."""
    key = ShapeKey(
        state=State(fields["state"]),
        kinds=tuple(map(FaultKind, fields["kinds"])),
        reason=fields["reason"],
        announced=State(fields["announced"]),
        announced_kinds=tuple(map(FaultKind, fields["announced_kinds"])),
        rules_version=fields["rules_version"],
        codec=_word(Codec, fields["codec"]),
        cause=_word(Cause, fields["cause"]),
        announced_cause=_word(Cause, fields["announced_cause"]),
        severity=_word(Severity, fields["severity"]),
        names=names,
    )
    return Shape(key, thresholds)


def pack_names(names: tuple[str, ...]) -> str:
    """The names of figures as JSON."""
    return _json(names)


def pack_thresholds(thresholds: Mapping[str, float]) -> str:
    """Thresholds as JSON."""
    return _json(dict(thresholds))


def pack(verdict: Verdict) -> bytes:
    """What this verdict has to itself. Raises struct.error or OverflowError for numbers that no judge gives."""
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


def parts(of: Shape, body: bytes) -> Parts:
    """What stands in the body of a row; struct.error or ValueError if it is none of this shape."""
    visit_id, since_wall_ns, width, height, confidence, *_ = _HEAD.unpack_from(body)
    count = len(of.key.names)
    *figures, bits = _figures_layout(count).unpack_from(body, _HEAD.size)
    tiles_at = _HEAD.size + 4 * count + 1
    return Parts(
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


def unpack(camera_id: str, at_wall_ns: int, of: Shape, body: bytes) -> Verdict:
    """The verdict of a row; struct.error or ValueError if the body is none of this shape."""
    key, own = of.key, parts(of, body)
    return Verdict(
        camera_id=camera_id,
        visit_id=own.visit_id,
        at_wall_ns=at_wall_ns,
        state=key.state,
        kinds=key.kinds,
        reason=key.reason,
        detail=own.detail,
        announced=key.announced,
        announced_kinds=key.announced_kinds,
        since_wall_ns=own.since_wall_ns,
        scores=own.scores,
        figures=dict(zip(key.names, own.figures, strict=True)),
        thresholds=of.thresholds,
        rules_version=key.rules_version,
        width=own.width,
        height=own.height,
        codec=key.codec,
        cause=key.cause,
        announced_cause=key.announced_cause,
        severity=key.severity,
        confidence=own.confidence,
        tiles=own.tiles,
    )


def scores(body: bytes) -> Scores:
    """The scores alone."""
    return Scores(*(None if one != one else one for one in _SCORES.unpack_from(body, _SCORES_AT)))


@lru_cache(maxsize=256)
def _figures_layout(count: int) -> struct.Struct:
    """So many figures, and the number of bytes of the tiles."""
    return struct.Struct(f"<{count}fB")


def _tiles(bits: bytes) -> tuple[int, ...]:
    return tuple(8 * at + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)


def _word(known: Any, word: str | None) -> Any:
    return None if word is None else known(word)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
