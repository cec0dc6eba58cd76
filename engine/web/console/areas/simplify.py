"""Simplifies closed rings of points, so that a border of ten thousand points becomes one of a hundred. Pure.

A ring is a tuple of points of which the last equals the first. What comes out is a ring too, with the same bounds.
"""

import itertools
from collections.abc import Sequence

Point = tuple[float, float]
Ring = tuple[Point, ...]
RING_POINTS_MIN = 4
"""A triangle, closed."""


def thinned(ring: Ring, distance: float) -> Ring:
    """Return a ring without points that are nearer than `distance` to the one before. Takes one pass."""
    kept_always = set(_extremes(ring))
    last = ring[0]
    kept = [last]
    square = distance * distance
    for place in range(1, len(ring) - 1):
        x, y = ring[place]
        if place in kept_always or (x - last[0]) ** 2 + (y - last[1]) ** 2 >= square:
            last = ring[place]
            kept.append(last)
    kept.append(ring[0])
    return tuple(kept) if len(kept) >= RING_POINTS_MIN else ring


def simplified(ring: Ring, tolerance: float) -> Ring:
    """Return a ring by Ramer-Douglas-Peucker: points that lie within `tolerance` of the line without them are left out.

    The points furthest left, right, up and down stay, so that the bounds do. A ring that would have less than three
    corners stays as it is.
    """
    anchors = sorted({0, len(ring) - 1, *_extremes(ring)})
    kept = set(anchors)
    spans = list(itertools.pairwise(anchors))
    while spans:
        first, last = spans.pop()
        place, distance = _furthest(ring, first, last)
        if distance > tolerance:
            kept.add(place)
            spans += [(first, place), (place, last)]
    return tuple(ring[place] for place in sorted(kept)) if len(kept) >= RING_POINTS_MIN else ring


def bounds(points: Sequence[Point]) -> tuple[float, float, float, float]:
    """Return the least x and y, and the greatest."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _extremes(ring: Ring) -> list[int]:
    places = range(len(ring))
    found = []
    for axis in (0, 1):
        found.append(min(places, key=lambda place: ring[place][axis]))
        found.append(max(places, key=lambda place: ring[place][axis]))
    return found


def _furthest(ring: Ring, first: int, last: int) -> tuple[int, float]:
    """Return the point between two others that is furthest from the line between them, and its distance."""
    (x0, y0), (x1, y1) = ring[first], ring[last]
    dx, dy = x1 - x0, y1 - y0
    length = dx * dx + dy * dy
    best, furthest = first, 0.0
    for place in range(first + 1, last):
        x, y = ring[place]
        along = ((x - x0) * dx + (y - y0) * dy) / length if length else 0.0
        along = 0.0 if along < 0.0 else min(along, 1.0)
        square = (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2
        if square > furthest:
            best, furthest = place, square
    return best, furthest**0.5
