"""Defines every compiled pass once more in plain NumPy, as its slow twin. For tests and readers. Pure."""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.kernels import bars, masks, quarters, row_sampling
from engine.kernels.chroma import ROWS_PER_TILE, ChromaSums
from engine.kernels.edges import INNER_TILE_ROWS, STRIP_SAMPLING, STRONG_FACTOR, WINDOW, EdgeSums
from engine.kernels.grid import CELL_COLUMNS, CELL_ROWS, TILE_COLUMNS, TILE_ROWS, Factor, tile_borders
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
    lines = _lines(plane)
    planes, magnitude = derivatives(s)
    used = lines[1:-1] % plane.step == plane.step - 1
    tiles = np.zeros((PLANES, TILE_ROWS, TILE_COLUMNS), np.int64)
    row_borders, column_borders = _kept_borders(plane, TILE_ROWS), tile_borders(columns, TILE_COLUMNS)
    for row in range(TILE_ROWS):
        for column in range(TILE_COLUMNS):
            # Derivatives exist from sample 1 on, so sample y is at y - 1 in their arrays.
            down = slice(max(1, row_borders[row]) - 1, min(rows - 1, row_borders[row + 1]) - 1)
            across = slice(max(1, column_borders[column]) - 1, min(columns - 1, column_borders[column + 1]) - 1)
            tiles[:, row, column] = [derivative[down, across][used[down]].sum() for derivative in planes]
    column_bands = tile_borders(columns, BANDS)
    cell_rows = _kept_borders(plane, CELL_ROWS)
    row_bands = [cell_rows[-(-band * CELL_ROWS // BANDS)] for band in range(BANDS)]
    return LumaSums(
        tiles=tiles,
        cells=_blocks(s, plane, CELL_ROWS, CELL_COLUMNS),
        bins=np.bincount(s[lines % plane.step == 0, ::2].ravel(), minlength=BINS).astype(np.int64),
        rows=np.add.reduceat(s, column_bands[:-1], axis=1).T.astype(np.int32),
        columns=np.add.reduceat(s, row_bands, axis=0).astype(np.int32),
        magnitude=float(magnitude[used].sum()),
    )


def _lines(plane: AnalysisPlane) -> Samples:
    return row_sampling.kept_lines(plane.lines, plane.step)


def _kept_borders(plane: AnalysisPlane, tiles: int) -> list[int]:
    """Return the borders of the rows of tiles, counted in kept rows."""
    return [int(border) for border in np.searchsorted(_lines(plane), tile_borders(plane.lines, tiles))]


def _blocks(s: Samples, plane: AnalysisPlane, rows: int, columns: int) -> Samples:
    """Return the sums over `rows` x `columns` blocks; `s`: a value for each sample of the plane."""
    row_sums = np.add.reduceat(s, _kept_borders(plane, rows)[:-1], axis=0)
    blocks: Samples = np.add.reduceat(row_sums, tile_borders(s.shape[1], columns)[:-1], axis=1)
    return blocks


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


def measure_edges(plane: AnalysisPlane, height_min: float) -> EdgeSums:
    """Twin of engine.kernels.edges.measure, bit for bit except the rounding of `thresholds`."""
    s = plane.samples.astype(np.int64)
    lines = _lines(plane)
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
            sums[kind, direction] = _blocks(field, plane, TILE_ROWS, TILE_COLUMNS)
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


def find_bars(picture: Picture) -> Samples:
    """Twin of engine.kernels.bars.measure."""
    luma = picture.luma.astype(np.int64)
    unit, white = 1 << (picture.bit_depth - 8), bars.white_sample(picture)
    top, bottom = (_bar(side, unit, white) for side in (luma, luma[::-1]))
    middle = luma[max(0, top) : luma.shape[0] - max(0, bottom)]
    left, right = (_bar(side, unit, white) for side in (middle.T, middle.T[::-1]))
    return np.array([top, bottom, left, right])


def _bar(side: Samples, unit: int, white: int) -> int:
    lines, length = side.shape
    few, many = (np.arange(count) * length // count for count in (bars.FEW_SAMPLES, bars.SAMPLES))
    levels = [int(np.sort(side[0, read])[read.size // 2]) for read in (few, many)]
    for level, read in zip(levels, (few, many), strict=True):
        if (abs(side[0, read] - level) <= bars.BAR_LEVELS * unit).mean() < bars.BAR_SHARE:
            return 0
    limit = int(bars.SIDE_SHARE_MAX * lines)
    away = abs(side[: limit + 1, many] - levels[1])
    like = (away <= bars.BAR_LEVELS * unit).mean(axis=1) >= bars.BAR_SHARE
    like |= (away <= bars.RINGING_LEVELS * unit).mean(axis=1) >= bars.RINGING_SHARE
    depth = 1
    for at in np.flatnonzero(like):
        if at - depth <= lines // bars.TEXT_DIVISOR:
            depth = int(at) + 1
    behind = depth + bars.edge_lines(lines)
    if levels[1] >= white or depth > limit or behind >= lines:
        return bars.UNDETERMINED
    if (abs(side[behind, many] - levels[1]) <= bars.EDGE_LEVELS * unit).mean() > bars.EDGE_SHARE_MAX:
        return bars.UNDETERMINED
    return depth if depth * bars.SIDE_DIVISOR >= lines else 0


def find_seams(picture: Picture) -> npt.NDArray[np.float64]:
    """Twin of engine.kernels.quarters.measure."""
    luma, unit = picture.luma.astype(np.int64), 1 << (picture.bit_depth - 8)
    rows, columns = luma.shape
    gaps = 2 + columns // 480, 2 + rows // 270
    seams = np.zeros(4)
    for half in range(2):
        if half and max(seams[0], seams[2]) < quarters.LEAP_SHARE:
            break
        upper = luma[half * (rows // 2) : (half + 1) * (rows // 2)]
        left = luma[:, half * (columns // 2) : (half + 1) * (columns // 2)]
        seams[half] = _seam(upper, columns // 2, gaps[0], unit)
        seams[2 + half] = _seam(left.T, rows // 2, gaps[1], unit)
    return seams


def _seam(lines: Samples, middle: int, gap: int, unit: int) -> float:
    """Return the share of places that leap at column `middle` of `lines`, each a place along the seam."""
    places = lines[np.arange(quarters.SAMPLES) * lines.shape[0] // quarters.SAMPLES]
    window = quarters.WINDOW

    def leap(at: int) -> npt.NDArray[np.float64]:
        before, after = places[:, at - gap - window : at - gap], places[:, at + gap : at + gap + window]
        out: npt.NDArray[np.float64] = np.abs(before[:, ::-1].mean(axis=1) - after.mean(axis=1))
        return out

    here = leap(middle)
    largest = np.max([leap(middle + at * (gap + window)) for at in quarters.BESIDE], axis=0)
    leaps = (here >= quarters.LEAP_LEVELS * unit) & (here >= quarters.LEAP_RATIO * largest)
    line = places[:, middle]
    nearer = np.minimum(abs(places[:, middle - 2 * gap] - line), abs(places[:, middle + 2 * gap] - line))
    same = (abs(line - np.sort(line)[line.size // 2]) <= quarters.LINE_LEVELS * unit).mean()
    apart = (nearer >= quarters.LEAP_LEVELS * unit).mean()
    return 1.0 if same >= quarters.LINE_SHARE and apart >= quarters.LEAP_SHARE else float(leaps.mean())


def find_masks(plane: AnalysisPlane, flat: npt.NDArray[np.bool_]) -> dict[str, Samples]:
    """Twin of engine.kernels.masks.measure. `flat`: shape (TILE_ROWS, TILE_COLUMNS)."""
    borders, columns = _kept_borders(plane, TILE_ROWS), tile_borders(plane.samples.shape[1], TILE_COLUMNS)
    near = flat.copy()
    near[1:] |= flat[:-1]
    near[:-1] |= flat[1:]
    lines, width = _lines(plane), plane.samples.shape[1]
    masked, every = np.zeros(plane.samples.shape, np.int64), np.zeros(plane.samples.shape, np.int64)
    above: list[tuple[int, int, int]] = []
    for y in np.flatnonzero(lines % plane.step == 0):
        row = plane.samples[y].astype(np.int64)
        runs = _runs(row, max(masks.EDGE_SAMPLES, width // masks.RUN_DIVISOR))
        tiles = near[int(np.searchsorted(borders, y, "right")) - 1]
        for begin, end, level in runs:
            touched = [at for at in range(TILE_COLUMNS) if columns[at] >= begin and columns[at + 1] <= end]
            follows = any(_is_below((begin, end, level), other) for other in above)
            masked[y, begin:end] = follows and bool(tiles[touched].any())
        every[y] = 1
        above = runs
    samples, counts = (_blocks(field, plane, TILE_ROWS, TILE_COLUMNS).ravel() for field in (every, masked))
    if counts.sum() > masks.MASKED_MAX * samples.sum():
        masked[:] = counts[:] = 0
    second = masked[:, ::2].astype(bool)
    bins = np.bincount(plane.samples[:, ::2][second], minlength=BINS).astype(np.int64)
    return {"samples": samples, "masked": counts, "bins": bins}


def _runs(row: Samples, length_min: int) -> list[tuple[int, int, int]]:
    runs: list[tuple[int, int, int]] = []
    begin, edge = 0, masks.EDGE_SAMPLES
    while begin < row.size and len(runs) < masks.RUNS_MAX:
        level = int(row[begin])
        other = np.flatnonzero(abs(row[begin:] - level) > masks.RUN_UNITS)
        end = begin + int(other[0]) if other.size else row.size
        left, right = (
            bool((abs(beside - level) >= masks.EDGE_UNITS).any())
            for beside in (row[max(0, begin - edge) : begin], row[end : end + edge])
        )
        ends = (left and (right or end > row.size - edge)) or (right and begin < edge)
        if end - begin >= length_min and ends:
            runs.append((begin, end, level))
        begin = end
    return runs


def _is_below(run: tuple[int, int, int], above: tuple[int, int, int]) -> bool:
    limits = masks.EDGE_SAMPLES, masks.EDGE_SAMPLES, masks.RUN_UNITS
    return all(abs(mine - theirs) <= limit for mine, theirs, limit in zip(run, above, limits, strict=True))


SUMMARY = frozenset(
    {
        "luma_mean", "luma_std", "luma_min", "luma_max", "clipped_dark_share", "clipped_bright_share",
        *(f"luma_p{round(100 * share)}" for share in SHARES),
        "laplacian_energy", "laplacian_corrected", "gradient_energy", "spatial_information", "noise_sigma",
        "noise_floor", "tile_luma_std", "flat_share", "structureless_share", "row_pattern", "column_pattern",
        "edge_tiles", "acutance", "chroma_u_mean", "chroma_v_mean", "chroma_std", "cells",
        "luma", "structure", "u", "v", "acutances", "masked_share", "masked",
    }
)  # fmt: skip
"""Names that `summary` returns; all of its values are rounded."""


def summary(picture: Picture) -> dict[str, Any]:
    """Return the figures of a picture, computed from the sums of the twins above; twin of engine.kernels.summary."""
    plane = analysis_plane(picture)
    sums = measure_luma(plane)
    gain, black = (1.0, 0.0) if picture.full_range else (255.0 / 219.0, 16.0)
    scale = gain / 4
    samples = _blocks(np.ones(plane.samples.shape, np.int64), plane, CELL_ROWS, CELL_COLUMNS)
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
    return {
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
