"""From sums to figures: levels of a full-range 8-bit scale, per picture and per tile. NumPy on 144 tiles. Pure."""

from dataclasses import dataclass

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
_SECOND_DIFFERENCE_NOISE = 6.0
_LAPLACIAN_NOISE = 20.0
"""How much of a white noise's variance each operator passes on (the sum of its squared weights)."""
_IMMERKAER = float(np.sqrt(np.pi / 2) / 6)
_NOISE_QUANTILE = 0.25
"""Texture reads as noise in Immerkaer's measure; the calmer tiles tell the picture's noise."""
CLIPPED_LOW, CLIPPED_HIGH = 2.0, 253.0
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


@dataclass(frozen=True, slots=True)
class TileFigures:
    """Per tile, shape (TILE_ROWS, TILE_COLUMNS), float64. Energies are mean squares in levels^2, noise taken out."""

    luma: Grid
    gradient: Grid
    second_x: Grid
    second_y: Grid
    laplacian: Grid
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
    count = np.maximum(sums[0], 1)
    mean = sums[1:] / count
    energy = mean * (gain * _LEVELS_PER_BIN) ** 2
    noise = mean[7] * (gain * _LEVELS_PER_BIN) * _IMMERKAER
    floor = quantile(noise, _NOISE_QUANTILE) ** 2
    return TileFigures(
        luma=np.clip((mean[0] * _LEVELS_PER_BIN - black) * gain, 0.0, 255.0),
        gradient=_less((energy[2] + energy[3]) / _SOBEL_GAIN**2, 2 * _SOBEL_NOISE * floor),
        second_x=_less(energy[4], _SECOND_DIFFERENCE_NOISE * floor),
        second_y=_less(energy[5], _SECOND_DIFFERENCE_NOISE * floor),
        laplacian=_less(energy[6], _LAPLACIAN_NOISE * floor),
        noise=noise,
    )


def quantile(values: Grid, share: float) -> float:
    """The value below which `share` of the tiles lie, the lower of two neighbours; np.quantile costs ten times that."""
    rank = int(share * (values.size - 1))
    return float(np.partition(values, rank, axis=None)[rank])


def _less(energy: Grid, noise: float) -> Grid:
    return np.maximum(energy - noise, 0.0)


def _light(bins: npt.NDArray[np.int64], gain: float, black: float) -> dict[str, float]:
    levels = np.clip((np.arange(luma.BINS) * _LEVELS_PER_BIN - black) * gain, 0.0, 255.0)
    total = int(bins.sum())
    mean = float(bins @ levels) / total
    below = np.cumsum(bins)
    ranks = np.searchsorted(below, [share / 100 * total for share in PERCENTILES])
    named = {f"luma_p{share}": float(levels[rank]) for share, rank in zip(PERCENTILES, ranks, strict=True)}
    present = np.flatnonzero(bins)
    named |= {
        "luma_mean": mean,
        "luma_std": float(np.sqrt(bins @ (levels - mean) ** 2 / total)),
        "luma_min": float(levels[present[0]]),
        "luma_max": float(levels[present[-1]]),
        "clipped_dark_share": float(bins[levels <= CLIPPED_LOW].sum()) / total,
        "clipped_bright_share": float(bins[levels >= CLIPPED_HIGH].sum()) / total,
    }
    return named


def _detail(sums: luma.LumaSums, gain: float, tiles: TileFigures) -> dict[str, float]:
    count = int(sums.sums[0].sum())
    scale = gain * _LEVELS_PER_BIN
    laplacian = float(sums.sums[7].sum()) / count * scale**2
    noise = float(sums.sums[8].sum()) / count * scale * _IMMERKAER
    sobel = float(sums.sums[3].sum() + sums.sums[4].sum()) / count * scale**2
    magnitude = sums.magnitude / count * scale
    return {
        "laplacian_energy": laplacian,
        "laplacian_corrected": laplacian - _LAPLACIAN_NOISE * noise**2,
        "gradient_energy": sobel / _SOBEL_GAIN**2,
        "spatial_information": float(np.sqrt(max(sobel - magnitude**2, 0.0))),
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
    return {"chroma_u_mean": u_mean, "chroma_v_mean": v_mean, "chroma_std": float(np.sqrt(max(spread, 0.0)))}
