"""The slow twin of the luma and chroma passes: the definitions, as NumPy says them. For tests and readers."""

import numpy as np
import numpy.typing as npt

from engine.kernels.chroma import ROW_STEP, ChromaSums
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS, Factor, tile_edges
from engine.kernels.luma import BINS, COUNT_STEP, PLANES, LumaSums, factors
from engine.types import LumaPlane, Picture

Samples = npt.NDArray[np.int64]


def measure_luma(picture: Picture) -> LumaSums:
    """What engine.kernels.luma.measure gives, bit for bit but for the rounding of `magnitude`."""
    across, down = factors(picture)
    scaled = scale(picture.luma, across, down, picture.bit_depth)
    sums = np.zeros((PLANES, TILE_ROWS, TILE_COLUMNS), np.int64)
    planes, magnitude = derivatives(scaled)
    rows, columns = scaled.shape
    row_edges, column_edges = tile_edges(rows, TILE_ROWS), tile_edges(columns, TILE_COLUMNS)
    for row in range(TILE_ROWS):
        for column in range(TILE_COLUMNS):
            # Derivatives exist from sample 1 on, so that sample y stands at y - 1 in their arrays.
            tall = slice(max(1, row_edges[row]) - 1, min(rows - 1, row_edges[row + 1]) - 1)
            wide = slice(max(1, column_edges[column]) - 1, min(columns - 1, column_edges[column + 1]) - 1)
            sums[:, row, column] = [plane[tall, wide].sum() for plane in planes]
    bins = np.bincount(scaled[::COUNT_STEP].ravel(), minlength=BINS).astype(np.int64)
    return LumaSums(sums, bins, float(magnitude.sum()))


def scale(plane: LumaPlane, across: Factor, down: Factor, bit_depth: int) -> Samples:
    """Area average to 10-bit samples, rounded half up in single precision."""
    rows, columns = down.length(plane.shape[0]), across.length(plane.shape[1])
    wide = np.repeat(np.repeat(plane.astype(np.int64), down.under, axis=0), across.under, axis=1)
    cut = wide[: rows * down.over, : columns * across.over]
    blocks = cut.reshape(rows, down.over, columns, across.over).sum(axis=(1, 3))
    gain = np.float32(4.0) / np.float32(across.over * down.over) * np.float32(2.0) ** np.float32(8 - bit_depth)
    rounded = (blocks.astype(np.float32) * np.float32(gain) + np.float32(0.5)).astype(np.int64)
    clamped: Samples = np.minimum(rounded, BINS - 1)
    return clamped


def derivatives(s: Samples) -> tuple[list[Samples], npt.NDArray[np.float64]]:
    """The planes that are summed, and the Sobel magnitude; each two samples smaller than `s`."""
    c = s[1:-1, 1:-1]
    up, down, left, right = s[:-2, 1:-1], s[2:, 1:-1], s[1:-1, :-2], s[1:-1, 2:]
    nw, ne, sw, se = s[:-2, :-2], s[:-2, 2:], s[2:, :-2], s[2:, 2:]
    sobel_x = (ne + 2 * right + se) - (nw + 2 * left + sw)
    sobel_y = (sw + 2 * down + se) - (nw + 2 * up + ne)
    noise = (nw + ne + sw + se) - 2 * (up + down + left + right) + 4 * c
    sobel = sobel_x**2 + sobel_y**2
    planes = [np.ones_like(c), c, c**2, sobel, (left + right + up + down - 4 * c) ** 2, np.abs(noise)]
    planes += [(left - 2 * c + right) ** 2, (up - 2 * c + down) ** 2, (right - left) ** 2, (down - up) ** 2]
    return planes, np.sqrt(sobel)


def measure_chroma(plane: LumaPlane) -> ChromaSums:
    """What engine.kernels.chroma.measure gives."""
    looked_at = plane[::ROW_STEP].astype(np.int64)
    return ChromaSums(looked_at.size, int(looked_at.sum()), int((looked_at**2).sum()))
