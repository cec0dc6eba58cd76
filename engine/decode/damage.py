"""Finds areas that a decoder never wrote; FFmpeg does not report them for H.265."""

import numpy as np

from engine.model.picture import Picture

AREA_SHARE_MAX = 0.002
_STEP = 4


def missing_area(picture: Picture) -> bool:
    """Whether more than AREA_SHARE_MAX of the picture is zero in luma and in both chroma planes.

    No camera can show that colour (a green beyond green): the buffer is as it was allocated. Samples every fourth
    sample of every fourth row of the chroma planes.
    """
    if picture.chroma is None:
        return False
    u, v = (plane[::_STEP, ::_STEP] for plane in picture.chroma)
    empty = (u == 0) & (v == 0)
    if np.count_nonzero(empty) <= AREA_SHARE_MAX * empty.size:
        return False
    rows = np.linspace(0, picture.luma.shape[0] - 1, empty.shape[0]).astype(np.intp)
    columns = np.linspace(0, picture.luma.shape[1] - 1, empty.shape[1]).astype(np.intp)
    black = picture.luma[np.ix_(rows, columns)] == 0
    return bool(np.count_nonzero(empty & black) > AREA_SHARE_MAX * empty.size)
