"""How a picture differs from what its camera usually shows. Pure.

The thumbnail of cells tells whether the scene is the same, whatever its sharpness: what is left of it when the mean of
the neighbourhood is taken out is correlated with that of the baseline. Dirt, steam and a lens out of focus leave the
correlation high; what covers the lens, or another view, leaves nothing of it. How much contrast is left and how far
black is lifted tells a veil; how steep edges are against their own usual steepness tells a blur.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.judge.baseline import (
    ACUTANCE_UNITS,
    COLUMNS,
    LAYOUT,
    ROWS,
    STRUCTURE_UNITS,
    TILES,
    Baseline,
    Look,
)

Grid = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

AIR_LEVEL = 160.0
"""Light that a veil adds where it is thick, in levels."""
HIGH_MAX = 40.0
"""A cell is taken to differ from its neighbourhood by no more: one lamp must not decide."""
EDGES_MIN = 6
"""Fewer tiles with edges, then and now, tell nothing of sharpness in a direction."""
STRUCTURED = math.log2(1.0 + 4.0) * STRUCTURE_UNITS
"""A tile usually has structure from a gradient energy of 4 levels^2 on."""
LOST_OCTAVES = 1.5
"""A tile lost its structure if it fell so much further than the least affected ones ..."""
FELL_OCTAVES = 0.7
"""... or so much, and what is left is what noise leaves."""
KEPT_MAX = 0.35
"""Of the contrast of a covered place no more than that is left, against what is left elsewhere."""
LEFT_MIN = 0.25
"""Contrast left in the best places below which the scene is gone."""
RISEN_OCTAVES = 1.0
"""What covers is too near to be in focus: where structure rose by more, something else came into view."""
NOISE_MAX, ABOVE_NOISE = 3.5, 0.8
"""Octaves of structure that noise and coding leave at most; what a tile must have above it to be more than that."""
MARKED_LEVELS = 4.0
"""A tile shows light and shade if its cells deviate so much from their neighbourhood, in levels."""
KEPT_TILES_MIN = 8
"""Fewer tiles that kept the scene do not tell how the light changed."""
ABLE_MIN = 24
"""Shares of the tiles with structure are of so many at least."""
BLACK_LEVELS, WHITE_LEVELS = 30.0, 225.0
"""Darker and brighter tiles do not tell a gain in light."""
PLAIN_LEVELS, PLAIN_COLOUR = 22.0, 12.0
"""A plain tile is hidden if its light or its colour is off by more than that, in levels ..."""
PLAIN_LIT = 100.0
"""... or in as large a share of its usual light as that is of this level: what lights a white wall changes, too."""
_FLOOR = 4.0
_FIFTH, _QUARTER, _TOP = 0.2, 0.75, 0.85


def _smoother(length: int, reach: int) -> Grid:
    """Means over 2 * reach + 1 neighbours, fewer at the borders; shape (length, length)."""
    apart = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    near = (apart <= reach).astype(np.float32)
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float32)


def _windows(tiles: int) -> Grid:
    """Sums over the cells of a tile and one more on either side; shape (tiles, 2 * tiles)."""
    cell, tile = np.arange(2 * tiles)[None, :], np.arange(tiles)[:, None]
    return ((cell >= 2 * tile - 1) & (cell <= 2 * tile + 2)).astype(np.float32)


_DOWN, _ACROSS = _smoother(2 * ROWS, 2), _smoother(2 * COLUMNS, 2).T.copy()
_TALL, _WIDE = _windows(ROWS), _windows(COLUMNS).T.copy()


@dataclass(frozen=True, slots=True)
class Change:
    """What is different.

    `match`: correlation with the usual scene, -1..1. `spread`: deviation of the cells from their neighbourhood against
    the usual one, wherever they lie. `contrast`: of the usual contrast, what is left. `veil`: octaves of contrast that
    added light takes; 0 where black is as black as ever. `sharpness`: steepness of edges against their
    usual one, of the weaker direction, 1 is as ever; None where too few tiles have edges. `sidedness`: octaves by which
    the directions differ in it. `season`: the same against the season's memory, both directions together. `structure`:
    octaves of gradient energy that the middle tile of those that have any gained, `structure_top` the least affected
    ones; None where few have. `hidden`: tiles where the scene is gone, flat; `telling`: those of them that tell it by
    what they usually show, `told_share` of those with structure. `cast`: shift of colour in the middle tile, levels.
    """

    match: float
    spread: float
    contrast: float
    veil: float
    sharpness: float | None
    sidedness: float
    season: float | None
    structure: float | None
    structure_top: float | None
    hidden: Mask
    telling: Mask
    told_share: float
    cast: float

    @property
    def hidden_share(self) -> float:
        """Of the tiles."""
        return float(np.count_nonzero(self.hidden)) / TILES


def highpass(cells: Grid) -> Grid:
    """Cells without the mean of their neighbourhood, bounded; shape (..., 2 * ROWS, 2 * COLUMNS)."""
    out = np.asarray(cells - _DOWN @ cells @ _ACROSS, np.float32)
    return out.clip(-HIGH_MAX, HIGH_MAX, out=out)


def cells_of(codes: npt.NDArray[np.float32] | npt.NDArray[np.uint8]) -> Grid:
    """The thumbnail in codes of a look or a baseline."""
    return codes[LAYOUT["cells"]].reshape(2 * ROWS, 2 * COLUMNS).astype(np.float32, copy=False)


def match_of(high: Grid, usual_high: Grid) -> float:
    """How well what highpass() left of two thumbnails correlates, -1..1."""
    power, usual_power = float(np.vdot(high, high)), float(np.vdot(usual_high, usual_high))
    return float(np.vdot(high, usual_high)) / (math.sqrt(power * usual_power) + _FLOOR)


def kept_match(high: Grid, usual_high: Grid, hidden: Mask) -> float | None:
    """How well what is not hidden correlates with the usual, in its place; None where less than a quarter is left."""
    left = ~hidden.reshape(ROWS, COLUMNS).repeat(2, axis=0).repeat(2, axis=1)
    return match_of(high[left], usual_high[left]) if 4 * np.count_nonzero(left) >= left.size else None


def light_gain(look: Look, baseline: Baseline) -> float:
    """Light against the usual in the tiles that kept most of it, black and clipped ones left out; 1 is as ever."""
    level, usual_level = _tiles(cells_of(look.codes)), _tiles(cells_of(baseline.codes))
    lit = (usual_level >= BLACK_LEVELS) & (usual_level < WHITE_LEVELS)
    if np.count_nonzero(lit) < EDGES_MIN:
        return float(level.mean() / (usual_level.mean() + 8.0))
    return _rank((level[lit] + 8.0) / (usual_level[lit] + 8.0), _TOP)


def compare(look: Look, baseline: Baseline) -> Change:
    """What changed between a baseline that has seen something and a look."""
    now, usual = look.codes, baseline.codes.astype(np.float32)
    change = now - usual
    thumbnails = np.empty((2, 2 * ROWS, 2 * COLUMNS), np.float32)
    thumbnails[0], thumbnails[1] = cells_of(now), cells_of(usual)
    highs = highpass(thumbnails)
    products = highs * highs[1]
    match = match_of(highs[0], highs[1])
    spread = math.sqrt(float(np.vdot(highs[0], highs[0])) / (float(np.vdot(highs[1], highs[1])) + _FLOOR))
    windows = _TALL @ products @ _WIDE
    left = (windows[0] / (windows[1] + _FLOOR)).ravel()
    rise = change[LAYOUT["structure"]]
    structured = usual[LAYOUT["structure"]] >= STRUCTURED
    fallen = rise[structured]
    told = fallen.size >= EDGES_MIN
    contrast = _rank(left[structured] if told else left.copy(), _QUARTER)
    lifted = _rank(thumbnails[0, ::2, ::2].ravel() - contrast * thumbnails[1, ::2, ::2].ravel(), 0.5)
    veil = math.log2(1.0 + max(0.0, lifted) / (max(contrast, 0.05) * AIR_LEVEL)) if contrast > 0 else 0.0
    top = _rank(fallen, _TOP) / STRUCTURE_UNITS if told else None
    marked = windows[1].ravel() >= 16 * MARKED_LEVELS**2
    hidden, telling = _hidden(thumbnails, now, usual, left, marked, contrast)
    edges = change[LAYOUT["acutance"]]
    both = (now[LAYOUT["acutance"]] > 0) & (usual[LAYOUT["acutance"]] > 0)
    season = (now[LAYOUT["season_acutance"]] > 0) & (usual[LAYOUT["season_acutance"]] > 0)
    along, across = _middle(edges[:TILES][both[:TILES]]), _middle(edges[TILES:][both[TILES:]])
    steeper = [one for one in (along, across) if one is not None]
    softened = _middle(change[LAYOUT["season_acutance"]][season])
    return Change(
        match=match,
        spread=spread,
        contrast=contrast,
        veil=veil,
        sharpness=2.0 ** min(steeper) if steeper else None,
        sidedness=abs(steeper[0] - steeper[1]) if len(steeper) == 2 else 0.0,
        season=None if softened is None else 2.0**softened,
        structure=_rank(fallen, 0.5) / STRUCTURE_UNITS if told else None,
        structure_top=top,
        hidden=hidden,
        telling=telling,
        told_share=int(np.count_nonzero(telling & structured)) / max(ABLE_MIN, int(np.count_nonzero(structured))),
        cast=math.hypot(_rank(change[LAYOUT["u"]].copy(), 0.5), _rank(change[LAYOUT["v"]].copy(), 0.5)),
    )


def _hidden(thumbnails: Grid, now: Grid, usual: Grid, left: Grid, marked: Mask, contrast: float) -> tuple[Mask, Mask]:
    """Tiles where the scene is gone, and those of them that tell it by what they usually show.

    A tile that usually has structure has lost it, or is as plain as noise leaves it. One that usually shows light and
    shade shows them no more, and its mean light or colour is another. A plain one is hidden by light and colour alone,
    and only beside such that tell.
    """
    structure, usual_structure = now[LAYOUT["structure"]], usual[LAYOUT["structure"]]
    structured = usual_structure >= _plain_below(usual_structure)
    everywhere = contrast < LEFT_MIN
    gone = left < (KEPT_MAX if everywhere else KEPT_MAX * min(1.0, contrast))
    if not everywhere and not np.logical_and(structured | marked, gone).any():
        return np.zeros(TILES, np.bool_), np.zeros(TILES, np.bool_)
    rise = structure - usual_structure
    kept = rise[structured & ~gone]
    least = 0.0 if everywhere or kept.size < EDGES_MIN else min(0.0, _rank(kept, _TOP))
    lost = (rise < least - LOST_OCTAVES * STRUCTURE_UNITS) | (
        (structure < _plain_below(structure)) & (rise < least - FELL_OCTAVES * STRUCTURE_UNITS)
    )
    off = _off(thumbnails, now, usual, ~gone)
    plain = rise < RISEN_OCTAVES * STRUCTURE_UNITS
    tell = (structured & lost & (gone | everywhere)) | (marked & gone & off & plain)
    if not tell.any():
        return tell, tell  # light on a plain wall alone hides nothing
    return tell | (off & plain & ~structured), tell


def _plain_below(structure: Grid) -> float:
    """Structure below which a tile shows nothing but what noise and coding leave everywhere."""
    floor = _rank(structure.copy(), _FIFTH)
    return max(STRUCTURED, min(floor, NOISE_MAX * STRUCTURE_UNITS) + ABOVE_NOISE * STRUCTURE_UNITS)


def _off(thumbnails: Grid, now: Grid, usual: Grid, kept: Mask) -> Mask:
    """Tiles whose mean light or colour changed otherwise than that of the tiles that are as ever."""
    level, usual_level = (_tiles(one) for one in thumbnails)
    share = level / (usual_level + 8.0)
    known = kept if np.count_nonzero(kept) >= KEPT_TILES_MIN else np.ones(TILES, np.bool_)
    off: Mask = np.abs(share - _rank(share[known], 0.5)) * np.minimum(usual_level + 8.0, PLAIN_LIT) > PLAIN_LEVELS
    for name in ("u", "v"):
        shift = now[LAYOUT[name]] - usual[LAYOUT[name]]
        off |= np.abs(shift - _rank(shift[known], 0.5)) > PLAIN_COLOUR
    return off


def _tiles(cells: Grid) -> Grid:
    tiles: Grid = 0.25 * (cells[::2, ::2] + cells[::2, 1::2] + cells[1::2, ::2] + cells[1::2, 1::2])
    return tiles.ravel()


def _middle(rises: Grid) -> float | None:
    """Octaves by which edges are steeper in the middle tile; None where too few tiles have edges then and now."""
    return _rank(rises, 0.5) / ACUTANCE_UNITS if rises.size >= EDGES_MIN else None


def _rank(values: Grid, share: float) -> float:
    """The value below which `share` of them lie, the lower of two neighbours. Orders `values` in place."""
    rank = int(share * (values.size - 1))
    values.partition(rank)
    return float(values[rank])
