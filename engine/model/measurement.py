"""The raw figures and scores of one picture. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from engine.model.active_area import WHOLE, ActiveArea
from engine.model.keyframe import Codec
from engine.model.picture import TileMap
from engine.model.visit import FeedKind


@dataclass(frozen=True, slots=True)
class Scores:
    """Three scores, each 0 to 100; None if the picture does not allow a number (too dark, featureless).

    `sharpness`, `exposure`: 100 is best. `occlusion`: percentage of the picture that is hidden; 0 is best.
    """

    sharpness: float | None
    exposure: float | None
    occlusion: float | None


class CameraView(NamedTuple):
    """One of several cameras' pictures in a picture: what is measured of it, named as in Measurement."""

    figures: Mapping[str, float]
    scores: Scores
    tiles: TileMap
    signature: bytes


@dataclass(frozen=True, slots=True)
class Measurement:
    """Everything measured on one picture. It holds no verdict, so that a verdict can be recomputed and audited.

    `camera_id` to `codec`: from the keyframe. `width`, `height`: of the picture, in pixels. `pixel_format`: as FFmpeg
    names it. `full_range`, `interlaced`, `damage`, `headers`, `fragile`: as in Picture. `figures`: value by name; names
    and units are in engine/kernels/registry.py. `tiles`: per-tile figures; None if there are none. `signature`: a small
    thumbnail for freeze and move checks, layout in engine/kernels/signature.py. `decode_ns`, `kernels_ns`: elapsed time
    of decoding and measuring; `decode_cpu_ns`, `kernels_cpu_ns`: processor time of the same, 0 if not measured. `area`:
    the part of the picture that figures, tiles and signature are of; `seen_area`: what its own bars leave, None if that
    cannot be told. `views`: if `area` has several views, each of them, in the order of QUARTER_NAMES.
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
    headers: int = 0
    fragile: bool = False
    area: ActiveArea = WHOLE
    seen_area: ActiveArea | None = None
    views: tuple[CameraView, ...] = ()
