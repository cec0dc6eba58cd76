"""Finds areas that a decoder never wrote; FFmpeg does not report them for H.265. Compiled; pure."""

from typing import Any

import numba
import numpy as np
from numba import types

from engine.model.picture import Picture
from engine.runtime.numba_cache import CACHED

AREA_SHARE_MAX = 0.002
_STEP = 4
_SIGNATURES = [
    types.int64(types.Array(sample, 2, "A", readonly=True), types.Array(sample, 2, "A", readonly=True))
    for sample in (types.uint8, types.uint16)
]


@numba.njit(_SIGNATURES, nogil=True, cache=CACHED)
def _count_empty(u: Any, v: Any) -> int:
    """Return how many of every _STEP-th sample of every _STEP-th row are zero in both planes."""
    empty = 0
    for y in range(0, u.shape[0], _STEP):
        of_u, of_v = u[y], v[y]
        for x in range(0, u.shape[1], _STEP):
            empty += (of_u[x] | of_v[x]) == 0
    return empty


def missing_area(picture: Picture) -> bool:
    """Whether more than AREA_SHARE_MAX of the picture is zero in luma and in both chroma planes.

    No camera can show that colour (a green beyond green): the buffer is as it was allocated. Samples every fourth
    sample of every fourth row of the chroma planes.
    """
    if picture.chroma is None:
        return False
    rows, columns = picture.chroma[0].shape
    if _count_empty(*picture.chroma) <= AREA_SHARE_MAX * -(-rows // _STEP) * -(-columns // _STEP):
        return False
    u, v = (plane[::_STEP, ::_STEP] for plane in picture.chroma)
    empty = (u == 0) & (v == 0)
    down = np.linspace(0, picture.luma.shape[0] - 1, empty.shape[0]).astype(np.intp)
    across = np.linspace(0, picture.luma.shape[1] - 1, empty.shape[1]).astype(np.intp)
    black = picture.luma[np.ix_(down, across)] == 0
    return bool(np.count_nonzero(empty & black) > AREA_SHARE_MAX * empty.size)
