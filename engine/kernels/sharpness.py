"""How sharp a picture is, 0..100, from how fast its edges rise at the analysis scale. Pure.

Along a direction, the energy of second differences over that of central differences is tan^2(w / 2) for a wave of w
radians a sample: it tells the width of edges whatever their height, so one threshold does for a white kitchen and a dim
corridor, where Laplacian variance tells contrast and sharpness apart from nothing (a good but upscaled picture and a
real defocus measure the same). Noise is taken out of both energies, tile by tile.

- Only the quarter of the tiles with the most energy in a direction is asked: plain walls and soft backgrounds have no
  say, and block edges of the codec, which are strongest where there is little else, have none either.
- The two top and the two bottom rows of tiles are not asked: clock and name are burnt in there, and letters are sharp
  on any lens.
- Of x and y the weaker counts: a motion blur leaves the edges along its path sharp.
- A direction that holds next to no energy beside the one across it counts less: motion took it away.
"""

import numpy as np

from engine.kernels.figures import Figures

LIGHT_MIN = 20.0
"""Mean level below which a picture has too little light to say anything of its edges."""
CONTENT_MIN = 20.0
"""Energy of central differences (levels^2, mean of x and y) from which a tile holds something to judge."""
CONTENT_OVER_NOISE_MIN = 3.0
"""The same, in units of the tile's noise variance."""
TILES_MIN = 10
"""Fewer such tiles say nothing of a picture."""
ASKED_SHARE, ASKED_MIN = 0.25, 8
"""Share, and least number, of the tiles that are asked in each direction."""
ONE_SIDED = 5.0
"""A direction with less than 1/5 of the energy of the one across it counts less, in proportion."""
SHADED_MIN = 30.0
"""Deviation of the tiles' mean levels from which a scene must have edges somewhere."""
_ROWS_ASKED = slice(2, -2)
_TINY = 1e-9


def edge_ratio(measured: Figures) -> float | None:
    """The figure behind the score: 1 for waves of four samples, 0 for mist. None: too little is to be seen."""
    tiles = measured.tiles
    central = tiles.central[:, _ROWS_ASKED].reshape(2, -1)
    second = tiles.second[:, _ROWS_ASKED].reshape(2, -1)
    noise = tiles.noise[_ROWS_ASKED].ravel() ** 2
    told = np.flatnonzero(central.sum(axis=0) > 2 * np.maximum(CONTENT_MIN, CONTENT_OVER_NOISE_MIN * noise))
    if told.size < TILES_MIN:
        return None
    asked = max(ASKED_MIN, int(np.ceil(told.size * ASKED_SHARE)))
    central, second = central[:, told], second[:, told]
    most = np.argpartition(central, told.size - asked, axis=1)[:, told.size - asked :]
    lines = np.arange(2)[:, None]
    central, second = central[lines, most].sum(axis=1) + _TINY, second[lines, most].sum(axis=1)
    one_sided = np.minimum(1.0, ONE_SIDED * central / central[::-1])
    return float((second / central * one_sided).min())


def sharpness(measured: Figures, ratio: float | None) -> float | None:
    """100 is best, in proportion to the frequency that edges hold. None: too dark, or too little to have edges.

    Light and shade in plenty, but hardly a tile with a slope in it, is a picture far out of focus: 0.
    """
    if measured.named["luma_mean"] < LIGHT_MIN:
        return None
    if ratio is None:
        return 0.0 if measured.named["tile_luma_std"] >= SHADED_MIN else None
    return float(100.0 * min(1.0, ratio**0.5))
