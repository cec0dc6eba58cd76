"""Defines everything the judge compiles once more in plain NumPy, as slow twins. For tests and readers. Pure."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.judge.baseline import (
    ACUTANCE,
    ACUTANCE_MIN,
    ACUTANCE_UNITS,
    CELLS,
    CODES,
    COLOUR_U,
    COLOUR_V,
    COLOUR_ZERO,
    COLUMNS,
    LEVEL_UNITS,
    ROWS,
    SEASON,
    SEASON_ACUTANCE,
    STRUCTURE,
    STRUCTURE_UNITS,
    TILES,
    Codes,
    Grid,
)
from engine.judge.baseline_update import GOLDEN, STEP_MAX
from engine.judge.compare import (
    AIRLIGHT_LEVEL,
    BLACK_LEVELS,
    EPSILON,
    HIGHPASS_MAX,
    RADIUS,
    SHADED_LEVELS,
    STRUCTURED_COUNT_MIN,
    UPPER_QUARTILE,
    WHITE_LEVELS,
    Mask,
)
from engine.judge.features import LEVEL_MAX, LEVEL_MIN, PERCENTILE_95, Motion
from engine.judge.occlusion import (
    CHANGED_COLOUR,
    CHANGED_LEVELS,
    DARK_LEVELS,
    LOST_CONTRAST_MAX,
    LOST_OCTAVES,
    LOST_TO_NOISE_OCTAVES,
    LOWEST_FIFTH,
    RELATIVE_FROM,
    RISE_MAX_OCTAVES,
    SCENE_CONTRAST_MIN,
    STRUCTURED_MIN,
    TILES_MIN,
    UNAFFECTED_TILES_MIN,
    plain_threshold,
)
from engine.judge.order_statistics import MEDIAN, TOP
from engine.model.picture import TileMap

_HIGH, _WIDE = 2 * ROWS, 2 * COLUMNS


def quantile(values: npt.NDArray[np.float32], share: float) -> float:
    """Return the value below which `share` (0..1) of `values` lie, the lower of two neighbours."""
    return float(np.sort(values)[int(share * (values.size - 1))])


def unpack_cells(signature: bytes) -> npt.NDArray[np.uint16]:
    """Return the cells of a signature (engine/kernels/signature.py), shape (2 * ROWS, 2 * COLUMNS)."""
    return np.frombuffer(signature, "<u2", offset=1).reshape(_HIGH, _WIDE)


def encode(signature: bytes, tiles: TileMap) -> Grid:
    """Return the codes of engine.judge.features.extract_features."""
    codes = np.empty(CODES, np.float32)
    codes[:CELLS] = unpack_cells(signature).ravel() * np.float32(1 / LEVEL_UNITS)
    codes[STRUCTURE:ACUTANCE] = np.log2(tiles.structure.ravel() + 1.0) * STRUCTURE_UNITS
    known = tiles.acutance > ACUTANCE_MIN  # false for nan
    edges = np.where(known, np.log2(np.where(known, tiles.acutance, 1.0) / ACUTANCE_MIN) * ACUTANCE_UNITS, 0.0)
    codes[ACUTANCE:COLOUR_U] = edges.ravel()
    codes[COLOUR_U:COLOUR_V], codes[COLOUR_V:SEASON] = tiles.u.ravel() + COLOUR_ZERO, tiles.v.ravel() + COLOUR_ZERO
    codes[SEASON:SEASON_ACUTANCE] = codes[STRUCTURE:ACUTANCE]
    codes[SEASON_ACUTANCE:] = ((edges[0] + edges[1]) / np.maximum(1, known.sum(axis=0))).ravel()
    return codes.clip(0.0, 255.0)


def pack_tile_means(signature: bytes) -> bytes:
    """Return the tile means of engine.judge.features.extract_features: in 1/LEVEL_UNITS, rounded down."""
    cells = unpack_cells(signature).astype(np.uint32)
    means: npt.NDArray[np.uint32] = cells.reshape(ROWS, 2, COLUMNS, 2).sum(axis=(1, 3)) // 4
    return means.astype("<u2").tobytes()


def motion(tile_means: bytes, previous_means: bytes, tolerance: float) -> Motion:
    """Return the motion of engine.judge.features.extract_features."""
    current, previous = (np.frombuffer(means, "<u2").astype(np.float64) for means in (tile_means, previous_means))
    lit = (current > LEVEL_MIN * LEVEL_UNITS) & (current < LEVEL_MAX * LEVEL_UNITS)
    if not previous_means or not lit.any():
        return Motion(0, 0.0, 0.0, 0.0, 0)
    changes = np.sort(np.abs(current - previous)[lit]) / LEVEL_UNITS
    return Motion(
        movable=changes.size,
        median=float(changes[changes.size // 2]),
        upper_quartile=float(changes[int(UPPER_QUARTILE * (changes.size - 1))]),
        percentile_95=float(changes[int(PERCENTILE_95 * (changes.size - 1))]),
        unchanged=int((changes <= tolerance).sum()),
    )


def update_codes(new: Grid, old: Codes, weight: float, season_weight: float, phase: float) -> Codes:
    """Return the codes of a baseline after a picture with codes `new`; twin of engine.judge.baseline_update."""
    weights = np.where(np.arange(CODES) < SEASON, np.float32(weight), np.float32(season_weight))
    thresholds = (np.arange(CODES) * GOLDEN % 1.0).astype(np.float32) + np.float32(phase)
    thresholds -= np.floor(thresholds)
    step = (new - old).clip(-STEP_MAX, STEP_MAX) * weights
    codes = np.minimum(step + old + thresholds, 255.0).astype(np.uint8)
    gaps = np.zeros(CODES, np.bool_)
    gaps[ACUTANCE:COLOUR_U] = gaps[SEASON_ACUTANCE:] = True
    codes = np.where(gaps & (new == 0.0), old, codes)
    return np.where(gaps & (old == 0), new.astype(np.uint8), codes)


@dataclass(frozen=True, slots=True)
class Change:
    """The fields of engine.judge.compare.SceneChange, by the same names; nan where SceneChange has None."""

    match: float
    spread: float
    contrast: float
    veil: float
    sharpness: float
    anisotropy: float
    season_sharpness: float
    structure: float
    structure_top: float
    structured_hidden_share: float
    hidden_share: float
    cast: float
    light: float
    masks: Mask
    highpassed: Grid


def compare(current: Grid, packed: bytes, masked: Mask) -> Change:
    """Twin of engine.judge.compare.compare. `packed`: codes of the baseline; `masked`: shape (ROWS, COLUMNS)."""
    baseline = np.frombuffer(packed, np.uint8).astype(np.float32)
    cells, usual_cells = (codes[:CELLS].reshape(_HIGH, _WIDE) for codes in (current, baseline))
    wide = np.pad(masked, 1)
    ignored = np.any([wide[y : y + ROWS, x : x + COLUMNS] for y in range(3) for x in range(3)], axis=0)
    compared = ~ignored.repeat(2, axis=0).repeat(2, axis=1)
    high, usual_high = highpass(cells) * compared, highpass(usual_cells) * compared
    power = _window_sums(usual_high**2)
    tile_contrast = (_window_sums(high * usual_high) / (power + np.float32(EPSILON))).astype(np.float32)
    structured = baseline[STRUCTURE:ACUTANCE] >= STRUCTURED_MIN
    rises = (current - baseline)[STRUCTURE:ACUTANCE][structured]
    enough = rises.size >= TILES_MIN
    told = structured & ~ignored.ravel()
    contrast = quantile(tile_contrast[told] if told.sum() >= TILES_MIN else tile_contrast, UPPER_QUARTILE)
    tile_contrast[(ignored & ~masked).ravel()] = max(0.0, contrast)
    lift = quantile((cells - np.float32(contrast) * usual_cells)[::2, ::2].ravel(), MEDIAN)
    veil = math.log2(1.0 + max(0.0, lift) / (max(contrast, 0.05) * AIRLIGHT_LEVEL)) if contrast > 0 else 0.0
    hidden, evident = _hidden(current, baseline, tile_contrast, power >= 16 * SHADED_LEVELS**2, contrast)
    rise_x, rise_y = (_acutance_rise(current, baseline, begin) for begin in (ACUTANCE, ACUTANCE + TILES))
    product = (high * usual_high).sum()
    return Change(
        match=float(product / (math.sqrt((high**2).sum() * (usual_high**2).sum()) + EPSILON)),
        spread=math.sqrt((high**2).sum() / ((usual_high**2).sum() + EPSILON)),
        contrast=contrast,
        veil=veil,
        sharpness=2.0 ** float(np.fmin(rise_x, rise_y)),
        anisotropy=0.0 if math.isnan(rise_x + rise_y) else abs(rise_x - rise_y),
        season_sharpness=2.0 ** _acutance_rise(current, baseline, SEASON_ACUTANCE),
        structure=quantile(rises, MEDIAN) / STRUCTURE_UNITS if enough else math.nan,
        structure_top=quantile(rises, TOP) / STRUCTURE_UNITS if enough else math.nan,
        structured_hidden_share=int((evident & structured).sum()) / max(STRUCTURED_COUNT_MIN, rises.size),
        hidden_share=int(hidden.sum()) / max(1, int((hidden | ~masked.ravel()).sum())),
        cast=math.hypot(
            quantile((current - baseline)[COLOUR_U:COLOUR_V], MEDIAN),
            quantile((current - baseline)[COLOUR_V:SEASON], MEDIAN),
        ),
        light=_light(_tile_levels(cells), _tile_levels(usual_cells)),
        masks=np.stack((hidden, evident)),
        highpassed=np.stack((high.ravel(), usual_high.ravel())),
    )


def highpass(cells: Grid) -> Grid:
    """Return cells minus the mean of up to RADIUS neighbours on each side, bounded; shape (2 * ROWS, 2 * COLUMNS)."""
    high = cells - _smoother(_HIGH) @ cells @ _smoother(_WIDE).T
    out: Grid = high.clip(-HIGHPASS_MAX, HIGHPASS_MAX).astype(np.float32)
    return out


def _smoother(length: int) -> Grid:
    distance = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    near = (distance <= RADIUS).astype(np.float32)
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float32)


def _window_sums(cells: Grid) -> Grid:
    """Return the sums over the cells of each tile and one more on either side, flat."""
    sides = []
    for tiles in (ROWS, COLUMNS):
        cell, tile = np.arange(2 * tiles)[None, :], np.arange(tiles)[:, None]
        sides.append(((cell >= 2 * tile - 1) & (cell <= 2 * tile + 2)).astype(np.float32))
    return np.asarray(sides[0] @ cells @ sides[1].T, np.float32).ravel()


def _tile_levels(cells: Grid) -> Grid:
    levels: Grid = cells.reshape(ROWS, 2, COLUMNS, 2).mean(axis=(1, 3)).ravel()
    return levels


def _acutance_rise(current: Grid, baseline: Grid, begin: int) -> float:
    """Return the octaves by which edges are steeper in the median tile; nan if too few tiles have edges in both."""
    acutance, usual = current[begin : begin + TILES], baseline[begin : begin + TILES]
    rises = (acutance - usual)[(acutance > 0) & (usual > 0)]
    return quantile(rises, MEDIAN) / ACUTANCE_UNITS if rises.size >= TILES_MIN else math.nan


def _light(level: Grid, usual_level: Grid) -> float:
    lit = (usual_level >= BLACK_LEVELS) & (usual_level < WHITE_LEVELS)
    if np.count_nonzero(lit) < TILES_MIN:
        return float(level.mean() / (usual_level.mean() + DARK_LEVELS))
    return quantile(((level + DARK_LEVELS) / (usual_level + DARK_LEVELS))[lit], TOP)


def _hidden(current: Grid, baseline: Grid, tile_contrast: Grid, shaded: Mask, contrast: float) -> tuple[Mask, Mask]:
    """Return the masks of engine.judge.occlusion.mark_hidden."""
    structure, usual_structure = current[STRUCTURE:ACUTANCE], baseline[STRUCTURE:ACUTANCE]
    structured = usual_structure >= plain_threshold(quantile(usual_structure, LOWEST_FIFTH))
    everywhere = contrast < SCENE_CONTRAST_MIN
    lost_contrast = tile_contrast < (LOST_CONTRAST_MAX if everywhere else LOST_CONTRAST_MAX * min(1.0, contrast))
    none = np.zeros(TILES, np.bool_)
    if not everywhere and not ((structured | shaded) & lost_contrast).any():
        return none, none
    rise = structure - usual_structure
    kept = rise[structured & ~lost_contrast]
    least_affected = 0.0 if everywhere or kept.size < TILES_MIN else min(0.0, quantile(kept, TOP))
    plain = structure < plain_threshold(quantile(structure, LOWEST_FIFTH))
    lost_structure = (rise < least_affected - LOST_OCTAVES * STRUCTURE_UNITS) | (
        plain & (rise < least_affected - LOST_TO_NOISE_OCTAVES * STRUCTURE_UNITS)
    )
    replaced = _changed(current, baseline, ~lost_contrast) & (rise < RISE_MAX_OCTAVES * STRUCTURE_UNITS)
    evident = (structured & lost_structure & (lost_contrast | everywhere)) | (shaded & lost_contrast & replaced)
    return (evident | (replaced & ~structured), evident) if evident.any() else (none, none)


def _changed(current: Grid, baseline: Grid, unaffected: Mask) -> Mask:
    """Return the tiles whose mean light or colour changed differently from that of the unaffected tiles."""
    level, usual_level = (_tile_levels(codes[:CELLS].reshape(_HIGH, _WIDE)) for codes in (current, baseline))
    ratio = level / (usual_level + DARK_LEVELS)
    if np.count_nonzero(unaffected) < UNAFFECTED_TILES_MIN:
        unaffected = np.ones(TILES, np.bool_)
    light_change = np.abs(ratio - quantile(ratio[unaffected], MEDIAN))
    changed: Mask = light_change * np.minimum(usual_level + DARK_LEVELS, RELATIVE_FROM) > CHANGED_LEVELS
    for begin in (COLOUR_U, COLOUR_V):
        shift = (current - baseline)[begin : begin + TILES]
        changed |= np.abs(shift - quantile(shift[unaffected], MEDIAN)) > CHANGED_COLOUR
    return changed
