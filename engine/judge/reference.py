"""The slow twins of what the judge has compiled: the definitions, as NumPy says them. For tests and readers."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.judge.baseline import (
    ACUTANCE,
    ACUTANCE_LEAST,
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
    ABLE_MIN,
    AIR_LEVEL,
    BLACK_LEVELS,
    FLOOR,
    HIGH_MAX,
    MARKED_LEVELS,
    QUARTER,
    REACH,
    WHITE_LEVELS,
    Mask,
)
from engine.judge.features import LEVEL_MAX, LEVEL_MIN, NEARLY_ALL, QUARTILE, Motion
from engine.judge.occlusion import (
    DARK_LEVELS,
    EDGES_MIN,
    FELL_OCTAVES,
    FIFTH,
    KEPT_MAX,
    KEPT_TILES_MIN,
    LEFT_MIN,
    LOST_OCTAVES,
    PLAIN_COLOUR,
    PLAIN_LEVELS,
    PLAIN_LIT,
    RISEN_OCTAVES,
    STRUCTURED,
    plain_below,
)
from engine.judge.order_statistics import HALF, TOP
from engine.model.picture import TileMap

_HIGH, _WIDE = 2 * ROWS, 2 * COLUMNS


def rank(values: npt.NDArray[np.float32], share: float) -> float:
    """The value below which `share` of them lie, the lower of two neighbours."""
    return float(np.sort(values)[int(share * (values.size - 1))])


def cells_of(signature: bytes) -> npt.NDArray[np.uint16]:
    """Of a thumbnail as engine/kernels/signature.py packs it, shape (2 * ROWS, 2 * COLUMNS)."""
    return np.frombuffer(signature, "<u2", offset=1).reshape(_HIGH, _WIDE)


def encode(signature: bytes, tiles: TileMap) -> Grid:
    """What engine.judge.features.look_of gives as codes."""
    codes = np.empty(CODES, np.float32)
    codes[:CELLS] = cells_of(signature).ravel() * np.float32(1 / LEVEL_UNITS)
    codes[STRUCTURE:ACUTANCE] = np.log2(tiles.structure.ravel() + 1.0) * STRUCTURE_UNITS
    known = tiles.acutance > ACUTANCE_LEAST  # nan is not
    edges = np.where(known, np.log2(np.where(known, tiles.acutance, 1.0) / ACUTANCE_LEAST) * ACUTANCE_UNITS, 0.0)
    codes[ACUTANCE:COLOUR_U] = edges.ravel()
    codes[COLOUR_U:COLOUR_V], codes[COLOUR_V:SEASON] = tiles.u.ravel() + COLOUR_ZERO, tiles.v.ravel() + COLOUR_ZERO
    codes[SEASON:SEASON_ACUTANCE] = codes[STRUCTURE:ACUTANCE]
    codes[SEASON_ACUTANCE:] = ((edges[0] + edges[1]) / np.maximum(1, known.sum(axis=0))).ravel()
    return codes.clip(0.0, 255.0)


def means_of(signature: bytes) -> bytes:
    """What engine.judge.features.look_of gives as means: of tiles, in 1/LEVEL_UNITS, rounded down."""
    cells = cells_of(signature).astype(np.uint32)
    means: npt.NDArray[np.uint32] = cells.reshape(ROWS, 2, COLUMNS, 2).sum(axis=(1, 3)) // 4
    return means.astype("<u2").tobytes()


def moved(means: bytes, before: bytes, tolerance: float) -> Motion:
    """What engine.judge.features.look_of says of what moved."""
    now, past = (np.frombuffer(one, "<u2").astype(np.float64) for one in (means, before))
    lit = (now > LEVEL_MIN * LEVEL_UNITS) & (now < LEVEL_MAX * LEVEL_UNITS)
    if not before or not lit.any():
        return Motion(0, 0.0, 0.0, 0.0, 0)
    apart = np.sort(np.abs(now - past)[lit]) / LEVEL_UNITS
    return Motion(
        able=apart.size,
        middle=float(apart[apart.size // 2]),
        three_quarters=float(apart[int(QUARTILE * (apart.size - 1))]),
        nearly_all=float(apart[int(NEARLY_ALL * (apart.size - 1))]),
        steady=int((apart <= tolerance).sum()),
    )


def renew(new: Grid, old: Codes, weight: float, season_weight: float, phase: float) -> Codes:
    """What engine.judge.baseline_update makes of a baseline's codes and a look's."""
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
class Difference:
    """What engine.judge.compare.Change has, by the same names; ranks of octaves are nan where Change has None."""

    match: float
    spread: float
    contrast: float
    veil: float
    sharpness: float
    sidedness: float
    season: float
    structure: float
    structure_top: float
    told_share: float
    hidden_share: float
    cast: float
    light: float
    masks: Mask
    highs: Grid


def compare(now: Grid, packed: bytes) -> Difference:
    """What engine.judge.compare.compare gives."""
    usual = np.frombuffer(packed, np.uint8).astype(np.float32)
    cells, usual_cells = (one[:CELLS].reshape(_HIGH, _WIDE) for one in (now, usual))
    high, usual_high = highpass(cells), highpass(usual_cells)
    power = _windows(usual_high**2)
    left = (_windows(high * usual_high) / (power + np.float32(FLOOR))).astype(np.float32)
    able = usual[STRUCTURE:ACUTANCE] >= STRUCTURED
    fallen = (now - usual)[STRUCTURE:ACUTANCE][able]
    told = fallen.size >= EDGES_MIN
    contrast = rank(left[able] if told else left, QUARTER)
    lifted = rank((cells - np.float32(contrast) * usual_cells)[::2, ::2].ravel(), HALF)
    veil = math.log2(1.0 + max(0.0, lifted) / (max(contrast, 0.05) * AIR_LEVEL)) if contrast > 0 else 0.0
    hidden, telling = _hidden(now, usual, left, power >= 16 * MARKED_LEVELS**2, contrast)
    along, across = (_steeper(now, usual, begin) for begin in (ACUTANCE, ACUTANCE + TILES))
    both = (high * usual_high).sum()
    return Difference(
        match=float(both / (math.sqrt((high**2).sum() * (usual_high**2).sum()) + FLOOR)),
        spread=math.sqrt((high**2).sum() / ((usual_high**2).sum() + FLOOR)),
        contrast=contrast,
        veil=veil,
        sharpness=2.0 ** float(np.fmin(along, across)),
        sidedness=0.0 if math.isnan(along + across) else abs(along - across),
        season=2.0 ** _steeper(now, usual, SEASON_ACUTANCE),
        structure=rank(fallen, HALF) / STRUCTURE_UNITS if told else math.nan,
        structure_top=rank(fallen, TOP) / STRUCTURE_UNITS if told else math.nan,
        told_share=int((telling & able).sum()) / max(ABLE_MIN, fallen.size),
        hidden_share=float(hidden.mean()),
        cast=math.hypot(
            rank((now - usual)[COLOUR_U:COLOUR_V], HALF),
            rank((now - usual)[COLOUR_V:SEASON], HALF),
        ),
        light=_light(_tiles(cells), _tiles(usual_cells)),
        masks=np.stack((hidden, telling)),
        highs=np.stack((high.ravel(), usual_high.ravel())),
    )


def highpass(cells: Grid) -> Grid:
    """Cells without the mean of up to REACH neighbours on each side, bounded; shape (2 * ROWS, 2 * COLUMNS)."""
    out: Grid = (cells - _smoother(_HIGH) @ cells @ _smoother(_WIDE).T).clip(-HIGH_MAX, HIGH_MAX).astype(np.float32)
    return out


def _smoother(length: int) -> Grid:
    apart = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    near = (apart <= REACH).astype(np.float32)
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float32)


def _windows(cells: Grid) -> Grid:
    """Sums over the cells of a tile and one more on either side, flat."""
    sides = []
    for tiles in (ROWS, COLUMNS):
        cell, tile = np.arange(2 * tiles)[None, :], np.arange(tiles)[:, None]
        sides.append(((cell >= 2 * tile - 1) & (cell <= 2 * tile + 2)).astype(np.float32))
    return np.asarray(sides[0] @ cells @ sides[1].T, np.float32).ravel()


def _tiles(cells: Grid) -> Grid:
    tiles: Grid = cells.reshape(ROWS, 2, COLUMNS, 2).mean(axis=(1, 3)).ravel()
    return tiles


def _steeper(now: Grid, usual: Grid, begin: int) -> float:
    """Octaves by which edges are steeper in the middle tile; nan where too few tiles have edges then and now."""
    here, there = now[begin : begin + TILES], usual[begin : begin + TILES]
    rises = (here - there)[(here > 0) & (there > 0)]
    return rank(rises, HALF) / ACUTANCE_UNITS if rises.size >= EDGES_MIN else math.nan


def _light(level: Grid, usual_level: Grid) -> float:
    lit = (usual_level >= BLACK_LEVELS) & (usual_level < WHITE_LEVELS)
    if np.count_nonzero(lit) < EDGES_MIN:
        return float(level.mean() / (usual_level.mean() + DARK_LEVELS))
    return rank(((level + DARK_LEVELS) / (usual_level + DARK_LEVELS))[lit], TOP)


def _hidden(now: Grid, usual: Grid, left: Grid, marked: Mask, contrast: float) -> tuple[Mask, Mask]:
    structure, usual_structure = now[STRUCTURE:ACUTANCE], usual[STRUCTURE:ACUTANCE]
    structured = usual_structure >= plain_below(rank(usual_structure, FIFTH))
    everywhere = contrast < LEFT_MIN
    gone = left < (KEPT_MAX if everywhere else KEPT_MAX * min(1.0, contrast))
    nowhere = np.zeros(TILES, np.bool_)
    if not everywhere and not ((structured | marked) & gone).any():
        return nowhere, nowhere
    rise = structure - usual_structure
    kept = rise[structured & ~gone]
    least = 0.0 if everywhere or kept.size < EDGES_MIN else min(0.0, rank(kept, TOP))
    plain_now = structure < plain_below(rank(structure, FIFTH))
    lost = (rise < least - LOST_OCTAVES * STRUCTURE_UNITS) | (
        plain_now & (rise < least - FELL_OCTAVES * STRUCTURE_UNITS)
    )
    plain = _off(now, usual, ~gone) & (rise < RISEN_OCTAVES * STRUCTURE_UNITS)
    tell = (structured & lost & (gone | everywhere)) | (marked & gone & plain)
    return (tell | (plain & ~structured), tell) if tell.any() else (nowhere, nowhere)


def _off(now: Grid, usual: Grid, kept: Mask) -> Mask:
    level, usual_level = (_tiles(one[:CELLS].reshape(_HIGH, _WIDE)) for one in (now, usual))
    share = level / (usual_level + DARK_LEVELS)
    known = kept if np.count_nonzero(kept) >= KEPT_TILES_MIN else np.ones(TILES, np.bool_)
    off: Mask = (
        np.abs(share - rank(share[known], HALF)) * np.minimum(usual_level + DARK_LEVELS, PLAIN_LIT) > PLAIN_LEVELS
    )
    for begin in (COLOUR_U, COLOUR_V):
        shift = (now - usual)[begin : begin + TILES]
        off |= np.abs(shift - rank(shift[known], HALF)) > PLAIN_COLOUR
    return off
