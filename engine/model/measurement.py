"""The raw figures and scores of one picture. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.keyframe import Codec
from engine.model.picture import TileMap
from engine.model.visit import FeedKind


@dataclass(frozen=True, slots=True)
class Scores:
    """0..100 each; None where the picture does not allow a number (too dark, featureless).

    `sharpness`, `exposure`: 100 is best. `occlusion`: the share of the picture hidden, 0 is best.
    """

    sharpness: float | None
    exposure: float | None
    occlusion: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Raw figures of one picture; no verdict in it, so that a verdict can be recomputed and audited.

    `figures`: name to value, names and units as documented in engine/kernels/registry.py. `signature`: a small
    thumbnail for freeze and move checks, layout in engine/kernels/signature.py. `decode_ns`, `kernels_ns`: time that
    passed; `decode_cpu_ns`, `kernels_cpu_ns`: processor time in it, 0 where it was not measured.
    """

    camera_id: str
    visit_id: int
    arrival_wall_ns: int
    stream_time_ns: int | None
    source: FeedKind
    codec: Codec
    width: int
    height: int
    pixel_format: str
    full_range: bool
    interlaced: bool
    damage: tuple[str, ...]
    figures: Mapping[str, float]
    scores: Scores
    tiles: TileMap | None
    signature: bytes
    decode_ns: int = 0
    kernels_ns: int = 0
    decode_cpu_ns: int = 0
    kernels_cpu_ns: int = 0
