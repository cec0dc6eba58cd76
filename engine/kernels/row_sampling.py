"""Which rows of the analysis plane are made and read: strips of ROWS rows, evenly spread. Pure but for the compiler.

Reading a picture that has just been decoded costs as much as measuring it, so rows that no window asks for are left
out. Strip `k` surrounds row `k * step`, its anchor: two rows before it and three behind it, as many as the window over
edges is high (engine/kernels/edges.py); derivatives take the row before the anchor, with both of its neighbours in the
strip. The first strip has no rows before its anchor. Where anchors are ROWS rows apart or less, every row is kept.
"""

import numba
import numpy as np
import numpy.typing as npt

from engine.runtime.numba_cache import CACHED

STRIPS = 64
"""At least, where there are as many rows: each tile has seven."""
SAMPLES = STRIPS * 960
"""Of the anchors' rows together, at least: they tell nearly as much of a picture as half a million do."""
LINES_MAX = 576
"""Of more lines no more than every second is an anchor: a column of a tile is summed in 16 bits, which hold 64 rows."""
CLOSE = 4
"""Anchors are no further apart where every row is kept anyhow: small pictures have fewer samples, and cost little."""
BEFORE, BEHIND = 2, 3
"""Rows of a strip before and behind its anchor."""
ROWS = BEFORE + 1 + BEHIND


def step_of(lines: int, columns: int) -> int:
    """Anchors are so many rows apart."""
    step = max(min(lines // STRIPS, lines * columns // SAMPLES), -(-lines // LINES_MAX))
    return min(step, CLOSE) if step <= ROWS else step


@numba.njit(nogil=True, cache=CACHED)
def spacing(step: int) -> int:
    """Anchors are so many kept rows apart: strip `k` has its anchor at kept row `k * spacing`."""
    return min(step, ROWS)


@numba.njit(nogil=True, cache=CACHED)
def kept(lines: int, step: int) -> int:
    """How many of the first `lines` rows are kept."""
    whole, rest = lines // step, lines % step
    return whole * spacing(step) + min(rest, BEHIND + 1) + max(0, rest - max(BEHIND + 1, step - BEFORE))


@numba.njit(nogil=True, cache=CACHED)
def line_of(row: int, step: int) -> int:
    """The row of the whole plane that is kept as row `row`."""
    apart = spacing(step)
    strip, place = row // apart, row % apart
    return strip * step + place + (step - apart if place > BEHIND else 0)


def lines_kept(lines: int, step: int) -> npt.NDArray[np.int64]:
    """All of them, as NumPy says it: for the slow twins."""
    place = np.arange(lines) % step
    return np.flatnonzero((place <= BEHIND) | (place >= step - BEFORE))
