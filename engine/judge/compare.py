"""How a picture differs from what its camera usually shows. Pure.

The thumbnail of cells tells whether the scene is the same, whatever its sharpness: what is left of it when the mean of
the neighbourhood is taken out is correlated with that of the baseline. Dirt, steam and a lens out of focus leave the
correlation high; what covers the lens, or another view, leaves nothing of it. How much contrast is left and how far
black is lifted tells a veil; how steep edges are against their own usual steepness tells a blur.
"""

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
STRUCTURED = np.log2(1.0 + 4.0) * STRUCTURE_UNITS
"""A tile usually has structure from a gradient energy of 4 levels^2 on."""
LOST_OCTAVES = 1.5
"""A tile lost its structure if it fell so much further than the least affected ones."""
KEPT_MAX = 0.35
"""Of the contrast of a covered place no more than that is left, against what is left elsewhere."""
LEFT_MIN = 0.25
"""Contrast left in the best places below which the scene is gone."""
PLAIN_LEVELS, PLAIN_COLOUR = 22.0, 12.0
"""A plain tile is hidden if its light or its colour is off by more than that, in levels."""
_FLOOR = 4.0
_QUARTER, _TOP = 0.75, 0.85


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

    `match`: correlation with the usual scene, -1..1. `contrast`: of the usual contrast, what is left. `veil`: octaves
    of contrast that added light takes; 0 where black is as black as ever. `sharpness`: steepness of edges against their
    usual one, of the weaker direction, 1 is as ever; None where too few tiles have edges. `sidedness`: octaves by which
    the directions differ in it. `season`: the same against the season's memory, both directions together. `structure`:
    octaves of gradient energy that the middle tile of those that have any gained, `structure_top` the least affected
    ones; None where few have. `hidden`: tiles where the scene is gone, flat; `hidden_structured`: those of them that
    usually have structure. `cast`: shift of colour in the middle tile, levels.
    """

    match: float
    contrast: float
    veil: float
    sharpness: float | None
    sidedness: float
    season: float | None
    structure: float | None
    structure_top: float | None
    hidden: Mask
    hidden_structured: int
    cast: float


def highpass(cells: Grid) -> Grid:
    """Cells without the mean of their neighbourhood, bounded; shape (2 * ROWS, 2 * COLUMNS)."""
    out = cells - _DOWN @ cells @ _ACROSS
    return np.clip(out, -HIGH_MAX, HIGH_MAX).astype(np.float32, copy=False)


def cells_of(codes: npt.NDArray[np.float32] | npt.NDArray[np.uint8]) -> Grid:
    """The thumbnail in codes of a look or a baseline."""
    return codes[LAYOUT["cells"]].reshape(2 * ROWS, 2 * COLUMNS).astype(np.float32, copy=False)


def compare(look: Look, baseline: Baseline) -> Change:
    """What changed between a baseline that has seen something and a look."""
    now, usual = look.codes, baseline.codes
    cells, usual_cells = cells_of(now), cells_of(usual)
    high, usual_high = highpass(cells), highpass(usual_cells)
    product, power = high * usual_high, usual_high * usual_high
    match = float(product.sum()) / float(np.sqrt((high * high).sum() * power.sum()) + _FLOOR)
    window = _TALL @ power @ _WIDE
    left = (_TALL @ product @ _WIDE / (window + _FLOOR)).ravel()
    octaves = (now[LAYOUT["structure"]] - usual[LAYOUT["structure"]]) / STRUCTURE_UNITS
    structured = usual[LAYOUT["structure"]] >= STRUCTURED
    count = int(np.count_nonzero(structured))
    contrast = _rank(left[structured] if count >= EDGES_MIN else left, _QUARTER)
    lifted = _rank((cells - contrast * usual_cells).ravel(), 0.5) if contrast > 0 else 0.0
    veil = float(np.log2(1.0 + max(0.0, lifted) / (max(contrast, 0.05) * AIR_LEVEL)))
    fallen = octaves[structured]
    top = _rank(fallen, _TOP) if count >= EDGES_MIN else None
    hidden = _hidden(now, usual, left, octaves, structured, contrast, top)
    edges, usual_edges = now[LAYOUT["acutance"]], usual[LAYOUT["acutance"]]
    season_edges = usual[LAYOUT["season_acutance"]]
    directions = (slice(0, TILES), slice(TILES, 2 * TILES))
    steeper = [rise for one in directions if (rise := _steeper(edges[one], usual_edges[one])) is not None]
    return Change(
        match=match,
        contrast=contrast,
        veil=veil,
        sharpness=2.0 ** min(steeper) if steeper else None,
        sidedness=abs(steeper[0] - steeper[1]) if len(steeper) == 2 else 0.0,
        season=_ratio(now[LAYOUT["season_acutance"]], season_edges),
        structure=_rank(fallen, 0.5) if count >= EDGES_MIN else None,
        structure_top=top,
        hidden=hidden,
        hidden_structured=int(np.count_nonzero(hidden & structured)),
        cast=_cast(now, usual),
    )


def _hidden(
    now: Grid, usual: npt.NDArray[np.uint8], left: Grid, octaves: Grid, structured: Mask, contrast: float,
    top: float | None,
) -> Mask:  # fmt: skip
    if contrast < LEFT_MIN:
        gone = np.ones(TILES, np.bool_)
        fell = octaves < -LOST_OCTAVES
    else:
        gone = left < KEPT_MAX * min(1.0, contrast)
        fell = octaves < min(0.0, top or 0.0) - LOST_OCTAVES
    level, usual_level = _tiles(cells_of(now)), _tiles(cells_of(usual))
    scale = _rank(level / (usual_level + 8.0), 0.5)
    off = np.abs(level - scale * (usual_level + 8.0)) > PLAIN_LEVELS
    for name in ("u", "v"):
        shift = now[LAYOUT[name]] - usual[LAYOUT[name]]
        off |= np.abs(shift - _rank(shift, 0.5)) > PLAIN_COLOUR
    return np.where(structured, gone & fell, off & (octaves < 1.0))


def _tiles(cells: Grid) -> Grid:
    tiles: Grid = 0.25 * (cells[::2, ::2] + cells[::2, 1::2] + cells[1::2, ::2] + cells[1::2, 1::2])
    return tiles.ravel()


def _steeper(now: Grid, usual: npt.NDArray[np.uint8]) -> float | None:
    """Octaves by which edges are steeper in the middle tile; None where too few tiles have edges then and now."""
    both = (now > 0) & (usual > 0)
    if np.count_nonzero(both) < EDGES_MIN:
        return None
    return _rank(now[both] - usual[both], 0.5) / ACUTANCE_UNITS


def _ratio(now: Grid, usual: npt.NDArray[np.uint8]) -> float | None:
    octaves = _steeper(now, usual)
    return None if octaves is None else 2.0**octaves


def _cast(now: Grid, usual: npt.NDArray[np.uint8]) -> float:
    u = _rank(now[LAYOUT["u"]] - usual[LAYOUT["u"]], 0.5)
    v = _rank(now[LAYOUT["v"]] - usual[LAYOUT["v"]], 0.5)
    return float(np.hypot(u, v))


def _rank(values: Grid, share: float) -> float:
    """The value below which `share` of them lie, the lower of two neighbours."""
    rank = int(share * (values.size - 1))
    return float(np.partition(values, rank)[rank])
