"""Defines what engine/judge/optics compiles once more in plain NumPy, as slow twins. For tests and readers. Pure."""

import numpy as np
import numpy.typing as npt

from engine.judge.baseline import ACUTANCE, ACUTANCE_UNITS, CELLS, COLOUR_U, COLUMNS, ROWS, TILES, Codes, Grid
from engine.judge.compare import BLACK_LEVELS, WHITE_LEVELS
from engine.judge.occlusion import TILES_MIN
from engine.judge.optics.tile_changes import AGREEING, BURNT_LEVEL, GAMMA, SOFTER_OCTAVES, SPOT_LEVELS, TOE_LEVELS
from engine.judge.order_statistics import MEDIAN
from engine.judge.reference import quantile

Mask = npt.NDArray[np.bool_]


def light_change(current: Grid, usual: Codes, masked: Mask) -> float:
    """Return `stops` of engine.judge.optics.tile_changes.TileChanges; nan where that is None."""
    levels, usual_levels = (
        codes[:CELLS].astype(np.float32).reshape(ROWS, 2, COLUMNS, 2).mean(axis=(1, 3)) for codes in (current, usual)
    )
    lit = (usual_levels >= BLACK_LEVELS) & (usual_levels < WHITE_LEVELS) & (levels < BURNT_LEVEL) & ~masked
    if np.count_nonzero(lit) < TILES_MIN:
        return float("nan")
    ratios = ((levels + TOE_LEVELS) / (usual_levels + TOE_LEVELS))[lit]
    low, high = (GAMMA * np.log2(quantile(ratios, share)) for share in (AGREEING, 1.0 - AGREEING))
    return float(max(0.0, low) if high > 0.0 else min(0.0, high))


def spots(highpassed: Grid, stops: float) -> Mask:
    """Return `spots` of TileChanges. `highpassed`: as in SceneChange; `stops`: of the same picture."""
    factor = 1.0 if np.isnan(stops) else 2.0 ** (stops / GAMMA)
    change = np.abs(highpassed[0] - np.float32(factor) * highpassed[1])
    marked: Mask = (change > SPOT_LEVELS * max(1.0, factor)).reshape(ROWS, 2, COLUMNS, 2).any(axis=(1, 3)).ravel()
    return marked


def soft_tiles(current: Grid, usual: Codes) -> Mask:
    """Return `soft` of TileChanges."""
    now, then = (codes[ACUTANCE:COLOUR_U].astype(np.float32).reshape(2, TILES) for codes in (current, usual))
    known = (now > 0) & (then > 0)
    counts = known.sum(axis=0)
    rises = np.where(known, now - then, 0.0).sum(axis=0) / np.maximum(1, counts)
    measured = counts > 0
    if np.count_nonzero(measured) < TILES_MIN:
        return np.zeros(TILES, np.bool_)
    limit = quantile(rises[measured], MEDIAN) - SOFTER_OCTAVES * ACUTANCE_UNITS
    softer: Mask = measured & (rises < limit)
    return softer
