"""The baseline: what a camera usually shows, per tile, averaged slowly over good visits: structure, light, colour,
edges. Pure.

A camera has one baseline for day and one for infrared. Each holds two averages: a short-term one over a day or two,
which a single visit is compared with, and a season one, which the short-term one is compared with. So grease that
thickens by a thirtieth a day is found although no day differs from the one before. Both are means over time: the first
SETTLING visits have equal weight, later visits weigh as much as the time they stand for. One visit moves a mean by a
bounded step, so that people and pots that come and go leave little trace.

Everything is kept in bytes. Steps below one unit are not lost: the rounding thresholds run through 0..1 from visit to
visit (a Kronecker sequence), so that a mean moves by one unit as often as its steps add up to one. This module holds
the baseline as a value and as bytes; engine/judge/baseline_update.py adds a picture to it. The usual range of the light
is kept beside the averages (engine/judge/optics/light_range.py), and where the last picture had spots.
"""

import math
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.judge.optics.light_range import LIGHT_BYTES, LightRange

ROWS, COLUMNS = 9, 16
"""Rows and columns of the tile grid, as in engine/kernels/grid.py."""
TILES = ROWS * COLUMNS
CELLS = 4 * TILES
LEVEL_UNITS = 128
"""Units per level of the cells in a signature, as in engine/kernels/figures.py."""
STRUCTURE_UNITS = 15.0
"""Code units per octave of structure."""
ACUTANCE_UNITS, ACUTANCE_MIN = 40.0, 0.05
"""Code units per octave of acutance, and the acutance of code 0."""
COLOUR_ZERO = 128.0

Codes = npt.NDArray[np.uint8]
Grid = npt.NDArray[np.float32]

# Offsets of the parts of the codes. The first part is the mean level of each cell.
STRUCTURE = CELLS
"""log2(1 + gradient energy) in 1/15."""
ACUTANCE = STRUCTURE + TILES
"""Of edges crossed by x, then of those crossed by y: 0 where there are none, else log2(acutance / 0.05) in 1/40."""
COLOUR_U = ACUTANCE + 2 * TILES
"""Mean U, with neutral at 128."""
COLOUR_V = COLOUR_U + TILES
"""Mean V, with neutral at 128."""
SEASON = COLOUR_V + TILES
"""The season average starts here: first structure ..."""
SEASON_ACUTANCE = SEASON + TILES
"""... then acutance, the mean of both directions."""
CODES = SEASON_ACUTANCE + TILES


class BaselineFigures(NamedTuple):
    """Usual figures of the whole picture, by their names in docs/figures.md.

    `change`: median change of a tile from one visit to the next, in levels. The gradients are all 0 in a baseline that
    was stored before they were measured, until the next good visit.
    """

    luma_mean: float = 0.0
    noise_floor: float = 0.0
    row_pattern: float = 0.0
    column_pattern: float = 0.0
    clipped_bright_share: float = 0.0
    change: float = 0.0
    gradient_across: float = 0.0
    gradient_down: float = 0.0
    gradient_product: float = 0.0


_NO_FIGURES, _NO_LIGHT = BaselineFigures(), LightRange()
_HEADER = struct.Struct(f"<HHQQ{len(BaselineFigures._fields)}f")
AVERAGES_BYTES = _HEADER.size + CODES
"""Bytes of a baseline without its light and its spots."""
_LIGHT_END = AVERAGES_BYTES + LIGHT_BYTES
SPOTS_BYTES = TILES // 8
BASELINE_BYTES = _LIGHT_END + 1 + SPOTS_BYTES
_LATER_FIGURES_BYTES = 3 * 4
EARLIER_BYTES = AVERAGES_BYTES - _LATER_FIGURES_BYTES
"""Bytes of a baseline as it was stored before there were gradients, a range of light and spots."""


def from_earlier(blob: bytes) -> bytes:
    """Return a baseline of EARLIER_BYTES with what is stored now; what was not known then is zero."""
    figures_end = _HEADER.size - _LATER_FIGURES_BYTES
    later = bytes(_LATER_FIGURES_BYTES), bytes(BASELINE_BYTES - AVERAGES_BYTES)
    return blob[:figures_end] + later[0] + blob[figures_end:] + later[1]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A camera's baseline of one mode; `Baseline()` is that of a camera never seen.

    `packed`: one byte per code. `visits`, `season_visits`: number of visits in the short-term and in the season
    average; `updated_wall_ns`, `season_updated_wall_ns`: time of the last of them. `light`: its usual range.
    `spots`: one bit per tile, row-major, set if something small lay over it when that was last looked for; empty until
    the camera has been seen without.
    """

    visits: int = 0
    season_visits: int = 0
    updated_wall_ns: int = 0
    season_updated_wall_ns: int = 0
    figures: BaselineFigures = _NO_FIGURES
    packed: bytes = b""
    light: LightRange = _NO_LIGHT
    spots: bytes = b""

    @property
    def codes(self) -> Codes:
        """The codes as an array, shape (CODES,)."""
        return np.frombuffer(self.packed, np.uint8)

    def to_bytes(self) -> bytes:
        """Return the bytes to store; empty if the baseline has no visits."""
        if not self.visits:
            return b""
        header = _HEADER.pack(
            self.visits, self.season_visits, self.updated_wall_ns, self.season_updated_wall_ns, *self.figures
        )
        spots = b"\1" + self.spots if self.spots else bytes(1 + SPOTS_BYTES)
        return header + self.packed + self.light.to_bytes() + spots

    @staticmethod
    def from_bytes(blob: bytes) -> "Baseline":
        """Return the value that was stored; that of a camera never seen if a part of it is not valid."""
        if len(blob) != BASELINE_BYTES:
            return Baseline()
        light, spots = LightRange.from_bytes(blob[AVERAGES_BYTES:_LIGHT_END]), blob[_LIGHT_END:]
        visits, season_visits, updated_ns, season_updated_ns, *figures = _HEADER.unpack_from(blob)
        if not visits or not math.isfinite(sum(figures)) or light is None:
            return Baseline()
        if spots[0] > 1 or (not spots[0] and any(spots)):
            return Baseline()
        return Baseline(
            visits,
            season_visits,
            updated_ns,
            season_updated_ns,
            BaselineFigures(*figures),
            blob[_HEADER.size : AVERAGES_BYTES],
            light,
            spots[1:] if spots[0] else b"",
        )
