"""How sharp a picture is, 0..100, from how steep its strong edges are at the analysis scale. Pure.

The acutance of a tile is the share of its edges' height that their steepest steps take (engine/kernels/edges.py): it
tells the width of edges whatever their height, so one threshold does for a white kitchen and a dim corridor, where
Laplacian variance tells contrast and sharpness apart from nothing (a good but upscaled picture and a real defocus
measure the same).

- Of the tiles that have edges the sharpest quarter begins at the picture's acutance: plain walls have no edges, and a
  soft background is outvoted by what is in focus.
- The two top and the two bottom rows of tiles are not asked: clock and name are burnt in there, and letters are sharp
  on any lens.
- Of x and y the weaker counts: a motion blur leaves the edges along its path sharp.
"""

import numpy as np
import numpy.typing as npt

from engine.kernels.edges import ROWS_SAMPLED
from engine.kernels.figures import Figures, TileFigures, quantile

LIGHT_MIN = 20.0
"""Mean level below which a picture has too little light to say anything of its edges."""
EDGES_MIN = 8
"""Fewer edges of a direction tell nothing of a tile."""
TILES_MIN = 6
"""Fewer tiles with edges tell nothing of a direction."""
QUANTILE = 0.75
ACUTANCE_ZERO, ACUTANCE_FULL = 0.2, 0.6
"""Scores 0: a straight ramp as wide as the window and wider. Scores 100: 1.7 samples from dark to bright."""
SHADED_MIN = 30.0
"""Deviation of the tiles' mean levels from which a scene must have edges somewhere."""
_ROWS_ASKED = slice(*ROWS_SAMPLED)


def tile_acutance(tiles: TileFigures) -> npt.NDArray[np.float64]:
    """Steps over heights, shape (2, TILE_ROWS, TILE_COLUMNS): of edges that x and y cross; nan where too few."""
    told = tiles.edges >= EDGES_MIN
    return np.where(told, tiles.steps / np.where(told, tiles.heights, 1.0), np.nan)


def acutance(tiles: TileFigures) -> float | None:
    """The figure behind the score, of the weaker direction; None: too few tiles have edges."""
    found: list[float] = []
    for direction in (0, 1):
        told = tiles.edges[direction, _ROWS_ASKED] >= EDGES_MIN
        if np.count_nonzero(told) >= TILES_MIN:
            steps, heights = tiles.steps[direction, _ROWS_ASKED][told], tiles.heights[direction, _ROWS_ASKED][told]
            found.append(quantile(steps / heights, QUANTILE))
    return min(found) if found else None


def edge_tiles(tiles: TileFigures) -> int:
    """Tiles with edges, of the direction that has more of them: how much the score rests on."""
    return int(np.count_nonzero(tiles.edges >= EDGES_MIN, axis=(1, 2)).max())


def sharpness(measured: Figures, found: float | None) -> float | None:
    """100 is best, in proportion to the acutance. None: too dark, or too little to have edges.

    Light and shade in plenty, but hardly a tile with an edge in it, is a picture far out of focus: 0.
    """
    if measured.named["luma_mean"] < LIGHT_MIN:
        return None
    if found is None:
        return 0.0 if measured.named["tile_luma_std"] >= SHADED_MIN else None
    return 100.0 * min(1.0, max(0.0, (found - ACUTANCE_ZERO) / (ACUTANCE_FULL - ACUTANCE_ZERO)))
