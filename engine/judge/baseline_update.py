"""Adds a good picture to a baseline. Compiled; pure but for the compiler.

The definition in plain NumPy is in engine/judge/reference.py.
"""

from typing import Any

import numba
import numpy as np
from numba import types

from engine.clock import NS_PER_S
from engine.judge.baseline import ACUTANCE, CODES, SEASON, SEASON_ACUTANCE, TILES, Baseline, BaselineFigures, Grid
from engine.judge.optics import light_range
from engine.runtime.numba_cache import CACHED

SETTLING = 32
"""First visits that have equal weight."""
GOLDEN, PLASTIC = 0.6180339887498949, 0.7548776662466927
"""Steps of the rounding thresholds from code to code, and from visit to visit."""
STEP_MAX = 24.0
"""Largest difference of a visit that counts, in code units."""
_SEASON_SPACING_NS = 3_600 * NS_PER_S
"""While it settles, the season average takes one visit per hour; otherwise it would consist of its first morning."""
_NS_PER_DAY = 86_400 * NS_PER_S
_WEIGHT_MAX = 0.125
_UINT16_MAX = 0xFFFF

_f32 = np.float32
_u8 = np.uint8

_BYTES = types.Bytes(types.uint8, 1, "C", readonly=True)
_CODES = types.Array(types.float32, 1, "C")


@numba.njit(nogil=True, cache=CACHED)
def _step(new: Any, old: Any, begin: int, end: int, weight: Any, phase: Any, out: Any) -> None:
    """Move the old codes from `begin` to `end` towards the new ones; each is rounded by a threshold of its own."""
    for code in range(begin, end):
        was = _f32(old[code])
        step = min(_f32(STEP_MAX), max(_f32(-STEP_MAX), new[code] - was)) * weight
        position = code * GOLDEN
        threshold = _f32(position - np.floor(position)) + phase
        threshold -= np.floor(threshold)
        out[code] = _u8(min(_f32(255.0), step + was + threshold))


@numba.njit(nogil=True, cache=CACHED)
def _handle_gaps(new: Any, old: Any, begin: int, end: int, out: Any) -> None:
    """Correct codes in which 0 means that nothing could be measured: such a code is neither moved nor moved to."""
    for code in range(begin, end):
        if old[code] == 0:
            out[code] = _u8(new[code])
        elif new[code] == _f32(0.0):
            out[code] = old[code]


@numba.njit(
    [types.void(_CODES, _BYTES, types.float64, types.float64, types.float64, types.Array(types.uint8, 1, "C"))],
    nogil=True, cache=CACHED,
)  # fmt: skip
def _update(new: Any, old: Any, weight: float, season_weight: float, phase: float, out: Any) -> None:
    """Write the updated codes. `phase`: offset of the rounding thresholds at this visit, 0..1."""
    for begin, end, part_weight in ((0, SEASON, weight), (SEASON, CODES, season_weight)):
        _step(new, old, begin, end, _f32(part_weight), _f32(phase), out)
    for begin, end in ((ACUTANCE, ACUTANCE + 2 * TILES), (SEASON_ACUTANCE, SEASON_ACUTANCE + TILES)):
        _handle_gaps(new, old, begin, end, out)


def update_baseline(
    baseline: Baseline,
    codes: Grid,
    figures: BaselineFigures,
    at_wall_ns: int,
    memory_days: float,
    season_days: float,
    stops: float | None = None,
    spots: bytes = b"",
) -> Baseline:
    """Return the baseline after one more good visit. `codes`: as in Features; `figures`: those of the picture;
    `stops`: its light against the baseline's, None if that was not measured; `spots`: as in Baseline, empty if they
    were not looked for."""
    visits, season_visits = baseline.visits, baseline.season_visits
    if not visits:
        return Baseline(1, 1, at_wall_ns, at_wall_ns, figures, np.rint(codes).astype(np.uint8).tobytes())
    since_ns = at_wall_ns - baseline.season_updated_wall_ns
    season_due = season_visits >= SETTLING or since_ns >= _SEASON_SPACING_NS
    weight = _weight(visits, at_wall_ns - baseline.updated_wall_ns, memory_days)
    season_weight = _weight(season_visits, since_ns, season_days) if season_due else 0.0
    packed = np.empty(CODES, np.uint8)
    _update(codes, baseline.packed, weight, season_weight, visits * PLASTIC % 1.0, packed)
    return Baseline(
        visits=min(visits + 1, _UINT16_MAX),
        season_visits=min(season_visits + season_due, _UINT16_MAX),
        updated_wall_ns=at_wall_ns,
        season_updated_wall_ns=at_wall_ns if season_due else baseline.season_updated_wall_ns,
        figures=_averaged(baseline.figures, figures, weight),
        packed=packed.tobytes(),
        light=baseline.light
        if stops is None
        else light_range.learned(baseline.light, stops, weight, at_wall_ns, baseline.updated_wall_ns, season_days),
        spots=spots or baseline.spots,
    )


def _averaged(was: BaselineFigures, new: BaselineFigures, weight: float) -> BaselineFigures:
    """Return the usual figures after one more picture of this weight."""
    averaged = BaselineFigures(*[old + weight * (latest - old) for old, latest in zip(was, new, strict=True)])
    if was.gradient_across + was.gradient_down > 0.0:
        return averaged
    return averaged._replace(
        gradient_across=new.gradient_across, gradient_down=new.gradient_down, gradient_product=new.gradient_product
    )


def _weight(visits: int, elapsed_ns: int, days: float) -> float:
    """Return the weight of a visit after `visits` others, `elapsed_ns` after the last, in an average over `days`."""
    equal = 1.0 / (visits + 1) if visits < SETTLING else 0.0
    return max(equal, min(_WEIGHT_MAX, max(0, elapsed_ns) / (days * _NS_PER_DAY)))
