"""Chooses the rows of the analysis plane that are computed and read: evenly spaced strips of STRIP_ROWS rows. Pure but
for the compiler.

Reading a freshly decoded picture costs as much as measuring it, so rows that no window needs are skipped. Strip `k`
surrounds row `k * step`, its anchor: two rows before it and three after it, as many as the edge window is high
(engine/kernels/edges.py). Derivatives use the row before the anchor, whose two neighbours are both in the strip. The
first strip has no rows before its anchor. Where anchors are STRIP_ROWS rows apart or less, every row is kept.
"""

import numba
import numpy as np
import numpy.typing as npt

from engine.runtime.numba_cache import CACHED

STRIPS_MIN = 64
"""Number of strips, at least, in a plane that has as many rows: each tile gets seven."""
ANCHOR_SAMPLES_MIN = STRIPS_MIN * 960
"""Samples on all anchor rows together, at least: they describe a picture nearly as well as half a million do."""
ANCHOR_LINES_MAX = 576
"""In a plane with more lines, at most every second line is an anchor: the columns of a tile are summed in 16 bits,
which hold 64 rows."""
DENSE_STEP_MAX = 4
"""Largest distance between anchors where every row is kept anyway: small pictures have fewer samples and cost little.
"""
ROWS_BEFORE, ROWS_AFTER = 2, 3
"""Rows of a strip before and after its anchor."""
STRIP_ROWS = ROWS_BEFORE + 1 + ROWS_AFTER


def step_of(lines: int, columns: int) -> int:
    """Return the distance between anchors in lines of the whole plane."""
    step = max(min(lines // STRIPS_MIN, lines * columns // ANCHOR_SAMPLES_MIN), -(-lines // ANCHOR_LINES_MAX))
    return min(step, DENSE_STEP_MAX) if step <= STRIP_ROWS else step


@numba.njit(nogil=True, cache=CACHED)
def spacing(step: int) -> int:
    """Return the distance between anchors in kept rows: strip `k` has its anchor at kept row `k * spacing`."""
    return min(step, STRIP_ROWS)


@numba.njit(nogil=True, cache=CACHED)
def kept_count(lines: int, step: int) -> int:
    """Return how many of the first `lines` rows are kept."""
    whole, rest = lines // step, lines % step
    return whole * spacing(step) + min(rest, ROWS_AFTER + 1) + max(0, rest - max(ROWS_AFTER + 1, step - ROWS_BEFORE))


@numba.njit(nogil=True, cache=CACHED)
def line_of(row: int, step: int) -> int:
    """Return the line of the whole plane that is kept as row `row`."""
    distance = spacing(step)
    strip, offset = row // distance, row % distance
    return strip * step + offset + (step - distance if offset > ROWS_AFTER else 0)


def kept_lines(lines: int, step: int) -> npt.NDArray[np.int64]:
    """Return the indices of all kept lines, in plain NumPy: for the slow twins."""
    offset = np.arange(lines) % step
    return np.flatnonzero((offset <= ROWS_AFTER) | (offset >= step - ROWS_BEFORE))
