"""Packs a picture's thumbnail for freeze and move checks: the mean level of each cell. Pure.

Layout: one version byte (2), then CELL_ROWS x CELL_COLUMNS unsigned 16-bit little-endian numbers, row-major, each a
cell's mean level in 1/128 of a level (0..255 becomes 0..32640). From visit to visit, every cell of a live coded camera
changes by several hundredths of a level; a repeated picture changes none.
"""

import numpy as np
import numpy.typing as npt

from engine.kernels.figures import UNITS_PER_LEVEL
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS

VERSION = 2
SIGNATURE_BYTES = 1 + 2 * CELL_ROWS * CELL_COLUMNS

_HEAD = bytes([VERSION])
_CODED = np.dtype("<u2")

__all__ = ["SIGNATURE_BYTES", "UNITS_PER_LEVEL", "VERSION", "pack"]


def pack(cells: npt.NDArray[np.uint16]) -> bytes:
    """Return the signature of cell means given in 1/UNITS_PER_LEVEL, row-major."""
    return _HEAD + cells.astype(_CODED, copy=False).tobytes()
