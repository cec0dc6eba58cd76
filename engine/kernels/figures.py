"""From sums to figures: levels of a full-range 8-bit scale, per picture and per tile. NumPy on 144 tiles. Pure."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.kernels import chroma, luma
from engine.types import Picture

Grid = npt.NDArray[np.float64]

_LEVELS_PER_BIN = 0.25
_LIMITED_BLACK, _LIMITED_SPAN = 16.0, 219.0
_SOBEL_GAIN = 8.0
"""A slope of one level a sample reads as 8 in Sobel's sums."""
_SOBEL_NOISE = 12.0 / 64.0
_SECOND_NOISE = 6.0
_CENTRAL_NOISE = 2.0
_LAPLACIAN_NOISE = 20.0
"""How much of a white noise's variance each operator passes on (the sum of its squared weights)."""
_IMMERKAER = float(np.sqrt(np.pi / 2) / 6)
_NOISE_TRUSTED = 2.0
"""Up to that many times the floor a tile's own noise is taken for noise; what is beyond it is fine texture."""
_NOISE_MAX = 6.0
"""A sensor's noise stays below that in levels at the analysis scale; fur, leaves and gravel read higher."""
_NOISE_QUANTILE = 0.25
"""Texture reads as noise in Immerkaer's measure; the calmer tiles tell the picture's noise."""
CLIPPED_LOW, CLIPPED_HIGH = 2.0, 253.0
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_SHARES = np.array(PERCENTILES) / 100
_PERCENTILE_NAMES = tuple(f"luma_p{share}" for share in PERCENTILES)


@dataclass(frozen=True, slots=True)
class TileFigures:
    """Per tile, shape (TILE_ROWS, TILE_COLUMNS), float64. Energies are mean squares in levels^2, noise taken out.

    `second`, `central`: energy of the two differences along x and along y, shape (2, TILE_ROWS, TILE_COLUMNS).
    `grain`: what noise was taken out of `gradient`. `noise`: Immerkaer's, in levels.
    """

    luma: Grid
    gradient: Grid
    grain: Grid
    second: Grid
    central: Grid
    noise: Grid


@dataclass(frozen=True, slots=True)
class Figures:
    """All raw figures of one picture: `named` for the record, `tiles` for what comes next."""

    named: dict[str, float]
    tiles: TileFigures


def figures(picture: Picture) -> Figures:
    """Measure a picture: one pass over luma, a cheap one over chroma."""
    sums = luma.measure(picture)
    gain = 1.0 if picture.full_range else 255.0 / _LIMITED_SPAN
    tiles = _tiles(sums.sums, gain, 0.0 if picture.full_range else _LIMITED_BLACK)
    named = _light(sums.bins, gain, 0.0 if picture.full_range else _LIMITED_BLACK)
    named |= _detail(sums, gain, tiles)
    if picture.chroma is not None:
        named |= _colour(picture)
    return Figures(named, tiles)


def _tiles(sums: npt.NDArray[np.int64], gain: float, black: float) -> TileFigures:
    scale = gain * _LEVELS_PER_BIN
    mean = sums[1:] / sums[0]
    along = mean[luma.SECOND - 1 :] * scale**2
    noise = mean[luma.NOISE - 1] * (scale * _IMMERKAER)
    own = np.minimum(noise, _NOISE_MAX) ** 2
    trusted = np.minimum(own, (_NOISE_TRUSTED * quantile(noise, _NOISE_QUANTILE)) ** 2)
    grain = 2 * _SOBEL_NOISE * trusted
    sobel = mean[luma.SOBEL - 1] * (scale / _SOBEL_GAIN) ** 2
    return TileFigures(
        luma=np.clip((mean[luma.VALUE - 1] * _LEVELS_PER_BIN - black) * gain, 0.0, 255.0),
        gradient=_less(sobel, grain),
        grain=grain,
        second=_less(along[:2], _SECOND_NOISE * own),
        central=_less(along[2:], _CENTRAL_NOISE * own),
        noise=noise,
    )


def quantile(values: Grid, share: float) -> float:
    """The value below which `share` of the tiles lie, the lower of two neighbours; np.quantile costs ten times that."""
    rank = int(share * (values.size - 1))
    return float(np.partition(values, rank, axis=None)[rank])


def _less(energy: Grid, noise: Grid) -> Grid:
    return np.maximum(energy - noise, 0.0)


@dataclass(frozen=True, slots=True)
class _Levels:
    """What each bin of the histogram means: its level, the square of it, and where clipping ends and begins."""

    value: Grid
    square: Grid
    dark: int
    bright: int


@lru_cache(maxsize=4)
def _levels(gain: float, black: float) -> _Levels:
    value = np.clip((np.arange(luma.BINS) * _LEVELS_PER_BIN - black) * gain, 0.0, 255.0)
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


def _detail(sums: luma.LumaSums, gain: float, tiles: TileFigures) -> dict[str, float]:
    whole = sums.sums.reshape(luma.PLANES, -1).sum(axis=1).tolist()
    count, scale = whole[0], gain * _LEVELS_PER_BIN
    laplacian = whole[luma.LAPLACIAN] / count * scale**2
    noise = whole[luma.NOISE] / count * scale * _IMMERKAER
    sobel = whole[luma.SOBEL] / count * scale**2
    magnitude = sums.magnitude / count * scale
    return {
        "laplacian_energy": laplacian,
        "laplacian_corrected": laplacian - _LAPLACIAN_NOISE * noise**2,
        "gradient_energy": sobel / _SOBEL_GAIN**2,
        "spatial_information": math.sqrt(max(sobel - magnitude**2, 0.0)),
        "noise_sigma": noise,
        "noise_floor": quantile(tiles.noise, _NOISE_QUANTILE),
        "tile_luma_std": float(tiles.luma.std()),
    }


def _colour(picture: Picture) -> dict[str, float]:
    assert picture.chroma is not None  # noqa: S101 (the caller asked)
    u, v = (chroma.measure(plane) for plane in picture.chroma)
    unit = 2.0 ** (picture.bit_depth - 8)
    gain = 1.0 if picture.full_range else 255.0 / 224.0
    u_mean, v_mean = ((one.total / one.samples / unit - 128.0) * gain for one in (u, v))
    spread = sum((one.squares / one.samples - (one.total / one.samples) ** 2) / unit**2 for one in (u, v)) * gain**2
    return {"chroma_u_mean": u_mean, "chroma_v_mean": v_mean, "chroma_std": math.sqrt(max(spread, 0.0))}
