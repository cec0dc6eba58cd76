"""How sharp a picture is, 0..100, from the energy of second differences at the analysis scale. Pure.

Of each tile the weaker of the two directions counts, since a motion blur leaves the edges along its path sharp. Of the
picture the EDGE_QUANTILE of the tiles counts: soft backgrounds and plain walls below do not pull it down, and a clock
or a name burnt into a few tiles above does not lift it.
"""

import numpy as np

from engine.kernels.figures import Figures, quantile

EDGE_QUANTILE = 0.85
HALF_ENERGY = 20.0
"""Edge energy (levels^2) that reads as a score of 50; real defocus stays below 9, soft but good pictures above 15."""
LIGHT_MIN = 20.0
"""Mean level below which a picture has too little light to say anything of its edges."""
CONTENT_MIN = 18.0
"""Standard deviation of levels below which there is nothing whose edges could be missing."""


def edge_energy(measured: Figures) -> float:
    """The figure behind the score, levels^2."""
    weaker = np.minimum(measured.tiles.second_x, measured.tiles.second_y)
    return quantile(weaker, EDGE_QUANTILE)


def sharpness(measured: Figures) -> float | None:
    """100 is best. None where the picture is too dark, or holds too little to have edges."""
    energy = edge_energy(measured)
    if measured.named["luma_mean"] < LIGHT_MIN:
        return None
    if energy < HALF_ENERGY and measured.named["luma_std"] < CONTENT_MIN:
        return None
    return 100.0 * energy / (energy + HALF_ENERGY)
