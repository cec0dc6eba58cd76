"""How sharp a picture is, 0..100, from how steep its strong edges are at the analysis scale. Pure but for the compiler.

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

import numba
import numpy as np

from engine.runtime.numba_cache import CACHED

LIGHT_MIN = 20.0
"""Mean level below which a picture has too little light to say anything of its edges."""
ACUTANCE_ZERO, ACUTANCE_FULL = 0.2, 0.6
"""Scores 0: a straight ramp as wide as the window and wider. Scores 100: 1.7 samples from dark to bright."""
SHADED_MIN = 30.0
"""Deviation of the tiles' mean levels from which a scene must have edges somewhere."""


@numba.njit(nogil=True, cache=CACHED)
def sharpness(luma_mean: float, acutance: float, tile_luma_std: float) -> float:
    """100 is best, in proportion to the acutance (nan: none was found). Gives nan if it is too dark, or too little has
    edges.

    Light and shade in plenty, but hardly a tile with an edge in it, is a picture far out of focus: 0.
    """
    if luma_mean < LIGHT_MIN:
        return np.nan
    if np.isnan(acutance):
        return 0.0 if tile_luma_std >= SHADED_MIN else np.nan
    return 100.0 * min(1.0, max(0.0, (acutance - ACUTANCE_ZERO) / (ACUTANCE_FULL - ACUTANCE_ZERO)))
