"""Detects stripes and dead rows: what all bands of a picture have in common, row by row. Pure but for the compiler.

Each band's profile is high-passed: the mean of a window around each row is subtracted. The energy that two bands share
is the product of their profiles, which averages 0 where the bands show different things. The picture is cut into
SEGMENTS along the profile, and the median of the segments' shared energies is taken, so that a shelf, a beam or a line
of text, strong in one place, is not taken for a pattern; a pattern is everywhere.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.runtime.numba_cache import CACHED

SEGMENTS = 8
WINDOW_DIVISOR = 12
"""The high-pass window is this fraction (1/12) of the profile."""

_SIGNATURE = types.float64(types.Array(types.int32, 2, "C"), types.Array(types.int64, 1, "C"), types.int64)


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def shared_deviation(profile: Any, borders: Any, samples: int) -> float:
    """Return the deviation of the pattern in quarter levels, 0 if there is none.

    `profile`: shape (BANDS, rows), sums over one band each; `borders`: where the segments begin, and the end;
    `samples`: number of samples in a row over all bands.
    """
    bands, rows = profile.shape
    half = max(1, rows // WINDOW_DIVISOR // 2)
    total, own_energy = np.zeros(rows), np.zeros(rows)
    for band in range(bands):
        window = 0
        for y in range(min(half, rows)):
            window += profile[band, y]
        for y in range(rows):
            if y + half < rows:
                window += profile[band, y + half]
            if y - half > 0:
                window -= profile[band, y - half - 1]
            high = profile[band, y] - window / (min(rows, y + half + 1) - max(0, y - half))
            total[y] += high
            own_energy[y] += high * high
    energies = np.zeros(borders.shape[0] - 1)
    for segment in range(energies.shape[0]):
        for y in range(borders[segment], borders[segment + 1]):
            energies[segment] += total[y] * total[y] - own_energy[y]
        energies[segment] /= bands * (bands - 1) * (borders[segment + 1] - borders[segment])
    half = energies.shape[0] // 2
    median = np.partition(energies, half)[half]
    deviation: float = np.sqrt(max(0.0, median)) * bands / samples
    return deviation


def strength(profile: npt.NDArray[np.int32], samples: int) -> float:
    """Return the deviation of the pattern of a profile cut into SEGMENTS parts of nearly equal length."""
    borders = np.arange(SEGMENTS + 1) * profile.shape[1] // SEGMENTS
    return float(shared_deviation(profile, borders, samples))
