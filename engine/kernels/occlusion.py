"""How much of a picture is hidden, 0..100, from the tiles without structure. Pure.

Without a baseline this is an upper bound: a plain wall has no structure either. The judge, which knows the camera's
past, counts only tiles that lost theirs. The limit falls with a tile's light and rises with its noise.
"""

from engine.kernels import summary
from engine.kernels.figures import Figures

STRUCTURE_MIN = 0.6
"""Gradient energy (levels^2, noise taken out) below which a tile of a well lit picture shows nothing."""
GRAIN_SHARE = 0.25
"""A codec colours noise, so that much of what noise should give may be left when it is taken out."""


def occlusion(measured: Figures) -> float:
    """0 is best: the share of the picture, in percent, that shows no structure."""
    tiles = measured.tiles
    share = summary.structureless_share(tiles.luma, tiles.gradient, tiles.grain, STRUCTURE_MIN, GRAIN_SHARE)
    return 100.0 * float(share)
