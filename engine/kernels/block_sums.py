"""Sums values of an analysis plane's kept rows over blocks, in plain NumPy: for the slow twins. Pure."""

import numpy as np
import numpy.typing as npt

from engine.kernels import row_sampling
from engine.kernels.grid import tile_borders
from engine.kernels.plane import AnalysisPlane

Samples = npt.NDArray[np.int64]


def lines_of(plane: AnalysisPlane) -> Samples:
    """Return the line of the whole plane that each kept row is."""
    return row_sampling.kept_lines(plane.lines, plane.step)


def kept_borders(plane: AnalysisPlane, tiles: int) -> list[int]:
    """Return the borders of the rows of tiles, counted in kept rows."""
    return [int(border) for border in np.searchsorted(lines_of(plane), tile_borders(plane.lines, tiles))]


def block_sums(values: Samples, plane: AnalysisPlane, rows: int, columns: int) -> Samples:
    """Return the sums over `rows` x `columns` blocks; `values`: one for each sample of the plane."""
    row_sums = np.add.reduceat(values, kept_borders(plane, rows)[:-1], axis=0)
    sums: Samples = np.add.reduceat(row_sums, tile_borders(values.shape[1], columns)[:-1], axis=1)
    return sums
