"""Draws the map of the made-up county as GeoJSON, for the console of `patrol demo`. Pure."""

import json
import math

from engine.demo.county import REGION

_CENTRE = (115.2, 37.9)
_RADIUS = 0.22
"""Of the county, in degrees."""
_CORNERS = 90
_BAYS = ((2, 0.4, 0.12), (3, 2.1, 0.09), (5, 4.0, 0.05), (9, 1.3, 0.025))
"""Bays and capes around the border: how many, where they begin, how deep they are (share of the radius)."""


def county_map() -> str:
    """Return a FeatureCollection with the polygon of the county."""
    ring = [_corner(2 * math.pi * corner / _CORNERS) for corner in range(_CORNERS)]
    feature = {
        "type": "Feature",
        "properties": {"code": REGION, "name": "青禾县"},
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }
    return json.dumps({"type": "FeatureCollection", "features": [feature]}, ensure_ascii=False)


def _corner(turn: float) -> list[float]:
    """Return the point of the border in a direction."""
    radius = _RADIUS * (1 + sum(depth * math.sin(number * turn + phase) for number, phase, depth in _BAYS))
    return [round(_CENTRE[0] + 1.25 * radius * math.cos(turn), 5), round(_CENTRE[1] + radius * math.sin(turn), 5)]
