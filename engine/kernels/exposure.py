"""Scores how well a picture is lit, 0..100, from its histogram and from what light has taken from its tiles. Pure but
for the compiler.

The score is 100 if the mean level is within MEAN_GOOD and at least RANGE_GOOD levels are used; it falls in proportion
outside, and falls further with clipping and with shadows that are missing from a bright picture: a picture is washed
out long before much of it clips. Level and clipping after ITU-R BT.601 ranges; percentiles are robust to a lamp or a
window.

What counts most is the part with people and worktops. Lamps and windows burn out in any picture, and something black is
in most, but in few tiles; so the tiles with the most are left out, and what is clipped in all others is lost. The part
in the shade is told by the level that a third of the tiles do not exceed.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels import row_sampling
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS
from engine.kernels.layout import masks
from engine.kernels.luma import total_of
from engine.kernels.plane import UNITS_PER_LEVEL, AnalysisPlane
from engine.kernels.summary import quantile
from engine.runtime.numba_cache import CACHED

TILES = TILE_ROWS * TILE_COLUMNS
MEAN_GOOD = (70.0, 185.0)
RANGE_GOOD = 100.0
CLIPPED_GOOD = 0.10
SHADOW_GOOD, SHADOW_GONE = 60.0, 120.0
"""In a well exposed picture 5 % of the levels are below the first; if they reach the second, nothing dark is left."""
WASHED_OUT_PENALTY = 0.7
"""Share of its score that a picture without any shadow loses."""
LOST_HIGH, LOST_LOW = 250.0, 6.0
"""Levels from which on, and up to which, nothing can be seen."""
LEFT_OUT = 0.15
"""Share of the tiles, those with the most, that are left out of what is lost: lamps and windows, or the dark under a
table."""
HIGHLIGHTS_HALF, SHADOWS_HALF = 0.06, 0.12
"""Lost shares at which the score is halved."""
SHADE_SHARE, SHADE_GOOD = 0.35, 45.0
"""Share of the tiles that are in the shade, and the level of theirs from which on that is light enough."""
_WASHED_OUT_FROM, _WASHED_OUT_SPAN = 140.0, 60.0

_u16 = np.uint16
_COUNTS = types.Array(types.int64, 2, "C")


@numba.njit(nogil=True, cache=CACHED, inline="never")
def _add_clipped(row: Any, low: Any, high: Any, bright: Any, dark: Any) -> None:
    """Count samples at `high` or more, and at `low` or less, by column: in 16 bits, as a tile has at most 64 rows."""
    for x in range(row.shape[0]):
        bright[x] = _u16(bright[x] + _u16(1 if row[x] >= high else 0))
        dark[x] = _u16(dark[x] + _u16(1 if row[x] <= low else 0))


@numba.njit(nogil=True, cache=CACHED)
def _fold(columns: Any, rows: int, tile_row: int, counts: Any) -> None:
    """Add the columns of a complete row of tiles to its tiles, and clear them. `rows`: that were counted."""
    width = columns.shape[1]
    for column in range(TILE_COLUMNS):
        begin, end = column * width // TILE_COLUMNS, (column + 1) * width // TILE_COLUMNS
        tile = tile_row * TILE_COLUMNS + column
        counts[0, tile] = rows * (end - begin)
        counts[1, tile] = total_of(columns[0, begin:end])
        counts[2, tile] = total_of(columns[1, begin:end])
    columns[:] = 0


@numba.njit(
    [types.void(types.Array(types.uint16, 2, "C"), types.int64, types.int64, types.float64, types.float64, _COUNTS)],
    nogil=True, cache=CACHED,
)  # fmt: skip
def count_clipped(plane: Any, lines: int, step: int, low: float, high: float, counts: Any) -> None:
    """Write to `counts`, shape (3, TILES): samples of anchor rows, those of them at `high` or more, and at `low` or
    less.

    `plane`: the kept rows of `lines`; `low`, `high`: in quarter levels.
    """
    height, width = plane.shape
    distance = row_sampling.spacing(step)
    low_sample, high_sample = _u16(max(0.0, np.floor(low))), _u16(np.ceil(high))
    columns = np.zeros((2, width), np.uint16)
    rows = tile_row = 0
    tile_end = row_sampling.kept_count(lines // TILE_ROWS, step)
    for y in range(0, height, distance):
        if y >= tile_end:
            _fold(columns, rows, tile_row, counts)
            rows = 0
            tile_row += 1
            tile_end = row_sampling.kept_count((tile_row + 1) * lines // TILE_ROWS, step)
        _add_clipped(plane[y], low_sample, high_sample, columns[0], columns[1])
        rows += 1
    _fold(columns, rows, tile_row, counts)


@numba.njit(nogil=True, cache=CACHED)
def lost_share(samples: Any, clipped: Any, masked: Any) -> float:
    """Return the mean share of clipped samples of the tiles that are not masked, without the LEFT_OUT with the most."""
    shares = masks.unmasked(clipped / samples, masked)
    kept = shares.size - int(LEFT_OUT * shares.size)
    mean: float = np.partition(shares, kept - 1)[:kept].mean()
    return mean


@numba.njit(nogil=True, cache=CACHED)
def shade_level(levels: Any, masked: Any) -> float:
    """Return the mean level that SHADE_SHARE of the tiles that are not masked do not exceed."""
    level: float = quantile(masks.unmasked(levels, masked), SHADE_SHARE)
    return level


@numba.njit(nogil=True, cache=CACHED)
def exposure(
    mean: float, shadow: float, highlight: float, dark_share: float, bright_share: float, lost_highlights: float,
    lost_shadows: float, shade: float,
) -> float:  # fmt: skip
    """Return the score; 100 is best. It is never nan: light can be judged in any picture.

    `shadow`, `highlight`: levels below which 5 and 95 % of the picture lie. `dark_share`, `bright_share`: clipped
    shares, 0..1. `lost_highlights`, `lost_shadows`: see `lost_share`. `shade`: see `shade_level`.
    """
    low, high = MEAN_GOOD
    level = min(1.0, mean / low, (255.0 - mean) / (255.0 - high))
    span = min(1.0, (highlight - shadow) / RANGE_GOOD)
    unclipped = 1.0 - max(0.0, max(dark_share, bright_share) - CLIPPED_GOOD) / (1.0 - CLIPPED_GOOD)
    missing = (shadow - SHADOW_GOOD) / (SHADOW_GONE - SHADOW_GOOD)
    washed_out = max(0.0, min(1.0, missing)) * max(0.0, min(1.0, (mean - _WASHED_OUT_FROM) / _WASHED_OUT_SPAN))
    kept = 1.0 / (1.0 + lost_highlights / HIGHLIGHTS_HALF) / (1.0 + lost_shadows / SHADOWS_HALF)
    kept *= min(1.0, shade / SHADE_GOOD)
    return 100.0 * max(0.0, level) * (0.5 + 0.5 * span) * unclipped * (1.0 - WASHED_OUT_PENALTY * washed_out) * kept


def measure(plane: AnalysisPlane) -> dict[str, npt.NDArray[np.int64]]:
    """Count clipped samples of an analysis plane of full range."""
    counts = np.zeros((3, TILES), np.int64)
    low, high = LOST_LOW * UNITS_PER_LEVEL, LOST_HIGH * UNITS_PER_LEVEL
    count_clipped(plane.samples, plane.lines, plane.step, low, high, counts)
    return {"samples": counts[0], "bright": counts[1], "dark": counts[2]}
