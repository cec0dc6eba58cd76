"""How much of a picture is hidden, 0..100, from the tiles without structure. Pure.

Without a baseline this is an upper bound: a plain wall has no structure either. The judge, which knows the camera's
past, counts only tiles that lost theirs.
"""

import numpy as np
import numpy.typing as npt

from engine.kernels.figures import Figures

STRUCTURE_MIN = 0.6
"""Gradient energy (levels^2, noise taken out) below which a tile of a well lit picture shows nothing."""
GRAIN_SHARE = 0.25
"""A codec colours noise, so that much of what noise should give may be left when it is taken out."""
_LIGHT_REFERENCE = 100.0
_LIGHT_SHARE_MIN = 0.25


def structureless(measured: Figures) -> npt.NDArray[np.bool_]:
    """Tiles without structure. The limit falls with a tile's light and rises with its noise."""
    tiles = measured.tiles
    light = np.clip(tiles.luma / _LIGHT_REFERENCE, _LIGHT_SHARE_MIN, 1.0)
    return tiles.gradient < STRUCTURE_MIN * light + GRAIN_SHARE * tiles.grain


def occlusion(measured: Figures) -> float:
    """0 is best: the share of the picture, in percent, that shows no structure."""
    return 100.0 * float(structureless(measured).mean())
