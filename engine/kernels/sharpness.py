"""Scores how sharp a picture is, 0..100, from how steep its strong edges are at the analysis scale. Pure but for the
compiler.

The acutance of a tile is the share of its edges' height that their steepest steps take (engine/kernels/edges.py). It
measures the width of edges independently of their height, so one threshold serves a white kitchen and a dim corridor.
Laplacian variance cannot separate contrast from sharpness: a good but upscaled picture and a real defocus measure the
same.

- The picture's acutance is the one at which the sharpest quarter of the tiles with edges begins: plain walls have no
  edges, and a soft background is outvoted by what is in focus.
- The two top and the two bottom rows of tiles are ignored: clock and name are burnt in there, and letters are sharp on
  any lens.
- The weaker of x and y counts: motion blur leaves the edges along its path sharp.
"""

import numba
import numpy as np

from engine.runtime.numba_cache import CACHED

LIGHT_MIN = 20.0
"""Mean level below which a picture has too little light to judge its edges."""
ACUTANCE_ZERO, ACUTANCE_FULL = 0.2, 0.6
"""Acutance that scores 0: a straight ramp as wide as the window or wider. That scores 100: 1.7 samples from dark to
bright."""
SHADED_MIN = 30.0
"""Deviation of the tiles' mean levels from which on a scene must have edges somewhere."""


@numba.njit(nogil=True, cache=CACHED)
def sharpness(luma_mean: float, acutance: float, tile_luma_std: float) -> float:
    """Return the score, in proportion to the acutance; 100 is best. `acutance`: nan if too few tiles have edges.

    Returns nan if the picture is too dark, or if too few tiles have edges. A picture with hardly any edges but much
    light and shade is far out of focus: 0.
    """
    if luma_mean < LIGHT_MIN:
        return np.nan
    if np.isnan(acutance):
        return 0.0 if tile_luma_std >= SHADED_MIN else np.nan
    return 100.0 * min(1.0, max(0.0, (acutance - ACUTANCE_ZERO) / (ACUTANCE_FULL - ACUTANCE_ZERO)))
