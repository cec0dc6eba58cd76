"""Finds privacy masks: rectangles of one level that a camera or recorder draws over a part of its picture, and counts
their samples per tile. Pure but for the compiler.

A mask is a run of samples of one level in an anchor row, long enough, with a sharp end on at least one side, whose ends
are where those of the row of samples above are, and that crosses a tile without any change from sample to sample, or
one beside such a tile. Sensors have no such runs; what a codec flattens, such as a plain wall or the dark, fades at its
ends, or ends elsewhere from row to row.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels import row_sampling
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS
from engine.kernels.luma import BINS
from engine.kernels.plane import AnalysisPlane
from engine.runtime.numba_cache import CACHED

TILES = TILE_ROWS * TILE_COLUMNS
RUN_DIVISOR = 24
"""A run takes at least 1/RUN_DIVISOR of the width."""
RUN_UNITS = 24
"""Quarter levels by which samples of a run differ from its first, at most: a codec blurs the scene into a mask."""
EDGE_SAMPLES, EDGE_UNITS = 6, 40
"""Samples within which a run ends, and quarter levels by which what follows differs, at least: 10 levels."""
RUNS_MAX = 16
"""Runs of a row that are kept; a camera has four to eight masks."""
MASKED_MIN = 0.6
"""Share of a tile's samples that are masked, from which on the tile is."""
MASKED_MAX = 0.5
"""Share of the picture above which nothing is taken for a mask: a recorder's own picture has such areas too."""

_SIGNATURE = types.float64(
    types.Array(types.uint16, 2, "C"), *[types.int64] * 2, types.Array(types.boolean, 1, "C"),
    types.Array(types.int64, 1, "C"), types.Array(types.int64, 1, "C"), types.Array(types.int64, 1, "C"),
)  # fmt: skip


@numba.njit(nogil=True, cache=CACHED)
def _is_sharp(row: Any, begin: int, end: int, level: Any) -> bool:
    """Return whether a sample from `begin` to `end` differs from `level` by an edge."""
    furthest: Any = 0
    for x in range(max(0, begin), min(row.shape[0], end)):
        furthest = max(furthest, abs(np.int64(row[x]) - level))
    return bool(furthest >= EDGE_UNITS)


@numba.njit(nogil=True, cache=CACHED)
def _find_runs(row: Any, length_min: int, runs: Any) -> int:
    """Write begin, end and level of the row's runs to `runs`, shape (RUNS_MAX, 3); return how many there are."""
    count = x = 0
    width = row.shape[0]
    while x < width and count < RUNS_MAX:
        begin, level = x, np.int64(row[x])
        x += 1
        while x < width and abs(np.int64(row[x]) - level) <= RUN_UNITS:
            x += 1
        if x - begin < length_min:
            continue
        at_left, at_right = begin < EDGE_SAMPLES, x > width - EDGE_SAMPLES
        left, right = _is_sharp(row, begin - EDGE_SAMPLES, begin, level), _is_sharp(row, x, x + EDGE_SAMPLES, level)
        if (left and (right or at_right)) or (right and at_left):
            runs[count, 0], runs[count, 1], runs[count, 2] = begin, x, level
            count += 1
    return count


@numba.njit(nogil=True, cache=CACHED)
def _continues(run: Any, above: Any, count: int) -> bool:
    """Return whether one of the runs above has the same ends and the same level."""
    for index in range(count):
        near = abs(run[0] - above[index, 0]) <= EDGE_SAMPLES and abs(run[1] - above[index, 1]) <= EDGE_SAMPLES
        if near and abs(run[2] - above[index, 2]) <= RUN_UNITS:
            return True
    return False


@numba.njit(nogil=True, cache=CACHED)
def _is_near_flat(row: int, flat: Any) -> bool:
    """Return whether a row of tiles, or one above or below, has a flat tile: elsewhere no run is looked for."""
    near = flat[max(0, row - 1) * TILE_COLUMNS : min(TILE_ROWS, row + 2) * TILE_COLUMNS]
    return bool(near.any())


@numba.njit(nogil=True, cache=CACHED)
def _crosses_flat(run: Any, width: int, row: int, flat: Any) -> bool:
    """Return whether a run crosses a whole tile that is flat, or is next to one above or below. `row`: of tiles."""
    for column in range(TILE_COLUMNS):
        first, last = column * width // TILE_COLUMNS, (column + 1) * width // TILE_COLUMNS
        if first >= run[0] and last <= run[1]:
            for other in range(max(0, row - 1), min(TILE_ROWS, row + 2)):
                if flat[other * TILE_COLUMNS + column]:
                    return True
    return False


@numba.njit(nogil=True, cache=CACHED)
def _count_run(row: Any, begin: int, end: int, tiles: Any, bins: Any) -> None:
    """Add a run's samples to a row of tiles, and every second sample of the row to the histogram."""
    width = row.shape[0]
    for column in range(TILE_COLUMNS):
        first, last = column * width // TILE_COLUMNS, (column + 1) * width // TILE_COLUMNS
        tiles[column] += max(0, min(end, last) - max(begin, first))
    for x in range(begin + begin % 2, end, 2):
        bins[row[x]] += 1


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def accumulate(plane: Any, lines: int, step: int, flat: Any, samples: Any, masked: Any, bins: Any) -> float:
    """Write the samples of each tile in anchor rows to `samples`, those of them in masks to `masked`, and the histogram
    of the latter, of every second sample, to `bins`. Returns the share of the picture that is masked.

    `plane`: the kept rows of `lines`. `flat`: tiles without any change from sample to sample. If the share is above
    MASKED_MAX, all of `masked` and `bins` are 0.
    """
    height, width = plane.shape
    distance = row_sampling.spacing(step)
    runs, above = np.empty((RUNS_MAX, 3), np.int64), np.empty((RUNS_MAX, 3), np.int64)
    count_above = tile = total = 0
    tile_end = row_sampling.kept_count(lines // TILE_ROWS, step)
    for y in range(0, height, distance):
        while y >= tile_end:
            tile += 1
            tile_end = row_sampling.kept_count((tile + 1) * lines // TILE_ROWS, step)
        row = plane[y]
        tiles = masked[tile * TILE_COLUMNS : (tile + 1) * TILE_COLUMNS]
        count = _find_runs(row, max(EDGE_SAMPLES, width // RUN_DIVISOR), runs) if _is_near_flat(tile, flat) else 0
        for index in range(count):
            if _continues(runs[index], above, count_above) and _crosses_flat(runs[index], width, tile, flat):
                _count_run(row, runs[index, 0], runs[index, 1], tiles, bins)
                total += runs[index, 1] - runs[index, 0]
        for column in range(TILE_COLUMNS):
            first, last = column * width // TILE_COLUMNS, (column + 1) * width // TILE_COLUMNS
            samples[tile * TILE_COLUMNS + column] += last - first
        runs, above, count_above = above, runs, count
    share: float = total / samples.sum()
    if share > MASKED_MAX:
        masked[:] = 0
        bins[:] = 0
        return 0.0
    return share


@numba.njit(nogil=True, cache=CACHED)
def unmeasured(samples: Any, masked: Any, hidden: Any, beside: Any) -> bool:
    """Mark in `hidden` the tiles that are masked, and in `beside` those in which a mask has an edge, too: it is sharp
    on any lens. Returns whether any tile is masked; if not, nothing is marked."""
    count = 0
    for tile in range(TILES):
        hidden[tile] = masked[tile] >= MASKED_MIN * samples[tile] and masked[tile] > 0
        count += hidden[tile]
    if count == 0:
        return False
    for row in range(TILE_ROWS):
        for column in range(TILE_COLUMNS):
            tile = row * TILE_COLUMNS + column
            near = masked[tile] > 0
            near = near or (row > 0 and hidden[tile - TILE_COLUMNS])
            near = near or (row + 1 < TILE_ROWS and hidden[tile + TILE_COLUMNS])
            near = near or (column > 0 and hidden[tile - 1])
            beside[tile] = near or (column + 1 < TILE_COLUMNS and hidden[tile + 1])
    return True


@numba.njit(nogil=True, cache=CACHED)
def unmasked(values: Any, masked: Any) -> Any:
    """Return the values of the tiles that are not masked, one after the other. Some tile is not: see MASKED_MAX."""
    kept = np.empty(TILES)
    count = 0
    for tile in range(TILES):
        if not masked[tile]:
            kept[count] = values[tile]
            count += 1
    return kept[:count]


def measure(plane: AnalysisPlane, flat: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[np.int64]]:
    """Run the pass over an analysis plane: `samples` and `masked` per tile, flat, and the histogram `bins`.

    `flat`: shape (TILE_ROWS, TILE_COLUMNS), tiles without any change from sample to sample.
    """
    samples, masked, bins = np.zeros(TILES, np.int64), np.zeros(TILES, np.int64), np.zeros(BINS, np.int64)
    accumulate(plane.samples, plane.lines, plane.step, np.ascontiguousarray(flat).ravel(), samples, masked, bins)
    return {"samples": samples, "masked": masked, "bins": bins}
