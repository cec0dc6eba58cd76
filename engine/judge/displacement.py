"""By how much a camera was turned: the shift at which its thumbnail fits the usual one best. Pure.

The normalised correlation over the part that overlaps, for every shift of whole cells that leaves OVERLAP_MIN of the
picture, by fast Fourier transforms; the peak is refined by a parabola in each direction. Source: J. P. Lewis, Fast
Normalized Cross-Correlation, Vision Interface 1995.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.judge.baseline import COLUMNS, ROWS, Grid

OVERLAP_MIN = 0.42
_SHAPE = (2 * ROWS, 2 * COLUMNS)
_PADDED = (36, 64)
_FLOOR = 50.0


@dataclass(frozen=True, slots=True)
class Displacement:
    """`across`, `down`: share of the picture's width and height by which the scene moved, right and down positive.
    `match`: correlation there, -1..1."""

    across: float
    down: float
    match: float


def find_shift(high: Grid, usual_high: Grid) -> Displacement:
    """Where high-passed cells, flat as Change has them, fit the usual ones best."""
    high, usual_high = high.reshape(_SHAPE), usual_high.reshape(_SHAPE)
    ones, overlap = _overlap()
    now, now_power = (np.fft.rfft2(one, _PADDED) for one in (high, high * high))
    usual, usual_power = (np.conj(np.fft.rfft2(one, _PADDED)) for one in (usual_high, usual_high * usual_high))
    crossed, power, past = (
        np.fft.irfft2(one, _PADDED) for one in (now * usual, now_power * np.conj(ones), ones * usual_power)
    )
    scores = crossed / np.sqrt(np.maximum(power, 0.0) * np.maximum(past, 0.0) + _FLOOR**2)
    scores = np.where(overlap >= OVERLAP_MIN, scores, -1.0)
    row, column = (int(one) for one in np.unravel_index(int(np.argmax(scores)), _PADDED))
    down = _signed(row + _bend(scores[:, column], row), _PADDED[0])
    across = _signed(column + _bend(scores[row], column), _PADDED[1])
    return Displacement(across / _SHAPE[1], down / _SHAPE[0], float(scores[row, column]))


@lru_cache(maxsize=1)
def _overlap() -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.float64]]:
    """The transform of a whole picture, and the share of it that overlaps at each shift."""
    ones = np.fft.rfft2(np.ones(_SHAPE), _PADDED)
    return ones, np.fft.irfft2(ones * np.conj(ones), _PADDED) / (_SHAPE[0] * _SHAPE[1])


def _signed(place: float, length: int) -> float:
    return place if place < length / 2 else place - length


def _bend(scores: npt.NDArray[np.float64], peak: int) -> float:
    """Where between two cells the top lies, -0.5..0.5."""
    before, top, behind = scores[peak - 1], scores[peak], scores[(peak + 1) % scores.size]
    bend = before - 2 * top + behind
    return float(np.clip(0.5 * (before - behind) / bend, -0.5, 0.5)) if bend < 0 and min(before, behind) > -1 else 0.0
