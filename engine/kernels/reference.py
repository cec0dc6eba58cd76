"""Defines every compiled pass once more in plain NumPy, as its slow twin. For tests and readers. Pure."""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.kernels import exposure, row_sampling, slopes
from engine.kernels.block_sums import block_sums, kept_borders, lines_of
from engine.kernels.chroma import ROWS_PER_TILE, ChromaSums
from engine.kernels.edges import INNER_TILE_ROWS, STRIP_SAMPLING, STRONG_FACTOR, WINDOW, EdgeSums
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, TILE_COLUMNS, TILE_ROWS, Factor, tile_borders
from engine.kernels.layout import masks
from engine.kernels.layout.reference import find_masks
from engine.kernels.luma import BANDS, BINS, PLANES, LumaSums
from engine.kernels.pattern import SEGMENTS, WINDOW_DIVISOR
from engine.kernels.plane import SAMPLE_MAX, AnalysisPlane, factors
from engine.kernels.summary import (
    ACUTANCE_QUANTILE,
    CLIPPED_HIGH,
    CLIPPED_LOW,
    EDGES_MIN,
    FLAT_MAX,
    LIT_MAX,
    SHARES,
    STRUCTURE_MIN,
    TILES_MIN,
)
from engine.model.picture import LumaPlane, Picture

Samples = npt.NDArray[np.int64]


def analysis_plane(picture: Picture) -> AnalysisPlane:
    """Twin of engine.kernels.plane.analysis_plane, bit for bit: area average, rounded half up in 32 bits."""
    rows, columns = picture.luma.shape
    across, down = factors(rows, columns, picture.height, picture.view_lines)
    whole = _scale(picture.luma, across, down, picture.bit_depth).astype(np.uint16)
    return AnalysisPlane(
        whole[row_sampling.kept_lines(whole.shape[0], row_sampling.step_of(*whole.shape))], whole.shape[0]
    )


def _scale(plane: LumaPlane, across: Factor, down: Factor, bit_depth: int) -> Samples:
    rows, columns = down.length(plane.shape[0]), across.length(plane.shape[1])
    wide = np.repeat(np.repeat(plane.astype(np.int64), down.under, axis=0), across.under, axis=1)
    cut = wide[: rows * down.over, : columns * across.over]
    blocks = cut.reshape(rows, down.over, columns, across.over).sum(axis=(1, 3))
    gain = np.float32(4.0) / np.float32(across.over * down.over) * np.float32(2.0) ** np.float32(8 - bit_depth)
    rounded = (blocks.astype(np.float32) * np.float32(gain) + np.float32(0.5)).astype(np.int64)
    clamped: Samples = np.minimum(rounded, SAMPLE_MAX)
    return clamped


def measure_luma(plane: AnalysisPlane) -> LumaSums:
    """Twin of engine.kernels.luma.measure, bit for bit except the rounding of `magnitude`."""
    s = plane.samples.astype(np.int64)
    rows, columns = s.shape
    lines = lines_of(plane)
    planes, magnitude = derivatives(s)
    used = lines[1:-1] % plane.step == plane.step - 1
    tiles = np.zeros((PLANES, TILE_ROWS, TILE_COLUMNS), np.int64)
    row_borders, column_borders = kept_borders(plane, TILE_ROWS), tile_borders(columns, TILE_COLUMNS)
    for row in range(TILE_ROWS):
        for column in range(TILE_COLUMNS):
            # Derivatives exist from sample 1 on, so sample y is at y - 1 in their arrays.
            down = slice(max(1, row_borders[row]) - 1, min(rows - 1, row_borders[row + 1]) - 1)
            across = slice(max(1, column_borders[column]) - 1, min(columns - 1, column_borders[column + 1]) - 1)
            tiles[:, row, column] = [derivative[down, across][used[down]].sum() for derivative in planes]
    column_bands = tile_borders(columns, BANDS)
    cell_rows = kept_borders(plane, CELL_ROWS)
    row_bands = [cell_rows[-(-band * CELL_ROWS // BANDS)] for band in range(BANDS)]
    return LumaSums(
        tiles=tiles,
        cells=block_sums(s, plane, CELL_ROWS, CELL_COLUMNS),
        bins=np.bincount(s[lines % plane.step == 0, ::2].ravel(), minlength=BINS).astype(np.int64),
        rows=np.add.reduceat(s, column_bands[:-1], axis=1).T.astype(np.int32),
        columns=np.add.reduceat(s, row_bands, axis=0).astype(np.int32),
        magnitude=float(magnitude[used].sum()),
    )


def derivatives(s: Samples) -> tuple[list[Samples], npt.NDArray[np.float64]]:
    """Return the planes that the luma pass sums, and the Sobel magnitude; each two samples smaller than `s`."""
    c = s[1:-1, 1:-1]
    up, down, left, right = s[:-2, 1:-1], s[2:, 1:-1], s[1:-1, :-2], s[1:-1, 2:]
    nw, ne, sw, se = s[:-2, :-2], s[:-2, 2:], s[2:, :-2], s[2:, 2:]
    sobel_x = (ne + 2 * right + se) - (nw + 2 * left + sw)
    sobel_y = (sw + 2 * down + se) - (nw + 2 * up + ne)
    noise = (nw + ne + sw + se) - 2 * (up + down + left + right) + 4 * c
    sobel = sobel_x**2 + sobel_y**2
    return [np.ones_like(c), sobel, (left + right + up + down - 4 * c) ** 2, np.abs(noise)], np.sqrt(sobel)


def measure_slopes(plane: AnalysisPlane) -> dict[str, Samples]:
    """Twin of engine.kernels.slopes.measure, bit for bit."""
    s = plane.samples.astype(np.int64)
    y, x = np.zeros_like(s), np.zeros_like(s)
    smooth = s[:-2] + 2 * s[1:-1] + s[2:]
    x[1:-1, 1:-1] = smooth[:, 2:] - smooth[:, :-2]
    smooth = s[:, :-2] + 2 * s[:, 1:-1] + s[:, 2:]
    y[1:-1, 1:-1] = smooth[2:] - smooth[:-2]
    read = np.zeros(s.shape, np.bool_)
    before_anchor = np.flatnonzero(lines_of(plane) % plane.step == plane.step - 1)
    read[before_anchor[:: slopes.STRIP_SAMPLING], 1:-1] = True
    read[[0, -1]] = False
    borders = kept_borders(plane, TILE_ROWS)
    read[: borders[INNER_TILE_ROWS[0]]] = read[borders[INNER_TILE_ROWS[1]] :] = False
    planes = read.astype(np.int64), x * x * read, y * y * read, x * y * read
    return {"slopes": np.stack([block_sums(product, plane, TILE_ROWS, TILE_COLUMNS) for product in planes])}


def measure_edges(plane: AnalysisPlane, height_min: float) -> EdgeSums:
    """Twin of engine.kernels.edges.measure, bit for bit except the rounding of `thresholds`."""
    s = plane.samples.astype(np.int64)
    lines = lines_of(plane)
    anchors = lines % plane.step == 0
    first, end = (row * plane.lines // TILE_ROWS for row in INNER_TILE_ROWS)
    inner = (lines >= max(first, WINDOW // 2 - 1)) & (lines < min(end, plane.lines - WINDOW // 2))
    sampled = np.flatnonzero(anchors & inner)[::STRIP_SAMPLING]
    sums = np.zeros((3, 2, TILE_ROWS, TILE_COLUMNS), np.int64)
    thresholds = np.zeros(2)
    for direction, turned in enumerate((s, s.T)):
        steps, heights, peak = (field if direction == 0 else field.T for field in _steps(turned))
        sample = np.where(peak & (heights > int(height_min)), heights, 0)[sampled].astype(np.float64)
        strong = STRONG_FACTOR * (sample**2).sum() / sample.sum() if sample.any() else 0.0
        thresholds[direction] = max(height_min, strong)
        edge = peak & (heights > int(thresholds[direction])) & anchors[:, None]
        for kind, field in enumerate((edge.astype(np.int64), np.where(edge, steps, 0), np.where(edge, heights, 0))):
            sums[kind, direction] = block_sums(field, plane, TILE_ROWS, TILE_COLUMNS)
    return EdgeSums(sums[0], sums[1], sums[2], thresholds)


def _steps(s: Samples) -> tuple[Samples, Samples, npt.NDArray[np.bool_]]:
    """Return of each step along x, at its first sample: size, rise of its window, and whether it is a local peak."""
    before, after = WINDOW // 2 - 1, WINDOW // 2
    step = np.abs(np.diff(s, axis=1))
    inside = slice(before, s.shape[1] - after)
    steps, heights = np.zeros_like(s), np.zeros_like(s)
    peak = np.zeros(s.shape, bool)
    here = step[:, before : s.shape[1] - after]
    steps[:, inside] = here
    heights[:, inside] = np.abs(s[:, WINDOW - 1 :] - s[:, : s.shape[1] - WINDOW + 1])
    peak[:, inside] = (here >= step[:, before - 1 : s.shape[1] - after - 1]) & (
        here >= step[:, before + 1 : s.shape[1] - after + 1]
    )
    return steps, heights, peak


def pattern_strength(profile: npt.NDArray[np.int32], samples: int) -> float:
    """Twin of engine.kernels.pattern.strength."""
    profile = profile.T
    rows, bands = profile.shape
    half = max(1, rows // WINDOW_DIVISOR // 2)
    means = np.array([profile[max(0, y - half) : y + half + 1].mean(axis=0) for y in range(rows)])
    high = profile - means
    shared = (high.sum(axis=1) ** 2 - (high**2).sum(axis=1)) / (bands * (bands - 1))
    borders = np.arange(SEGMENTS + 1) * rows // SEGMENTS
    segment_of_row = np.searchsorted(borders, np.arange(rows), "right") - 1
    energies = np.sort([shared[segment_of_row == segment].mean() for segment in range(SEGMENTS)])
    return float(max(0.0, energies[SEGMENTS // 2]) ** 0.5 * bands / samples)


def measure_chroma(plane: LumaPlane) -> ChromaSums:
    """Twin of engine.kernels.chroma.measure."""
    rows, columns = plane.shape
    row_borders, column_borders = tile_borders(rows, TILE_ROWS), tile_borders(columns, TILE_COLUMNS)
    samples = np.zeros((TILE_ROWS, TILE_COLUMNS), np.int64)
    totals = np.zeros_like(samples)
    squares = 0
    for row in range(TILE_ROWS):
        begin, end = row_borders[row], row_borders[row + 1]
        read = plane[begin : end : max(1, -(-(end - begin) // ROWS_PER_TILE))].astype(np.int64)
        squares += int((read**2).sum())
        for column in range(TILE_COLUMNS):
            block = read[:, column_borders[column] : column_borders[column + 1]]
            samples[row, column], totals[row, column] = block.size, block.sum()
    return ChromaSums(samples, totals, int(samples.sum()), squares)


SUMMARY = frozenset(
    {
        "luma_mean", "luma_std", "luma_min", "luma_max", "clipped_dark_share", "clipped_bright_share",
        *(f"luma_p{round(100 * share)}" for share in SHARES),
        "laplacian_energy", "laplacian_corrected", "gradient_energy", "spatial_information", "noise_sigma",
        "noise_floor", "tile_luma_std", "flat_share", "structureless_share", "row_pattern", "column_pattern",
        "edge_tiles", "acutance", "chroma_u_mean", "chroma_v_mean", "chroma_std", "cells",
        "luma", "structure", "u", "v", "acutances", "masked_share", "masked", "lost_highlights", "lost_shadows",
        "shade_level", "gradient_across", "gradient_down", "gradient_product",
    }
)  # fmt: skip
"""Names that `summary` returns; all of its values are rounded."""


def summary(picture: Picture) -> dict[str, Any]:
    """Return the figures of a picture, computed from the sums of the twins above; twin of engine.kernels.summary."""
    plane = analysis_plane(picture)
    sums = measure_luma(plane)
    gain, black = (1.0, 0.0) if picture.full_range else (255.0 / 219.0, 16.0)
    scale = gain / 4
    samples = block_sums(np.ones(plane.samples.shape, np.int64), plane, CELL_ROWS, CELL_COLUMNS)
    cells = np.clip(sums.cells * (scale / samples) - black * gain, 0, 255)  # in this order: half a unit is rounded
    luma = cells.reshape(TILE_ROWS, 2, TILE_COLUMNS, 2).mean(axis=(1, 3))
    count, sobel, laplacian, immerkaer = sums.tiles.astype(np.float64)
    raw = sobel / count * (scale / 8) ** 2
    flat = (raw < FLAT_MAX) & (luma < LIT_MAX)
    masked, beside, mask_bins, masked_share = _mask_tiles(plane, flat)
    seen = ~masked
    noise = immerkaer / count * scale * np.sqrt(np.pi / 2) / 6
    floor = np.sort(noise[seen])[int(0.25 * (seen.sum() - 1))]
    grain = 2 * 12 / 64 * np.minimum(np.minimum(noise, 6.0), 2.0 * floor) ** 2
    gradient = np.maximum(raw - grain, 0.0)
    edges = measure_edges(plane, max(12.0, 6.0 * floor) / scale)
    enough = (edges.counts >= EDGES_MIN) & ~beside
    steps = np.maximum(edges.steps * scale - 0.5 * floor * edges.counts, 0.0)
    ratios = np.where(enough, steps / np.where(enough, edges.heights * scale, 1.0), 0.0)
    inner = slice(*INNER_TILE_ROWS)
    by_direction = [np.sort(ratios[direction, inner][enough[direction, inner]]) for direction in range(2)]
    acutances = [
        float(values[int(ACUTANCE_QUANTILE * (values.size - 1))]) for values in by_direction if values.size >= TILES_MIN
    ]
    count, sobel, laplacian, immerkaer = (sums[seen] for sums in (count, sobel, laplacian, immerkaer))
    plain = gradient < STRUCTURE_MIN * np.clip(luma / 100, 0.25, 1) + 0.25 * grain
    sigma = float(immerkaer.sum() / count.sum() * scale * np.sqrt(np.pi / 2) / 6)
    energy = float(laplacian.sum() / count.sum() * scale**2)
    slope, magnitude = sobel.sum() / count.sum() * scale**2, sums.magnitude / count.sum() * scale
    low, high = (exposure.LOST_LOW / gain + black) * 4, (exposure.LOST_HIGH / gain + black) * 4
    clipped = count_clipped(plane, low, high)
    return {
        "lost_highlights": _lost(clipped["bright"], clipped["samples"], seen),
        "lost_shadows": _lost(clipped["dark"], clipped["samples"], seen),
        "shade_level": np.sort(luma[seen])[int(exposure.SHADE_SHARE * (seen.sum() - 1))],
        **_gradient_tensor(measure_slopes(plane)["slopes"], grain, beside, (scale / 8) ** 2),
        **_light(sums.bins - mask_bins, gain, black),
        **_colour(picture),
        "laplacian_energy": energy,
        "laplacian_corrected": energy - 20 * sigma**2,
        "gradient_energy": slope / 64,
        "spatial_information": float(np.sqrt(max(0.0, slope - magnitude**2))),
        "noise_sigma": sigma,
        "noise_floor": floor,
        "tile_luma_std": luma[seen].std(),
        "flat_share": float(flat.mean()),
        "structureless_share": float(plain[seen].mean()),
        "masked_share": masked_share,
        "masked": masked,
        "row_pattern": pattern_strength(sums.rows, plane.samples.shape[1]) * scale,
        "column_pattern": pattern_strength(sums.columns, plane.samples.shape[0]) * scale,
        "edge_tiles": enough.reshape(2, -1).sum(axis=1).max(),
        "cells": np.rint(cells * 128),
        "luma": luma,
        "structure": gradient,
        "acutances": ratios,
        "acutance": min(acutances, default=0.0),
    }


def _gradient_tensor(sums: Samples, grain: Any, beside: Any, unit: float) -> dict[str, float]:
    """Return the mean squares of both slopes and their mean product."""
    seen = ~beside & (sums[0] > 0)
    if not seen.any():
        return {"gradient_across": 0.0, "gradient_down": 0.0, "gradient_product": 0.0}
    across, down, product = unit * (sums[1:] / np.maximum(sums[0], 1))[:, seen]
    noise = 0.5 * grain[seen]
    return {
        "gradient_across": float(max(0.0, (across - noise).mean())),
        "gradient_down": float(max(0.0, (down - noise).mean())),
        "gradient_product": float(product.mean()),
    }


def _mask_tiles(plane: AnalysisPlane, flat: npt.NDArray[np.bool_]) -> tuple[Any, Any, Samples, float]:
    """Return the masked tiles, those whose edges may be a mask's, the histogram of masks, and their share."""
    found = find_masks(plane, flat)
    counts = found["masked"].reshape(TILE_ROWS, TILE_COLUMNS)
    samples = found["samples"].reshape(TILE_ROWS, TILE_COLUMNS)
    masked = (counts >= masks.MASKED_MIN * samples) & (counts > 0)
    if not masked.any():
        return masked, masked, np.zeros(BINS, np.int64), 0.0
    wide = np.pad(masked, 1)
    near = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return masked, (counts > 0) | near, found["bins"], counts.sum() / samples.sum()


def count_clipped(plane: AnalysisPlane, low: float = 24.0, high: float = 1000.0) -> dict[str, Samples]:
    """Twin of engine.kernels.exposure.measure. `low`, `high`: in quarter levels."""
    anchors = (lines_of(plane) % plane.step == 0)[:, None] & np.ones(plane.samples.shape, np.bool_)
    marks = anchors, anchors & (plane.samples >= np.ceil(high)), anchors & (plane.samples <= max(0.0, np.floor(low)))
    sums = [block_sums(mark.astype(np.int64), plane, TILE_ROWS, TILE_COLUMNS).ravel() for mark in marks]
    return dict(zip(("samples", "bright", "dark"), sums, strict=True))


def _lost(clipped: Samples, samples: Samples, seen: npt.NDArray[np.bool_]) -> float:
    shares = np.sort((clipped / samples)[seen.ravel()])
    return float(shares[: shares.size - int(exposure.LEFT_OUT * shares.size)].mean())


def _light(bins: npt.NDArray[np.int64], gain: float, black: float) -> dict[str, float]:
    levels = np.repeat(np.clip((np.arange(BINS) / 4 - black) * gain, 0, 255), bins)
    named = {
        "luma_mean": levels.mean(),
        "luma_std": levels.std(),
        "luma_min": levels.min(),
        "luma_max": levels.max(),
        "clipped_dark_share": (levels <= CLIPPED_LOW).mean(),
        "clipped_bright_share": (levels >= CLIPPED_HIGH).mean(),
    }
    for share in SHARES:
        named[f"luma_p{round(100 * share)}"] = levels[max(0, int(np.ceil(share * levels.size)) - 1)]
    return {name: float(value) for name, value in named.items()}


def _colour(picture: Picture) -> dict[str, Any]:
    if picture.chroma is None:
        return {name: np.zeros((TILE_ROWS, TILE_COLUMNS)) for name in "uv"}
    unit, gain = 2.0 ** (picture.bit_depth - 8), 1.0 if picture.full_range else 255.0 / 224.0
    out: dict[str, Any] = {}
    spread = 0.0
    for name, plane in zip("uv", picture.chroma, strict=True):
        sums = measure_chroma(plane)
        out[name] = (sums.totals / sums.samples / unit - 128.0) * gain
        mean = sums.totals.sum() / sums.count
        out[f"chroma_{name}_mean"] = (mean / unit - 128.0) * gain
        spread += (sums.squares / sums.count - mean**2) / unit**2 * gain**2
    return out | {"chroma_std": float(np.sqrt(max(0.0, spread)))}
