"""The part of a picture that shows the scene: what is left without bars at its sides, and how many cameras' pictures
that is. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

UNITS = 10_000
"""The width and the height of every picture are so many units."""
TOLERANCE = 100
"""Units by which two areas may differ and still be the same: an encoder blurs the edge of a bar."""
QUARTERS = 4
QUARTER_NAMES = ("top left", "top right", "bottom left", "bottom right")
_SEAM_UNITS = 40
"""What a quarter leaves of the seam, where encoders blur it and recorders draw lines."""


class ActiveArea(NamedTuple):
    """A rectangle in units of 1/UNITS of the picture's width and height, whatever its size in pixels.

    `left`, `top`: where it begins; `right`, `bottom`: where it ends. 0 <= left < right <= UNITS, and the same of top
    and bottom. `views`: 1, or QUARTERS if its quarters are the pictures of four cameras.
    """

    left: int
    top: int
    right: int
    bottom: int
    views: int = 1

    @property
    def share(self) -> float:
        """The share of the picture that it takes, 0..1."""
        return (self.right - self.left) * (self.bottom - self.top) / UNITS**2

    def is_like(self, other: "ActiveArea") -> bool:
        """Return whether no side differs by more than TOLERANCE, and the views are as many."""
        near = all(abs(mine - theirs) <= TOLERANCE for mine, theirs in zip(self[:4], other[:4], strict=True))
        return near and self.views == other.views

    def quarter(self, index: int) -> "ActiveArea":
        """Return the area of a quarter, in the order of QUARTER_NAMES."""
        middle_x, middle_y = (self.left + self.right) // 2, (self.top + self.bottom) // 2
        left, right = (self.left, middle_x - _SEAM_UNITS) if index % 2 == 0 else (middle_x + _SEAM_UNITS, self.right)
        top, bottom = (self.top, middle_y - _SEAM_UNITS) if index < 2 else (middle_y + _SEAM_UNITS, self.bottom)
        return ActiveArea(left, top, right, bottom)

    def pixels(self, columns: int, rows: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in a plane of `columns` x `rows` samples; left and top are even, so that
        they meet a sample of subsampled colour."""
        left, top = -(-self.left * columns // UNITS), -(-self.top * rows // UNITS)
        return left + left % 2, top + top % 2, self.right * columns // UNITS, self.bottom * rows // UNITS


SIDES = ("left", "top", "right", "bottom")
WHOLE = ActiveArea(0, 0, UNITS, UNITS)
"""A picture without bars."""


def figures_of(area: ActiveArea) -> dict[str, float]:
    """Return the figures that tell where an area is, by their names in docs/figures.md; none for WHOLE."""
    if area == WHOLE:
        return {}
    sides = dict(zip(SIDES, area, strict=False))
    views = {"active_views": float(area.views)} if area.views > 1 else {}
    return {"active_share": area.share, **{f"active_{side}": value / UNITS for side, value in sides.items()}, **views}


def area_in(figures: Mapping[str, float]) -> ActiveArea:
    """Return the area that the figures of a verdict tell; WHOLE if they tell none."""
    sides = [figures.get(f"active_{side}") for side in SIDES]
    left, top, right, bottom = (-1 if side is None else round(side * UNITS) for side in sides)
    area = ActiveArea(left, top, right, bottom, round(figures.get("active_views", 1.0)))
    return area if is_valid(area) else WHOLE


def is_valid(area: ActiveArea) -> bool:
    """Return whether the sides are within the picture and in order, and the views are 1 or QUARTERS."""
    ordered = 0 <= area.left < area.right <= UNITS and 0 <= area.top < area.bottom <= UNITS
    return ordered and area.views in (1, QUARTERS)
