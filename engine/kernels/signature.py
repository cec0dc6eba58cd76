"""A thumbnail for freeze and move checks: the mean level of each tile. Pure.

Layout: one byte of version (1), then TILE_ROWS x TILE_COLUMNS unsigned 16-bit little-endian numbers, row-major, each a
tile's mean level in 1/128 of a level (0..255 becomes 0..32640). A coded live camera moves every tile by several
hundredths of a level from visit to visit; a repeated picture moves none.
"""

import numpy as np
import numpy.typing as npt

from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS

VERSION = 1
UNITS_PER_LEVEL = 128
SIGNATURE_BYTES = 1 + 2 * TILE_ROWS * TILE_COLUMNS


def pack(luma: npt.NDArray[np.float64]) -> bytes:
    """Tile means (TILE_ROWS, TILE_COLUMNS) in levels as a signature."""
    return bytes([VERSION]) + np.rint(luma * UNITS_PER_LEVEL).astype("<u2").tobytes()
