"""The part of a picture that shows the scene: what is left without bars at its sides. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

UNITS = 10_000
"""The width and the height of every picture are so many units."""
TOLERANCE = 100
"""Units by which two areas may differ and still be the same: an encoder blurs the edge of a bar."""


class ActiveArea(NamedTuple):
    """A rectangle in units of 1/UNITS of the picture's width and height, whatever its size in pixels.

    `left`, `top`: where it begins; `right`, `bottom`: where it ends. 0 <= left < right <= UNITS, and the same of top
    and bottom.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def share(self) -> float:
        """The share of the picture that it takes, 0..1."""
        return (self.right - self.left) * (self.bottom - self.top) / UNITS**2

    def is_like(self, other: "ActiveArea") -> bool:
        """Return whether no side differs by more than TOLERANCE."""
        return all(abs(mine - theirs) <= TOLERANCE for mine, theirs in zip(self, other, strict=True))

    def pixels(self, columns: int, rows: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in a plane of `columns` x `rows` samples; left and top are even, so that
        they meet a sample of subsampled colour."""
        left, top = -(-self.left * columns // UNITS), -(-self.top * rows // UNITS)
        return left + left % 2, top + top % 2, self.right * columns // UNITS, self.bottom * rows // UNITS


WHOLE = ActiveArea(0, 0, UNITS, UNITS)
"""A picture without bars."""


def figures_of(area: ActiveArea) -> dict[str, float]:
    """Return the figures that tell where an area is, by their names in docs/figures.md; none for WHOLE."""
    if area == WHOLE:
        return {}
    sides = zip(ActiveArea._fields, area, strict=True)
    return {"active_share": area.share, **{f"active_{side}": value / UNITS for side, value in sides}}


def area_in(figures: Mapping[str, float]) -> ActiveArea:
    """Return the area that the figures of a verdict tell; WHOLE if they tell none."""
    sides = [figures.get(f"active_{side}") for side in ActiveArea._fields]
    area = ActiveArea(*(-1 if side is None else round(side * UNITS) for side in sides))
    return area if is_valid(area) else WHOLE


def is_valid(area: ActiveArea) -> bool:
    """Return whether the sides are within the picture and in order."""
    return 0 <= area.left < area.right <= UNITS and 0 <= area.top < area.bottom <= UNITS
