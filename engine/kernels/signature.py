"""A thumbnail for freeze and move checks: the mean level of each cell. Pure.

Layout: one byte of version (2), then CELL_ROWS x CELL_COLUMNS unsigned 16-bit little-endian numbers, row-major, each a
cell's mean level in 1/128 of a level (0..255 becomes 0..32640). A coded live camera moves every cell by several
hundredths of a level from visit to visit; a repeated picture moves none.
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
    """Cell means in 1/UNITS_PER_LEVEL, row-major, as a signature."""
    return _HEAD + cells.astype(_CODED, copy=False).tobytes()
