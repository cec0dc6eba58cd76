"""Tells motion from defocus: whether a blur took detail in one direction only. Pure.

The structure tensor of a picture, the mean of the products of its slopes, says how much detail it has in every
direction. A shake takes detail along its path and leaves it across; a lens out of focus takes it all around. Compared
with the usual tensor, the scene's own directions cancel out: the eigenvalues of one relative to the other are the
shares of energy that are left in the least and in the most affected direction, whatever their angle.

Source: J. Bigun and G. Granlund, Optimal orientation detection of linear symmetry, ICCV 1987.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from engine.judge.baseline import BaselineFigures

_ENERGY_MIN = 0.25
"""Added to both slopes' energies, in levels^2: a scene that has hardly any detail in a direction cannot lose it."""
_SHARE_MIN = 1e-3
_ANISOTROPY_MIN = 0.2
"""Octaves of slope between the least and the most affected direction, from which on a blur is motion."""
_ANISOTROPY_SHARE_MIN = 0.25
"""The same as a share of what the most affected direction lost: no scene loses exactly as much in all of them."""


class DirectionalLoss(NamedTuple):
    """Octaves by which slopes are less steep than usual, in the least and in the most affected direction."""

    least: float
    most: float

    @property
    def anisotropy(self) -> float:
        """By how many octaves the two differ."""
        return self.most - self.least

    @property
    def is_motion(self) -> bool:
        """Whether a blur with this loss is of one direction."""
        return self.anisotropy >= max(_ANISOTROPY_MIN, _ANISOTROPY_SHARE_MIN * self.most)


def directional_loss(figures: Mapping[str, float], usual: BaselineFigures) -> DirectionalLoss | None:
    """Return what the slopes of a picture lost against the usual ones; None if either was not measured."""
    across, down = figures.get("gradient_across", 0.0), figures.get("gradient_down", 0.0)
    if across + down <= 0.0 or usual.gradient_across + usual.gradient_down <= 0.0:
        return None
    product = figures.get("gradient_product", 0.0)
    across, down = across + _ENERGY_MIN, down + _ENERGY_MIN
    usual_across, usual_down = usual.gradient_across + _ENERGY_MIN, usual.gradient_down + _ENERGY_MIN
    usual_product = usual.gradient_product
    usual_determinant = usual_across * usual_down - usual_product**2
    if usual_determinant <= 0.0:
        return None
    half_trace = (usual_down * across + usual_across * down - 2.0 * usual_product * product) / (2.0 * usual_determinant)
    determinant = (across * down - product**2) / usual_determinant
    root = math.sqrt(max(0.0, half_trace**2 - determinant))
    shares = half_trace + root, half_trace - root
    least, most = (-0.5 * math.log2(max(_SHARE_MIN, share)) for share in shares)
    return DirectionalLoss(least, most)
