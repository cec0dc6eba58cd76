"""The analysis scale and the tile grid: where every figure is measured, whatever the camera sends. Pure.

Sharpness depends on scale, so every picture is brought to about ANALYSIS_LINES lines by area averaging, and smaller
ones are left as they are. Samples of the scaled picture are 10-bit: quarter levels of an 8-bit scale.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor

ANALYSIS_LINES = 540
TILE_ROWS = 9
TILE_COLUMNS = 16
CELL_ROWS = 2 * TILE_ROWS
CELL_COLUMNS = 2 * TILE_COLUMNS
"""A tile is four cells: the thumbnail by which a turned camera is known."""

_DENOMINATORS = (1, 2, 3)
_CLOSE_ENOUGH = 0.08


@dataclass(frozen=True, slots=True)
class Factor:
    """Shrink by `over`/`under`: `over` input samples make `under` output samples."""

    over: int
    under: int

    def length(self, samples: int) -> int:
        """How many output samples come of `samples`; a remainder that fills none is left out."""
        return samples * self.under // self.over


@lru_cache(maxsize=64)
def factor(lines: int) -> Factor:
    """The simplest factor that brings `lines` within 8 % of ANALYSIS_LINES, else the closest; 1 for small pictures."""
    if lines <= ANALYSIS_LINES:
        return Factor(1, 1)
    best = Factor(1, 1)
    best_off = float("inf")
    for under in _DENOMINATORS:
        wanted = under * lines / ANALYSIS_LINES
        for over in (floor(wanted), ceil(wanted)):
            off = abs(under * lines / (over * ANALYSIS_LINES) - 1)
            if over >= under and off < best_off - 1e-9:
                best, best_off = Factor(over, under), off
        if best_off <= _CLOSE_ENOUGH:
            break
    return best


def tile_edges(samples: int, tiles: int) -> list[int]:
    """`tiles` + 1 borders that cut `samples` into tiles of nearly equal length."""
    return [index * samples // tiles for index in range(tiles + 1)]
