"""Stripes and dead rows: what all bands of a picture have in common, row by row. Pure but for the compiler.

A band's profile is high-passed by the mean of a window around each row; what two bands share is the product of their
profiles, which is 0 on average where each shows something else. The picture is cut into SEGMENTS along the profile and
the median of their shared energies is taken, so that a shelf, a beam or a line of text, strong in one place, is no
pattern; a pattern is everywhere.
"""

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.kernels.cache import CACHED

SEGMENTS = 8
WINDOW_SHARE = 12
"""The window of the high-pass is one part in so many of the profile."""

_SIGNATURE = types.void(types.Array(types.int32, 2, "C"), types.Array(types.float64, 1, "C"))


@numba.njit([_SIGNATURE], nogil=True, cache=CACHED)
def _shared(profile: Any, energies: Any) -> None:
    """Mean product of two different bands in each segment."""
    rows, bands = profile.shape
    half = max(1, rows // WINDOW_SHARE // 2)
    window = np.zeros(bands, np.int64)
    for y in range(min(half, rows)):
        for band in range(bands):
            window[band] += profile[y, band]
    for y in range(rows):
        if y + half < rows:
            for band in range(bands):
                window[band] += profile[y + half, band]
        if y - half > 0:
            for band in range(bands):
                window[band] -= profile[y - half - 1, band]
        count = min(rows, y + half + 1) - max(0, y - half)
        whole = own = 0.0
        for band in range(bands):
            high = profile[y, band] - window[band] / count
            whole += high
            own += high * high
        energies[y * SEGMENTS // rows] += (whole * whole - own) / (bands * (bands - 1))
    for segment in range(SEGMENTS):
        length = -(-(segment + 1) * rows // SEGMENTS) - -(-segment * rows // SEGMENTS)
        energies[segment] /= length


def strength(profile: npt.NDArray[np.int32], samples: int) -> float:
    """Deviation of the pattern in quarter levels, 0 where there is none.

    `profile`: shape (rows, BANDS), sums over a band each; `samples`: how many all bands of a row have together.
    """
    energies = np.zeros(SEGMENTS)
    _shared(profile, energies)
    middle = float(np.partition(energies, SEGMENTS // 2)[SEGMENTS // 2])
    return float(math.sqrt(max(0.0, middle)) * profile.shape[1] / samples)
