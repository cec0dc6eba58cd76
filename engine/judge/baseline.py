"""What a camera usually shows, per tile, learned slowly from good visits: structure, light, colour, edges. Pure.

One baseline for day and one for infrared. Each keeps two memories: one of a day or two, with which a single visit is
compared, and one of a season, against which the first is compared, so that grease that thickens by a thirtieth a day is
seen although no day differs from the one before. Both are means over time: the first SETTLING visits count alike, then
a visit weighs as much as the time it stands for. A visit moves a mean by a bounded step, so that people and pots that
come and go leave little behind.

Everything is kept in bytes, and steps below one unit are not lost: rounding thresholds run through 0..1 from visit to
visit (a Kronecker sequence), so that a mean moves by a unit as often as its steps add up to one. This is the memory as
a value and as bytes; engine/judge/baseline_update.py has how a picture gets into it.
"""

import math
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

ROWS, COLUMNS = 9, 16
"""Of the tile grid, as engine/kernels/grid.py has it."""
TILES = ROWS * COLUMNS
CELLS = 4 * TILES
LEVEL_UNITS = 128
"""Of the cells in a signature, as engine/kernels/figures.py has it."""
STRUCTURE_UNITS = 15.0
ACUTANCE_UNITS, ACUTANCE_LEAST = 40.0, 0.05
COLOUR_ZERO = 128.0

Codes = npt.NDArray[np.uint8]
Grid = npt.NDArray[np.float32]

# Where the parts of the codes begin. First come the cells: mean level of each.
STRUCTURE = CELLS
"""log2(1 + gradient energy) in 1/15."""
ACUTANCE = STRUCTURE + TILES
"""Of edges that x crosses, then of those that y crosses: 0 where there are none, else log2 over 0.05 in 1/40."""
COLOUR_U = ACUTANCE + 2 * TILES
"""Around 128."""
COLOUR_V = COLOUR_U + TILES
SEASON = COLOUR_V + TILES
"""From here on the season's memory, which has structure ..."""
SEASON_ACUTANCE = SEASON + TILES
"""... and acutance, over both directions together."""
CODES = SEASON_ACUTANCE + TILES


class UsualView(NamedTuple):
    """Figures of the whole picture as they usually are, by their names in docs/figures.md.

    `change`: median change of a tile from one visit to the next, in levels.
    """

    luma_mean: float = 0.0
    noise_floor: float = 0.0
    row_pattern: float = 0.0
    column_pattern: float = 0.0
    clipped_bright_share: float = 0.0
    change: float = 0.0


_NOTHING_USUAL = UsualView()
_HEAD = struct.Struct(f"<HHQQ{len(UsualView._fields)}f")
BASELINE_BYTES = _HEAD.size + CODES


@dataclass(frozen=True, slots=True)
class Baseline:
    """A camera's memory of one mode; `Baseline()` has seen nothing.

    `packed`: a byte a code. `visits`, `season_visits`: how many each memory
    has taken; `at_wall_ns`, `season_wall_ns`: when it took the last.
    """

    visits: int = 0
    season_visits: int = 0
    at_wall_ns: int = 0
    season_wall_ns: int = 0
    usual: UsualView = _NOTHING_USUAL
    packed: bytes = b""

    @property
    def codes(self) -> Codes:
        """As an array, shape (CODES,)."""
        return np.frombuffer(self.packed, np.uint8)

    def to_bytes(self) -> bytes:
        """For the store; empty if nothing was seen."""
        if not self.visits:
            return b""
        head = _HEAD.pack(self.visits, self.season_visits, self.at_wall_ns, self.season_wall_ns, *self.usual)
        return head + self.packed

    @staticmethod
    def from_bytes(blob: bytes) -> "Baseline":
        """The value that was stored; a blob of another size is a camera never seen."""
        if len(blob) != BASELINE_BYTES:
            return Baseline()
        visits, season_visits, at_ns, season_ns, *usual = _HEAD.unpack_from(blob)
        if not visits or not math.isfinite(sum(usual)):
            return Baseline()
        return Baseline(visits, season_visits, at_ns, season_ns, UsualView(*usual), blob[_HEAD.size :])
