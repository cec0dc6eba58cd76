"""GeoJSON files for the console's map."""

import json
import math
from collections.abc import Sequence

_COLUMNS = 3
_CORNERS = 40


def counties_map(codes: Sequence[str]) -> str:
    """Return a map on which each region is a round area in a grid."""
    features = []
    for number, code in enumerate(codes):
        x, y = 114.0 + number % _COLUMNS, 38.0 - number // _COLUMNS
        turns = [2 * math.pi * corner / _CORNERS for corner in range(_CORNERS)]
        ring = [[round(x + 0.5 * math.cos(turn), 4), round(y + 0.5 * math.sin(turn), 4)] for turn in turns]
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        features.append({"type": "Feature", "properties": {"adcode": int(code)}, "geometry": geometry})
    return json.dumps({"type": "FeatureCollection", "features": features})
