"""A baseline after one more picture; compiled. Pure but for the compiler.

The definition as NumPy says it is in engine/judge/reference.py.
"""

from typing import Any

import numba
import numpy as np
from numba import types

from engine.clock import NS_PER_S
from engine.judge.baseline import ACUTANCE, CODES, SEASON, SEASON_ACUTANCE, TILES, Baseline, Grid, UsualView
from engine.runtime.numba_cache import CACHED

SETTLING = 32
GOLDEN, PLASTIC = 0.6180339887498949, 0.7548776662466927
STEP_MAX = 24.0
"""Units by which one visit may seem to differ."""
_SEASON_SPACING_NS = 3_600 * NS_PER_S
"""The season takes one visit an hour while it settles, or its first morning would be all it knows."""
_NS_PER_DAY = 86_400 * NS_PER_S
_WEIGHT_MAX = 0.125
_UINT16_MAX = 0xFFFF

_f32 = np.float32
_u8 = np.uint8

_BYTES = types.Bytes(types.uint8, 1, "C", readonly=True)
_CODES = types.Array(types.float32, 1, "C")


@numba.njit(nogil=True, cache=CACHED)
def _step(new: Any, old: Any, begin: int, end: int, weight: Any, phase: Any, out: Any) -> None:
    """Codes from `begin` on move towards the new ones, and are rounded by thresholds of their own."""
    for code in range(begin, end):
        was = _f32(old[code])
        step = min(_f32(STEP_MAX), max(_f32(-STEP_MAX), new[code] - was)) * weight
        place = code * GOLDEN
        threshold = _f32(place - np.floor(place)) + phase
        threshold -= np.floor(threshold)
        out[code] = _u8(min(_f32(255.0), step + was + threshold))


@numba.njit(nogil=True, cache=CACHED)
def _mind_gaps(new: Any, old: Any, begin: int, end: int, out: Any) -> None:
    """Where 0 means that nothing was there to be measured, it is no value to move to or from."""
    for code in range(begin, end):
        if old[code] == 0:
            out[code] = _u8(new[code])
        elif new[code] == _f32(0.0):
            out[code] = old[code]


@numba.njit(
    [types.void(_CODES, _BYTES, types.float64, types.float64, types.float64, types.Array(types.uint8, 1, "C"))],
    nogil=True, cache=CACHED,
)  # fmt: skip
def _renew(new: Any, old: Any, weight: float, season_weight: float, phase: float, out: Any) -> None:
    for begin, end, weighs in ((0, SEASON, weight), (SEASON, CODES, season_weight)):
        _step(new, old, begin, end, _f32(weighs), _f32(phase), out)
    for begin, end in ((ACUTANCE, ACUTANCE + 2 * TILES), (SEASON_ACUTANCE, SEASON_ACUTANCE + TILES)):
        _mind_gaps(new, old, begin, end, out)


def learn(
    baseline: Baseline, codes: Grid, usual: UsualView, at_wall_ns: int, memory_days: float, season_days: float
) -> Baseline:
    """The memory after one more good visit. `codes`: as Look has them; `usual`: the picture's own figures."""
    visits, season_visits = baseline.visits, baseline.season_visits
    if not visits:
        return Baseline(1, 1, at_wall_ns, at_wall_ns, usual, np.rint(codes).astype(np.uint8).tobytes())
    since_ns = at_wall_ns - baseline.season_wall_ns
    season_due = season_visits >= SETTLING or since_ns >= _SEASON_SPACING_NS
    weight = _weight(visits, at_wall_ns - baseline.at_wall_ns, memory_days)
    season_weight = _weight(season_visits, since_ns, season_days) if season_due else 0.0
    packed = np.empty(CODES, np.uint8)
    _renew(codes, baseline.packed, weight, season_weight, visits * PLASTIC % 1.0, packed)
    return Baseline(
        visits=min(visits + 1, _UINT16_MAX),
        season_visits=min(season_visits + season_due, _UINT16_MAX),
        at_wall_ns=at_wall_ns,
        season_wall_ns=at_wall_ns if season_due else baseline.season_wall_ns,
        usual=UsualView(*[was + weight * (new - was) for was, new in zip(baseline.usual, usual, strict=True)]),
        packed=packed.tobytes(),
    )


def _weight(visits: int, passed_ns: int, days: float) -> float:
    alike = 1.0 / (visits + 1) if visits < SETTLING else 0.0
    return max(alike, min(_WEIGHT_MAX, max(0, passed_ns) / (days * _NS_PER_DAY)))
