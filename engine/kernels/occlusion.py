"""Scores how much of a picture is hidden, 0..100, from the tiles without structure. Pure but for the compiler.

Without a baseline this is an upper bound: a plain wall has no structure either. The judge knows the camera's baseline
and counts only tiles that lost their structure.
"""

import numba

from engine.runtime.numba_cache import CACHED


@numba.njit(nogil=True, cache=CACHED)
def occlusion(structureless_share: float) -> float:
    """Return the share of the picture without structure, in percent; 0 is best."""
    return 100.0 * structureless_share
