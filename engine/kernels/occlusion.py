"""How much of a picture is hidden, 0..100, from the tiles without structure. Pure but for the compiler.

Without a baseline this is an upper bound: a plain wall has no structure either. The judge, which knows the camera's
past, counts only tiles that lost theirs.
"""

import numba

from engine.runtime.numba_cache import CACHED


@numba.njit(nogil=True, cache=CACHED)
def occlusion(structureless_share: float) -> float:
    """0 is best: the share of the picture, in percent, that shows no structure."""
    return 100.0 * structureless_share
