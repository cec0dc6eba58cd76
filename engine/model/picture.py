"""Decoded pictures, their tile maps, and pictures rendered for people. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.model.keyframe import Codec

LumaPlane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


PICTURE_SIDE_PX_MIN = 64


PICTURE_SIDE_PX_MAX = 8192


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded planes, as the decoder laid them out; kernels normalise.

    `luma`: (rows, columns), uint8, or uint16 holding `bit_depth` significant low bits; the row stride may exceed the
    width. Of an interlaced picture it is one field (every other row): rows are half of `height`. `chroma`: (u, v) of
    the same dtype in their subsampled size, or None for grey. `full_range`: 0..255 is black to white; otherwise
    16..235. Planes borrow the decoder's memory: use them before the next decode.
    """

    luma: LumaPlane
    chroma: tuple[LumaPlane, LumaPlane] | None
    width: int
    height: int
    codec: Codec
    pixel_format: str
    bit_depth: int
    full_range: bool
    interlaced: bool
    damage: tuple[str, ...] = ()
    """Empty, or what was seen: corrupt_flag, several_pictures, truncated, slice_groups, missing_area."""


class TileMap(NamedTuple):
    """Per-tile figures, `rows` x `columns`, row-major from the top left.

    All float32, shape (rows, columns). `luma`: mean grey level. `structure`: noise-corrected gradient energy at the
    analysis scale, grey levels squared, 0 where there is nothing to see. `acutance`, shape (2, rows, columns): share of
    an edge's height that its steepest step takes, of edges that x and y cross; nan where a tile has too few. `u`, `v`:
    mean colour around neutral, 8-bit levels, 0 for grey.
    """

    luma: npt.NDArray[np.float32]
    structure: npt.NDArray[np.float32]
    acutance: npt.NDArray[np.float32]
    u: npt.NDArray[np.float32]
    v: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RenderedPicture:
    """A keyframe in full quality as JPEG, with the visit it came from."""

    jpeg: bytes
    width: int
    height: int
    visit_id: int = 0
    arrival_wall_ns: int = 0
