"""Estimates by how much a camera was turned: the shift at which its thumbnail fits the baseline best. Pure.

Computes the normalised correlation over the overlapping part, for every shift by whole cells that leaves OVERLAP_MIN of
the picture, with fast Fourier transforms; a parabola in each direction refines the peak. Source: J. P. Lewis, Fast
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
_EPSILON = 50.0


@dataclass(frozen=True, slots=True)
class Displacement:
    """`across`, `down`: shift of the scene as a share of the picture's width and height, right and down positive.
    `match`: the correlation at that shift, -1..1."""

    across: float
    down: float
    match: float


def find_displacement(current: Grid, baseline: Grid) -> Displacement:
    """Return the shift at which high-passed cells, flat as in SceneChange, fit those of the baseline best."""
    current, baseline = current.reshape(_SHAPE), baseline.reshape(_SHAPE)
    ones, overlap = _overlap()
    f, f_squared = (np.fft.rfft2(cells, _PADDED) for cells in (current, current * current))
    g, g_squared = (np.conj(np.fft.rfft2(cells, _PADDED)) for cells in (baseline, baseline * baseline))
    products, energy, baseline_energy = (
        np.fft.irfft2(spectrum, _PADDED) for spectrum in (f * g, f_squared * np.conj(ones), ones * g_squared)
    )
    scores = products / np.sqrt(np.maximum(energy, 0.0) * np.maximum(baseline_energy, 0.0) + _EPSILON**2)
    scores = np.where(overlap >= OVERLAP_MIN, scores, -1.0)
    row, column = (int(index) for index in np.unravel_index(int(np.argmax(scores)), _PADDED))
    down = _signed(row + _subcell_offset(scores[:, column], row), _PADDED[0])
    across = _signed(column + _subcell_offset(scores[row], column), _PADDED[1])
    return Displacement(across / _SHAPE[1], down / _SHAPE[0], float(scores[row, column]))


@lru_cache(maxsize=1)
def _overlap() -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.float64]]:
    """Return the transform of a picture of ones, and the share of the picture that overlaps at each shift."""
    ones = np.fft.rfft2(np.ones(_SHAPE), _PADDED)
    return ones, np.fft.irfft2(ones * np.conj(ones), _PADDED) / (_SHAPE[0] * _SHAPE[1])


def _signed(index: float, length: int) -> float:
    """Return an index of a circular correlation as a shift: the upper half are negative shifts."""
    return index if index < length / 2 else index - length


def _subcell_offset(scores: npt.NDArray[np.float64], peak: int) -> float:
    """Return the offset of the maximum from cell `peak`, -0.5..0.5 cells."""
    before, top, after = scores[peak - 1], scores[peak], scores[(peak + 1) % scores.size]
    curvature = before - 2 * top + after
    if curvature < 0 and min(before, after) > -1:
        return float(np.clip(0.5 * (before - after) / curvature, -0.5, 0.5))
    return 0.0
