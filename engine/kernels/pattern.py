"""Stripes and dead rows: what all bands of a picture have in common, row by row. Pure but for the compiler.

A band's profile is high-passed by the mean of a window around each row; what two bands share is the product of their
profiles, which is 0 on average where each shows something else. The picture is cut into SEGMENTS along the profile and
the median of their shared energies is taken, so that a shelf, a beam or a line of text, strong in one place, is no
pattern; a pattern is everywhere.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.runtime.numba_cache import CACHED

SEGMENTS = 8
WINDOW_SHARE = 12
"""The window of the high-pass is one part in so many of the profile."""

_SIGNATURE = types.float64(types.Array(types.int32, 2, "C"), types.Array(types.int64, 1, "C"), types.int64)


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def shared(profile: Any, borders: Any, samples: int) -> float:
    """Deviation of the pattern in quarter levels, 0 where there is none.

    `profile`: shape (BANDS, rows), sums over a band each; `borders`: where segments begin, and the end; `samples`: how
    many all bands of a row have together.
    """
    bands, rows = profile.shape
    half = max(1, rows // WINDOW_SHARE // 2)
    whole, own = np.zeros(rows), np.zeros(rows)
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
            whole[y] += high
            own[y] += high * high
    energies = np.zeros(borders.shape[0] - 1)
    for segment in range(energies.shape[0]):
        for y in range(borders[segment], borders[segment + 1]):
            energies[segment] += whole[y] * whole[y] - own[y]
        energies[segment] /= bands * (bands - 1) * (borders[segment + 1] - borders[segment])
    half = energies.shape[0] // 2
    middle = np.partition(energies, half)[half]
    deviation: float = np.sqrt(max(0.0, middle)) * bands / samples
    return deviation


def strength(profile: npt.NDArray[np.int32], samples: int) -> float:
    """The pattern of a profile in SEGMENTS parts of nearly equal length."""
    borders = np.arange(SEGMENTS + 1) * profile.shape[1] // SEGMENTS
    return float(shared(profile, borders, samples))
