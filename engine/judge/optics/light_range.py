"""The usual range of a camera's light: how dark and how bright its pictures are in the course of days. Pure.

A kitchen is darker in the evening and on a dull day, and that is no fault of its camera. So a baseline holds, besides
its mean light, the darkest and the brightest that it has seen, in stops of one arbitrary zero. Whatever the first day
brings is usual, so that a camera knows its first evening; later an outlier widens the range by half of its distance
only. The range narrows slowly towards the mean, over `judge.season_days`.

A picture beyond the range is a fault and teaches the baseline nothing. If the light is back within a day, it was the
light and not the camera, and from then on such light is usual. A changed exposure stays.
"""

import struct
from typing import NamedTuple

from engine.clock import NS_PER_S

KNOWN_VISITS, KNOWN_NS = 12, 20 * 3_600 * NS_PER_S
"""Visits and time from which on the usual light of a camera is known: it has seen the evening."""
_HOUR_NS = 3_600 * NS_PER_S
_DAY_NS = 24 * _HOUR_NS
_PASSING_NS = 24 * _HOUR_NS
"""Light that is back within this time has passed by itself."""
_WIDENED = 0.5
"""Share of an outlier's distance by which it widens the range."""
_STOPS_MAX = 1e6
_UINT16_MAX = 0xFFFF
_STRUCT = struct.Struct("<HQffffQ")
LIGHT_BYTES = _STRUCT.size


class LightRange(NamedTuple):
    """What is usual for a camera's light, in stops of an arbitrary zero; `LightRange()` knows nothing.

    `visits`: good visits, of each hour of the calendar one; `since_wall_ns`: time of the first. `mean`, `low`,
    `high`: of the baseline, of the darkest and of the brightest usual light. `away`: the light farthest beyond them
    since `away_since_wall_ns`, when the light left the range; 0 while it is within.
    """

    visits: int = 0
    since_wall_ns: int = 0
    mean: float = 0.0
    low: float = 0.0
    high: float = 0.0
    away: float = 0.0
    away_since_wall_ns: int = 0

    def to_bytes(self) -> bytes:
        """Return LIGHT_BYTES bytes."""
        return _STRUCT.pack(*self)

    @staticmethod
    def from_bytes(blob: bytes) -> "LightRange | None":
        """Return the value of LIGHT_BYTES bytes, None if they are no light range."""
        light = LightRange._make(_STRUCT.unpack(blob))
        finite = light.high - light.low < _STOPS_MAX and abs(light.mean) < _STOPS_MAX and abs(light.away) < _STOPS_MAX
        return light if finite and light.low <= light.high else None  # both false for nan


def is_known(light: LightRange, at_wall_ns: int) -> bool:
    """Return whether the camera has been seen often and long enough for its usual light to be known."""
    return light.visits >= KNOWN_VISITS and at_wall_ns - light.since_wall_ns >= KNOWN_NS


def beyond(light: LightRange, stops: float) -> float:
    """Return by how many stops light lies beyond the range: above 0 brighter, below 0 darker, 0 within.

    `stops`: against the mean, as in engine.judge.optics.tile_changes.TileChanges.
    """
    position = light.mean + stops
    return position - light.high if position > light.high else min(0.0, position - light.low)


def learned(
    light: LightRange, stops: float, weight: float, at_wall_ns: int, last_wall_ns: int, season_days: float
) -> LightRange:
    """Return the range after a good visit. `weight`: of that visit in the baseline's averages; `last_wall_ns`: time of
    the good visit before it."""
    position = light.mean + stops
    narrowed = min(1.0, max(0, at_wall_ns - last_wall_ns) / (season_days * _DAY_NS))
    mean = light.mean + weight * stops
    low = light.low + narrowed * max(0.0, mean - light.low)
    high = light.high - narrowed * max(0.0, light.high - mean)
    if light.away_since_wall_ns and 0 <= at_wall_ns - light.away_since_wall_ns <= _PASSING_NS:
        low, high = _widened(low, high, light.away, 1.0)
    low, high = _widened(low, high, position, _WIDENED if is_known(light, at_wall_ns) else 1.0)
    another_hour = not light.visits or at_wall_ns // _HOUR_NS != last_wall_ns // _HOUR_NS
    since_ns = light.since_wall_ns if light.visits else at_wall_ns
    return LightRange(min(light.visits + another_hour, _UINT16_MAX), since_ns, mean, low, high)


def left(light: LightRange, stops: float, at_wall_ns: int) -> LightRange:
    """Return the range after a visit whose only fault is that its light lies beyond it."""
    if not light.away_since_wall_ns:
        return light._replace(away=light.mean + stops, away_since_wall_ns=at_wall_ns)
    farther = beyond(light, stops) ** 2 > beyond(light, light.away - light.mean) ** 2
    return light._replace(away=light.mean + stops) if farther else light


def _widened(low: float, high: float, position: float, share: float) -> tuple[float, float]:
    return min(low, low + share * (position - low)), max(high, high + share * (position - high))
