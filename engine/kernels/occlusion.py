"""How much of a picture is hidden, 0..100, from the tiles without structure. Pure.

Without a baseline this is an upper bound: a plain wall has no structure either. The judge, which knows the camera's
past, counts only tiles that lost theirs.
"""

from collections.abc import Mapping


def occlusion(named: Mapping[str, float]) -> float:
    """0 is best: the share of the picture, in percent, that shows no structure."""
    return 100.0 * named["structureless_share"]
