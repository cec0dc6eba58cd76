"""Defines the analysis scale and the tile grid: where every figure is measured, whatever size the camera sends. Pure.

Sharpness depends on scale, so every picture is area averaged to about ANALYSIS_LINES lines; smaller pictures keep their
size. Samples of the scaled picture are 10-bit: quarter levels of an 8-bit scale.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor

ANALYSIS_LINES = 540
TILE_ROWS = 9
TILE_COLUMNS = 16
CELL_ROWS = 2 * TILE_ROWS
CELL_COLUMNS = 2 * TILE_COLUMNS
"""A tile has 2 x 2 cells. The cells form the thumbnail by which a turned camera is recognised."""

_DENOMINATORS = (1, 2, 3)
_TOLERANCE = 0.08


@dataclass(frozen=True, slots=True)
class Factor:
    """Shrink by `over`/`under`: `over` input samples become `under` output samples."""

    over: int
    under: int

    def length(self, samples: int) -> int:
        """Return how many output samples `samples` input samples give; an incomplete last one is left out."""
        return samples * self.under // self.over


@lru_cache(maxsize=64)
def factor(lines: int) -> Factor:
    """Return the simplest factor that brings `lines` within 8 % of ANALYSIS_LINES, else the closest.

    The factor is 1 for pictures of up to ANALYSIS_LINES lines.
    """
    if lines <= ANALYSIS_LINES:
        return Factor(1, 1)
    best = Factor(1, 1)
    best_error = float("inf")
    for under in _DENOMINATORS:
        exact = under * lines / ANALYSIS_LINES
        for over in (floor(exact), ceil(exact)):
            error = abs(under * lines / (over * ANALYSIS_LINES) - 1)
            if over >= under and error < best_error - 1e-9:
                best, best_error = Factor(over, under), error
        if best_error <= _TOLERANCE:
            break
    return best


def tile_borders(samples: int, tiles: int) -> list[int]:
    """Return the `tiles` + 1 borders that cut `samples` into tiles of nearly equal length."""
    return [index * samples // tiles for index in range(tiles + 1)]
