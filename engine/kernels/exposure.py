"""Scores how well a picture is lit, 0..100, from its histogram. Pure but for the compiler.

The score is 100 if the mean level is within MEAN_GOOD and at least RANGE_GOOD levels are used; it falls in proportion
outside, and falls further with clipping and with shadows that are missing from a bright picture: a picture is washed
out long before much of it clips. Level and clipping after ITU-R BT.601 ranges; percentiles are robust to a lamp or a
window.
"""

import numba

from engine.runtime.numba_cache import CACHED

MEAN_GOOD = (70.0, 185.0)
RANGE_GOOD = 100.0
CLIPPED_GOOD = 0.10
SHADOW_GOOD, SHADOW_GONE = 60.0, 120.0
"""In a well exposed picture 5 % of the levels are below the first; if they reach the second, nothing dark is left."""
WASHED_OUT_PENALTY = 0.7
"""Share of its score that a picture without any shadow loses."""
_WASHED_OUT_FROM, _WASHED_OUT_SPAN = 140.0, 60.0


@numba.njit(nogil=True, cache=CACHED)
def exposure(mean: float, shadow: float, highlight: float, dark_share: float, bright_share: float) -> float:
    """Return the score; 100 is best. It is never nan: light can be judged in any picture.

    `shadow`, `highlight`: levels below which 5 and 95 % of the picture lie. `dark_share`, `bright_share`: clipped
    shares, 0..1.
    """
    low, high = MEAN_GOOD
    level = min(1.0, mean / low, (255.0 - mean) / (255.0 - high))
    span = min(1.0, (highlight - shadow) / RANGE_GOOD)
    unclipped = 1.0 - max(0.0, max(dark_share, bright_share) - CLIPPED_GOOD) / (1.0 - CLIPPED_GOOD)
    missing = (shadow - SHADOW_GOOD) / (SHADOW_GONE - SHADOW_GOOD)
    washed_out = max(0.0, min(1.0, missing)) * max(0.0, min(1.0, (mean - _WASHED_OUT_FROM) / _WASHED_OUT_SPAN))
    return 100.0 * max(0.0, level) * (0.5 + 0.5 * span) * unclipped * (1.0 - WASHED_OUT_PENALTY * washed_out)
