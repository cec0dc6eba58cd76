"""The map's areas: whatever the ring, it stays closed and keeps its bounds; any bytes are read, or refused in words."""

import json
import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.web.console.areas.drawing import PATH_BYTES_MAX, draw
from engine.web.console.areas.geojson import Area, read_areas
from engine.web.console.areas.simplify import Point, Ring, bounds, simplified, thinned

numbers = st.floats(-1000, 1000, allow_nan=False).map(lambda number: round(number, 3))
points = st.tuples(numbers, numbers)


@st.composite
def rings(draw_: st.DrawFn) -> Ring:
    inner = draw_(st.lists(points, min_size=3, max_size=60))
    return (*inner, inner[0])


def distance(point: Point, begin: Point, end: Point) -> float:
    (x, y), (x0, y0), (x1, y1) = point, begin, end
    length = (x1 - x0) ** 2 + (y1 - y0) ** 2
    along = max(0.0, min(1.0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length)) if length else 0.0
    return math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))


@given(rings(), st.floats(0, 500))
def test_a_simplified_ring_is_closed_has_its_bounds_and_strays_no_further_than_told(
    ring: Ring, tolerance: float
) -> None:
    made = simplified(ring, tolerance)
    assert made[0] == made[-1]
    assert len(made) >= 4
    assert set(made) <= set(ring)
    assert bounds(made) == bounds(ring)
    sides = list(pairwise(made))
    for point in ring:
        assert min(distance(point, *side) for side in sides) <= tolerance + 1e-6


@given(rings(), st.floats(0, 500))
def test_a_thinned_ring_is_closed_and_has_its_bounds(ring: Ring, apart: float) -> None:
    made = thinned(ring, apart)
    assert made[0] == made[-1]
    assert len(made) >= 4
    assert bounds(made) == bounds(ring)
    assert len(made) <= len(ring)


@given(rings())
def test_without_tolerance_only_points_on_a_line_are_left_out(ring: Ring) -> None:
    made = simplified(ring, 0.0)
    assert set(ring) - set(made) <= {
        point for point in ring if any(distance(point, *side) < 1e-6 for side in pairwise(made))
    }


def circle(x: float, y: float, radius: float, number: int) -> Ring:
    turns = [2 * math.pi * place / number for place in range(number)]
    around = [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns]
    return (*around, around[0])


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 40), st.integers(4, 3000))
def test_a_drawing_stays_within_its_bytes_and_its_picture(regions: int, corners: int) -> None:
    areas = [Area(f"13{n:04}", (circle(114 + n % 8, 36 + n // 8, 0.5, corners),)) for n in range(1, regions + 1)]
    drawing = draw(areas, [area.code for area in areas])
    assert drawing is not None
    assert {shape.code for shape in drawing.shapes} == {area.code for area in areas}
    assert sum(len(shape.path) for shape in drawing.shapes) <= PATH_BYTES_MAX
    assert max(drawing.width, drawing.height) <= 4001
    for shape in drawing.shapes:
        assert shape.path.startswith("M")
        assert shape.path.endswith("z")
        if shape.x is not None and shape.y is not None:
            assert 0 <= shape.x <= drawing.width
            assert 0 <= shape.y <= drawing.height


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def refused(raw: bytes) -> str:
    """Return why the bytes are refused; empty if they are read."""
    try:
        read_areas(raw)
    except ConfigError as error:
        return str(error)
    return ""


@given(json_values)
def test_any_feature_is_read_or_refused_in_words(value: object) -> None:
    texts = [
        {"type": "FeatureCollection", "features": value},
        {"type": "FeatureCollection", "features": [value]},
        {"type": "FeatureCollection", "features": [{"properties": {"code": "13"}, "geometry": value}]},
        {
            "type": "FeatureCollection",
            "features": [{"properties": {"adcode": 13}, "geometry": {"type": "Polygon", "coordinates": value}}],
        },
    ]
    for text in texts:
        said = refused(json.dumps(text).encode())
        assert not said or any(word in said for word in ("allowed:", "give "))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(raw: bytes) -> None:
    assert refused(raw)
