"""From sums to figures: levels of a full-range 8-bit scale, per picture and per tile. NumPy on 144 tiles. Pure."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.kernels import chroma, edges, luma, pattern
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, TILE_COLUMNS, TILE_ROWS, tile_edges
from engine.kernels.plane import UNITS_PER_LEVEL, analysis_plane
from engine.types import Picture

Grid = npt.NDArray[np.float64]

_LIMITED_BLACK, _LIMITED_SPAN = 16.0, 219.0
_SOBEL_GAIN = 8.0
"""A slope of one level a sample reads as 8 in Sobel's sums."""
_SOBEL_NOISE = 12.0 / 64.0
_LAPLACIAN_NOISE = 20.0
"""How much of a white noise's variance each operator passes on (the sum of its squared weights)."""
_IMMERKAER = float(np.sqrt(np.pi / 2) / 6)
_NOISE_TRUSTED = 2.0
"""Up to that many times the floor a tile's own noise is taken for noise; what is beyond it is fine texture."""
_NOISE_MAX = 6.0
"""A sensor's noise stays below that in levels at the analysis scale; fur, leaves and gravel read higher."""
_NOISE_QUANTILE = 0.25
"""Texture reads as noise in Immerkaer's measure; the calmer tiles tell the picture's noise."""
_STEP_NOISE = 0.5
"""What noise adds to the steepest step of an edge, in deviations: the largest of three neighbours is taken."""
EDGE_LEVELS_MIN, EDGE_NOISE_MIN = 12.0, 6.0
"""An edge rises at least that many levels, and that many times the noise."""
CLIPPED_LOW, CLIPPED_HIGH = 2.0, 253.0
FLAT_MAX = 0.01
"""Gradient energy (levels^2, noise left in) below which a tile was never seen by a sensor."""
_LIT_MAX = 250.0
"""A tile that is brighter is burnt out, and flat for that."""
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_SHARES = np.array(PERCENTILES) / 100
_PERCENTILE_NAMES = tuple(f"luma_p{share}" for share in PERCENTILES)


@dataclass(frozen=True, slots=True)
class TileFigures:
    """Per tile, shape (TILE_ROWS, TILE_COLUMNS), float64.

    `cells`: mean level of each cell, shape (CELL_ROWS, CELL_COLUMNS). `gradient`: mean square of Sobel's slope in
    levels^2 with `grain`, which is noise, taken out. `noise`: Immerkaer's, in levels. `edges`, `steps`, `heights`,
    shape (2, TILE_ROWS, TILE_COLUMNS): edges that x and y cross, the sums of their steepest steps, noise taken out,
    and of their heights, in levels. `u`, `v`: mean colour around neutral, 0 for grey.
    """

    cells: Grid
    gradient: Grid
    grain: Grid
    noise: Grid
    edges: npt.NDArray[np.int64]
    steps: Grid
    heights: Grid
    u: Grid
    v: Grid

    @property
    def luma(self) -> Grid:
        """Mean level of each tile."""
        cells = self.cells
        return 0.25 * (cells[::2, ::2] + cells[::2, 1::2] + cells[1::2, ::2] + cells[1::2, 1::2])


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
    scale = float(gain / UNITS_PER_LEVEL)
    noise = sums.tiles[luma.NOISE] / sums.tiles[0] * (scale * _IMMERKAER)
    floor = quantile(noise, _NOISE_QUANTILE)
    found = edges.measure(plane, max(EDGE_LEVELS_MIN, EDGE_NOISE_MIN * floor) / scale)
    grain = 2 * _SOBEL_NOISE * np.minimum(np.minimum(noise, _NOISE_MAX), _NOISE_TRUSTED * floor) ** 2
    sobel = sums.tiles[luma.SOBEL] / sums.tiles[0] * (scale / _SOBEL_GAIN) ** 2
    u, v, named = _colour(picture)
    tiles = TileFigures(
        cells=np.clip((sums.cells / _cell_samples(*plane.shape) / UNITS_PER_LEVEL - black) * gain, 0.0, 255.0),
        gradient=_less(sobel, grain),
        grain=grain,
        noise=noise,
        edges=found.counts,
        steps=_less(found.steps.astype(np.float64) * scale, found.counts.astype(np.float64) * (_STEP_NOISE * floor)),
        heights=found.heights.astype(np.float64) * scale,
        u=u,
        v=v,
    )
    named |= _light(sums.bins, gain, black)
    named |= _detail(sums, scale)
    named["noise_floor"] = floor
    named["flat_share"] = float(((sobel < FLAT_MAX) & (tiles.luma < _LIT_MAX)).mean())
    named["tile_luma_std"] = float(tiles.luma.std())
    named["row_pattern"] = pattern.strength(sums.rows, plane.shape[1]) * scale
    named["column_pattern"] = pattern.strength(np.ascontiguousarray(sums.columns.T), plane.shape[0]) * scale
    return Figures(named, tiles)


def quantile(values: Grid, share: float) -> float:
    """The value below which `share` of the tiles lie, the lower of two neighbours; np.quantile costs ten times that."""
    rank = int(share * (values.size - 1))
    return float(np.partition(values, rank, axis=None)[rank])


def _less(energy: Grid, noise: Grid) -> Grid:
    return np.maximum(energy - noise, 0.0)


@lru_cache(maxsize=64)
def _cell_samples(rows: int, columns: int) -> Grid:

    return np.outer(np.diff(tile_edges(rows, CELL_ROWS)), np.diff(tile_edges(columns, CELL_COLUMNS))).astype(float)


@dataclass(frozen=True, slots=True)
class _Levels:
    """What each bin of the histogram means: its level, the square of it, and where clipping ends and begins."""

    value: Grid
    square: Grid
    dark: int
    bright: int


@lru_cache(maxsize=4)
def _levels(gain: float, black: float) -> _Levels:
    value = np.clip((np.arange(luma.BINS) / UNITS_PER_LEVEL - black) * gain, 0.0, 255.0)
    dark, bright = np.searchsorted(value, CLIPPED_LOW, "right") - 1, np.searchsorted(value, CLIPPED_HIGH) - 1
    return _Levels(value, value**2, int(dark), int(bright))


def _light(bins: npt.NDArray[np.int64], gain: float, black: float) -> dict[str, float]:
    levels = _levels(gain, black)
    below = bins.cumsum()
    total = int(below[-1])
    counts = bins.astype(np.float64)
    mean = float(counts @ levels.value) / total
    ranks = below.searchsorted(_SHARES * total)
    named = {name: float(levels.value[rank]) for name, rank in zip(_PERCENTILE_NAMES, ranks, strict=True)}
    present = bins.nonzero()[0]
    named |= {
        "luma_mean": mean,
        "luma_std": math.sqrt(max(float(counts @ levels.square) / total - mean**2, 0.0)),
        "luma_min": float(levels.value[present[0]]),
        "luma_max": float(levels.value[present[-1]]),
        "clipped_dark_share": int(below[levels.dark]) / total,
        "clipped_bright_share": 1.0 - int(below[levels.bright]) / total,
    }
    return named


def _detail(sums: luma.LumaSums, scale: float) -> dict[str, float]:
    count, sobel, laplacian, noise = sums.tiles.reshape(luma.PLANES, -1).sum(axis=1).tolist()
    energy, sigma = laplacian / count * scale**2, noise / count * scale * _IMMERKAER
    slope, magnitude = sobel / count * scale**2, sums.magnitude / count * scale
    return {
        "laplacian_energy": energy,
        "laplacian_corrected": energy - _LAPLACIAN_NOISE * sigma**2,
        "gradient_energy": slope / _SOBEL_GAIN**2,
        "spatial_information": math.sqrt(max(slope - magnitude**2, 0.0)),
        "noise_sigma": sigma,
    }


def _colour(picture: Picture) -> tuple[Grid, Grid, dict[str, float]]:
    if picture.chroma is None:
        grey = np.zeros((TILE_ROWS, TILE_COLUMNS))
        return grey, grey, {}
    unit = 2.0 ** (picture.bit_depth - 8)
    gain = 1.0 if picture.full_range else 255.0 / 224.0
    tiles: list[Grid] = []
    means: list[float] = []
    spread = 0.0
    for plane in picture.chroma:
        sums = chroma.measure(plane)
        tiles.append((sums.totals / sums.samples / unit - 128.0) * gain)
        count, total = int(sums.samples.sum()), int(sums.totals.sum())
        means.append((total / count / unit - 128.0) * gain)
        spread += (sums.squares / count - (total / count) ** 2) / unit**2 * gain**2
    named = {"chroma_u_mean": means[0], "chroma_v_mean": means[1], "chroma_std": math.sqrt(max(spread, 0.0))}
    return tiles[0], tiles[1], named
