"""Draws areas as SVG paths: projected, simplified until they fit, with a place for a label. Pure."""

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from engine.web.console.areas.geojson import Area
from engine.web.console.areas.simplify import Point, Ring, bounds, simplified, thinned

WIDTH = 4000
"""Units of the picture's longer side."""
PATH_BYTES_MAX = 290_000
_AREA_BYTES = 500
"""What the page writes around the path of an area: link, title, label."""
_TOLERANCE = 3.0
_TOLERANCE_FACTOR = 1.5
_SIDE_MIN = 6.0
"""Rings that are smaller are left out, but for the largest of an area."""
_DIGITS = (2, 4, 6)
_LABEL_WIDTH, _LABEL_HEIGHT = 170, 90
"""An area must be so large to hold a number."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An area on the picture. `path`: for the attribute d. `x`, `y`: where its label stands; None: there is no room."""

    code: str
    path: str
    x: int | None
    y: int | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture of `width` times `height` units."""

    width: int
    height: int
    shapes: tuple[Shape, ...]


def draw(areas: Iterable[Area], codes: Collection[str]) -> Drawing | None:
    """Return the picture of regions; None if the areas have none of them.

    `codes`: of the regions. A region is drawn as its own area, or if there is none, as all areas within it. The
    projection is equirectangular, with the cosine of the middle latitude.
    """
    rings = _rings_of(tuple(areas), codes)
    if not rings:
        return None
    left, top, right, bottom = bounds([point for of_region in rings.values() for ring in of_region for point in ring])
    squeeze = max(0.01, math.cos(math.radians((top + bottom) / 2)))
    scale = WIDTH / max((right - left) * squeeze, bottom - top, 1e-9)
    width = max(1, math.ceil((right - left) * squeeze * scale))
    height = max(1, math.ceil((bottom - top) * scale))

    def on_picture(ring: Ring) -> Ring:
        return tuple(((x - left) * squeeze * scale, (bottom - y) * scale) for x, y in ring)

    projected = {
        code: [thinned(on_picture(ring), _TOLERANCE / 2) for ring in of_region] for code, of_region in rings.items()
    }
    tolerance, budget = _TOLERANCE, PATH_BYTES_MAX - _AREA_BYTES * len(projected)
    while True:
        shapes = tuple(_shape(code, of_region, tolerance) for code, of_region in projected.items())
        if sum(len(shape.path) for shape in shapes) <= budget or tolerance > WIDTH:
            return Drawing(width, height, shapes)
        tolerance *= _TOLERANCE_FACTOR


def _rings_of(areas: Sequence[Area], codes: Collection[str]) -> dict[str, list[Ring]]:
    within: defaultdict[str, list[Area]] = defaultdict(list)
    for area in areas:
        for digits in _DIGITS:
            if digits <= len(area.code):
                within[area.code[:digits]].append(area)
    return {
        code: [ring for area in _outermost(within[code]) for ring in area.rings] for code in codes if code in within
    }


def _outermost(areas: Sequence[Area]) -> list[Area]:
    """Return the areas that lie within no other of them: the city, not also its counties."""
    codes = {area.code for area in areas}
    return [
        area for area in areas if not any(digits < len(area.code) and area.code[:digits] in codes for digits in _DIGITS)
    ]


def _shape(code: str, rings: Sequence[Ring], tolerance: float) -> Shape:
    sizes = []
    for ring in rings:
        left, top, right, bottom = bounds(ring)
        sizes.append((right - left, bottom - top))
    largest = max(range(len(rings)), key=lambda place: sizes[place][0] * sizes[place][1])
    least = max(_SIDE_MIN, tolerance)
    kept = [ring for place, ring in enumerate(rings) if place == largest or max(sizes[place]) >= least]
    path = "".join(_path(simplified(ring, tolerance)) for ring in kept)
    width, height = sizes[largest]
    if width < _LABEL_WIDTH or height < _LABEL_HEIGHT:
        return Shape(code, path, None, None)
    x, y = _centre(rings[largest])
    return Shape(code, path, round(x), round(y))


def _path(ring: Ring) -> str:
    """Return a ring as a path of whole units, each relative to the one before."""
    x, y = round(ring[0][0]), round(ring[0][1])
    pieces = [f"M{x} {y}l"]
    steps = []
    for point in ring[1:-1]:
        to_x, to_y = round(point[0]), round(point[1])
        if (to_x, to_y) != (x, y):
            steps.append(f"{to_x - x} {to_y - y}")
            x, y = to_x, to_y
    return pieces[0] + " ".join(steps or ["0 0"]) + "z"


def _centre(ring: Ring) -> Point:
    """Return the centre of gravity; of a ring without area the middle of its bounds."""
    double = centre_x = centre_y = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(ring):
        cross = x0 * y1 - x1 * y0
        double += cross
        centre_x += (x0 + x1) * cross
        centre_y += (y0 + y1) * cross
    if abs(double) < 1e-9:
        left, top, right, bottom = bounds(ring)
        return (left + right) / 2, (top + bottom) / 2
    return centre_x / (3 * double), centre_y / (3 * double)
