"""From sums to figures: levels of a full-range 8-bit scale, per picture and per tile. Pure."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.kernels import chroma, edges, luma, pattern, summary
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, tile_edges
from engine.kernels.plane import UNITS_PER_LEVEL, analysis_plane
from engine.kernels.summary import TILES
from engine.types import Picture

Grid = npt.NDArray[np.float64]

_LIMITED_BLACK, _LIMITED_SPAN = 16.0, 219.0
_LAPLACIAN_NOISE = 20.0
"""How much of a white noise's variance the Laplacian passes on (the sum of its squared weights)."""
_STEP_NOISE = 0.5
"""What noise adds to the steepest step of an edge, in deviations: the largest of three neighbours is taken."""
EDGE_LEVELS_MIN, EDGE_NOISE_MIN = 12.0, 6.0
"""An edge rises at least that many levels, and that many times the noise."""
PERCENTILES = tuple(round(100 * share) for share in summary.SHARES)
_LIGHT_NAMES = (
    "luma_mean", "luma_std", "luma_min", "luma_max", "clipped_dark_share", "clipped_bright_share",
    *(f"luma_p{share}" for share in PERCENTILES),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TileFigures:
    """Per tile, float64, flat and row-major but for `cells` and edges.

    `cells`: mean level of each cell, shape (CELL_ROWS, CELL_COLUMNS); `luma`: of each tile. `gradient`: mean square of
    Sobel's slope in levels^2 with `grain`, which is noise, taken out. `edges`, `steps`, `heights`, shape (2, TILE_ROWS,
    TILE_COLUMNS): edges that x and y cross, the sums of their steepest steps, noise taken out, and of their heights, in
    levels. `u`, `v`: mean colour around neutral, 0 for grey.
    """

    cells: Grid
    luma: Grid
    gradient: Grid
    grain: Grid
    edges: npt.NDArray[np.int64]
    steps: Grid
    heights: Grid
    u: Grid
    v: Grid


@dataclass(frozen=True, slots=True)
class Figures:
    """All raw figures of one picture: `named` for the record, `tiles` for what comes next."""

    named: dict[str, float]
    tiles: TileFigures


def figures(picture: Picture) -> Figures:
    """Measure a picture: one pass to the analysis plane, two over it, a cheap one over chroma."""
    plane = analysis_plane(picture)
    sums = luma.measure(plane)
    gain = 1.0 if picture.full_range else 255.0 / _LIMITED_SPAN
    black = 0.0 if picture.full_range else _LIMITED_BLACK
    scale = gain / UNITS_PER_LEVEL
    cells = np.clip(sums.cells * (scale / _cell_samples(*plane.shape)) - black * gain, 0.0, 255.0)
    noise, raw, grain, levels = np.empty((4, TILES))
    floor = summary.tile_noise(sums.tiles, scale, noise)
    summary.tile_gradient(sums.tiles, noise, floor, scale, raw, grain)
    spread = summary.tile_luma(cells, levels)
    found = edges.measure(plane, max(EDGE_LEVELS_MIN, EDGE_NOISE_MIN * floor) / scale)
    u, v, named = _colour(picture)
    named |= _light(sums.bins, gain, black)
    named |= _detail(sums, scale)
    named["noise_floor"] = floor
    named["tile_luma_std"] = spread
    named["flat_share"] = summary.flat_share(raw, levels)
    named["row_pattern"] = pattern.strength(sums.rows, plane.shape[1]) * scale
    named["column_pattern"] = pattern.strength(sums.columns, plane.shape[0]) * scale
    tiles = TileFigures(
        cells=cells,
        luma=levels,
        gradient=_less(raw, grain),
        grain=grain,
        edges=found.counts,
        steps=_less(_levels(found.steps, scale), _levels(found.counts, _STEP_NOISE * floor)),
        heights=_levels(found.heights, scale),
        u=u,
        v=v,
    )
    return Figures(named, tiles)


def _levels(sums: npt.NDArray[np.int64], scale: float) -> Grid:
    levels: Grid = sums * np.float64(scale)
    return levels


def _less(energy: Grid, noise: Grid) -> Grid:
    return np.maximum(energy - noise, 0.0)


@lru_cache(maxsize=64)
def _cell_samples(rows: int, columns: int) -> Grid:
    tall, wide = np.diff(tile_edges(rows, CELL_ROWS)), np.diff(tile_edges(columns, CELL_COLUMNS))
    return np.outer(tall, wide).astype(np.float64)


def _light(bins: npt.NDArray[np.int64], gain: float, black: float) -> dict[str, float]:
    found = np.empty(len(_LIGHT_NAMES))
    summary.light(bins, gain, black, found)
    return dict(zip(_LIGHT_NAMES, found.tolist(), strict=True))


def _detail(sums: luma.LumaSums, scale: float) -> dict[str, float]:
    count, sobel, laplacian, noise = sums.tiles.reshape(luma.PLANES, -1).sum(axis=1).tolist()
    energy, sigma = laplacian / count * scale**2, noise / count * scale * summary.IMMERKAER
    slope, magnitude = sobel / count * scale**2, sums.magnitude / count * scale
    return {
        "laplacian_energy": energy,
        "laplacian_corrected": energy - _LAPLACIAN_NOISE * sigma**2,
        "gradient_energy": slope / summary.SOBEL_GAIN**2,
        "spatial_information": math.sqrt(max(slope - magnitude**2, 0.0)),
        "noise_sigma": sigma,
    }


def _colour(picture: Picture) -> tuple[Grid, Grid, dict[str, float]]:
    u, v = np.zeros((2, TILES))
    if picture.chroma is None:
        return u, v, {}
    unit = 2.0 ** (picture.bit_depth - 8)
    gain = 1.0 if picture.full_range else 255.0 / 224.0
    means: list[float] = []
    spread = 0.0
    for plane, tiles in zip(picture.chroma, (u, v), strict=True):
        sums = chroma.measure(plane)
        mean = summary.colour(sums.samples, sums.totals, unit, gain, tiles)
        means.append((mean / unit - 128.0) * gain)
        spread += (sums.squares / sums.count - mean**2) / unit**2 * gain**2
    named = {"chroma_u_mean": means[0], "chroma_v_mean": means[1], "chroma_std": math.sqrt(max(spread, 0.0))}
    return u, v, named
