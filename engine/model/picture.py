"""Decoded pictures, their tile maps, and pictures rendered for people. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.model.active_area import WHOLE, ActiveArea
from engine.model.keyframe import Codec

LumaPlane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""One plane of a decoded picture, shape (rows, columns)."""

PICTURE_SIDE_PX_MIN = 64
PICTURE_SIDE_PX_MAX = 8192
"""Least and greatest width and height of a picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, its planes as the decoder laid them out; the kernels normalise the levels.

    `luma`: shape (rows, columns); uint8, or uint16 with `bit_depth` significant low bits. The row stride may exceed the
    width. For an interlaced picture it is one field (every other row), so it has half of `height` rows. `chroma`: (u,
    v), same dtype, in their subsampled size; None for grey. `width`, `height`: of the whole picture, in pixels.
    `full_range`: 0..255 is black to white; otherwise 16..235. The planes borrow the decoder's memory: use them before
    the next decode.
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
    """Damage found, in the words of docs/measuring.md: corrupt_flag, missing_area, zero_hole, ... Empty if none."""
    headers: int = 0
    """A digest of its parameter sets, 32 bits; 0 for a JPEG, which has none."""
    fragile: bool = False
    """Whether wrong bits may decode to another picture, unnoticed: JPEG, H.265, and H.264 with CAVLC."""
    view_lines: int = 0
    """Lines that the analysis scale is taken from: more than `height` if bars above and below were cut off; 0: `height`
    itself."""

    def cropped(self, area: ActiveArea) -> "Picture":
        """Return the part of the picture in `area`; its planes share the memory of this one's.

        It is measured at the scale at which the same scene without bars above and below would be: a wide picture keeps
        the scale of its width.
        """
        if area == WHOLE:
            return self
        rows, columns = self.luma.shape
        left, top, right, bottom = area.pixels(columns, rows)
        width, height = right - left, (bottom - top) * self.height // rows
        return replace(
            self,
            luma=self.luma[top:bottom, left:right],
            chroma=None if self.chroma is None else (_part(self.chroma[0], area), _part(self.chroma[1], area)),
            width=width,
            height=height,
            view_lines=max(height, min(self.height, width * 9 // 16)),
        )


def _part(plane: LumaPlane, area: ActiveArea) -> LumaPlane:
    rows, columns = plane.shape
    left, top, right, bottom = area.pixels(columns, rows)
    return plane[top:bottom, left:right]


class TileMap(NamedTuple):
    """Per-tile figures, `rows` x `columns`, row-major from the top left.

    All float32, shape (rows, columns). `luma`: mean grey level. `structure`: noise-corrected gradient energy at the
    analysis scale, grey levels squared, 0 where there is nothing to see. `acutance`, shape (2, rows, columns): share of
    an edge's height that its steepest step takes, of edges that x and y cross; nan where a tile has too few. `u`, `v`:
    mean colour around neutral, 8-bit levels, 0 for grey. `masked`: bool, shape (rows, columns): tiles that a privacy
    mask covers; None if there are none.
    """

    luma: npt.NDArray[np.float32]
    structure: npt.NDArray[np.float32]
    acutance: npt.NDArray[np.float32]
    u: npt.NDArray[np.float32]
    v: npt.NDArray[np.float32]
    masked: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class RenderedPicture:
    """A keyframe rendered for people: full quality, as JPEG.

    `width`, `height`: in pixels. `visit_id`, `arrival_wall_ns`: of its keyframe; 0 if not known. `etag`: changes with
    the keyframe and how it is rendered; empty before it is known. `not_modified`: the caller has it, so that there is
    no JPEG, no width and no height.
    """

    jpeg: bytes
    width: int
    height: int
    visit_id: int = 0
    arrival_wall_ns: int = 0
    etag: str = ""
    not_modified: bool = False


class FindingPicture(StrEnum):
    """Which picture of a finding."""

    EVIDENCE = "evidence"
    """The keyframe that an event of the finding cites."""
    BASELINE = "baseline"
    """The last that was ok while ok was announced, before the evidence."""
    LAST_GOOD = "last_good"
    """The last that was ok, whatever was announced, before the evidence."""


def etag_of(visit_id: int, arrival_wall_ns: int, side_px_max: int, annotated: bool) -> str:
    """Return the etag, quoted as in HTTP, of a keyframe that is rendered in this way."""
    return f'"{visit_id:x}-{arrival_wall_ns:x}-{side_px_max}{"a" if annotated else ""}"'


def names_etag(if_none_match: str, etag: str) -> bool:
    """Return whether HTTP's If-None-Match (a list of etags, quoted or not, or `*`) names this etag."""
    names = (name.strip().removeprefix("W/").strip('"') for name in if_none_match.split(","))
    return any(name in ("*", etag.strip('"')) for name in names if name)
