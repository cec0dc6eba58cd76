"""Reads the areas of a map from GeoJSON (RFC 7946): polygons with the region code of GB/T 2260. Pure."""

import math
from dataclasses import dataclass
from typing import Any

import orjson

from engine.errors import ConfigError
from engine.web.console.areas.simplify import RING_POINTS_MIN, Point, Ring, bounds, thinned

FEATURES_MAX = 5000
_CODES = ("code", "adcode")
_CODE_DIGITS = (2, 4, 6)
_KEPT_STEPS = 3000
"""A ring keeps points that are this part of its size apart; a screen shows less."""
_GIVE = "give polygons in degrees of longitude and latitude"


@dataclass(frozen=True, slots=True)
class Area:
    """A province, city or county. `code`: of GB/T 2260, with 2, 4 or 6 digits. `rings`: outer ones and holes."""

    code: str
    rings: tuple[Ring, ...]


def read_areas(raw: bytes) -> tuple[Area, ...]:
    """Return the areas of a FeatureCollection. Raises ConfigError, which names the feature and says what is allowed."""
    try:
        collection = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"is no JSON: {error}; give a GeoJSON file") from error
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        raise ConfigError("is no FeatureCollection; give a GeoJSON file with one feature for each region")
    features = collection.get("features")
    if not isinstance(features, list) or not 1 <= len(features) <= FEATURES_MAX:
        number = len(features) if isinstance(features, list) else 0
        raise ConfigError(f"has {number} features; allowed: 1 to {FEATURES_MAX}")
    areas = []
    for number, feature in enumerate(features, 1):
        try:
            areas.append(_area(feature))
        except ConfigError as error:
            raise ConfigError(f"feature {number}: {error}") from error
    return tuple(areas)


def short_code(code: str) -> str:
    """Return a region code without its trailing pairs of zeros: 130100 is 1301."""
    while len(code) > _CODE_DIGITS[0] and code.endswith("00"):
        code = code[:-2]
    return code


def _area(feature: Any) -> Area:
    if not isinstance(feature, dict):
        raise ConfigError("is no object; give a Feature")
    properties, geometry = feature.get("properties"), feature.get("geometry")
    geometry = geometry if isinstance(geometry, dict) else {}
    code = _code(properties if isinstance(properties, dict) else {})
    kind = geometry.get("type")
    if kind not in ("Polygon", "MultiPolygon"):
        raise ConfigError(f"({code}) has the geometry {str(kind)[:40]!r}; allowed: Polygon and MultiPolygon")
    found = geometry.get("coordinates")
    polygons = [found] if kind == "Polygon" else found
    rings = [_ring(ring, code) for polygon in _list(polygons, code) for ring in _list(polygon, code)]
    if not rings:
        raise ConfigError(f"({code}) has no ring; {_GIVE}")
    return Area(code, tuple(rings))


def _code(properties: dict[str, Any]) -> str:
    given = next((properties[name] for name in _CODES if properties.get(name) not in (None, "")), None)
    code = str(given) if isinstance(given, str) or type(given) is int else ""
    if not (code.isascii() and code.isdecimal() and len(code) in _CODE_DIGITS):
        shown = "no code" if given is None else f"the code {str(given)[:40]!r}"
        raise ConfigError(
            f"has {shown}; allowed: 2, 4 or 6 digits of GB/T 2260, in the property code or adcode. Correct it, or "
            "delete the feature"
        )
    return short_code(code)


def _list(value: Any, code: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"({code}) has coordinates that are no list; {_GIVE}")
    return value


def _ring(value: Any, code: str) -> Ring:
    points = [_point(point, code) for point in _list(value, code)]
    if points and points[0] != points[-1]:
        points.append(points[0])
    if len(points) < RING_POINTS_MIN:
        raise ConfigError(f"({code}) has a ring of {len(points)} points; allowed: at least {RING_POINTS_MIN}")
    left, top, right, bottom = bounds(points)
    return thinned(tuple(points), math.hypot(right - left, bottom - top) / _KEPT_STEPS)


def _point(value: Any, code: str) -> Point:
    try:
        x, y = float(value[0]), float(value[1])
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        x = y = math.nan
    if not (-180.0 <= x <= 180.0 and -90.0 <= y <= 90.0):
        raise ConfigError(
            f"({code}) has the point {str(value)[:60]}; allowed: longitude -180 to 180, latitude -90 to 90"
        )
    return x, y
