"""Defines the compiled searches of this folder once more in plain NumPy, as their slow twins. For tests and readers.
Pure."""

import numpy as np
import numpy.typing as npt

from engine.kernels.block_sums import block_sums, kept_borders, lines_of
from engine.kernels.grid import TILE_COLUMNS, TILE_ROWS, tile_borders
from engine.kernels.layout import bars, masks, quarters
from engine.kernels.luma import BINS
from engine.kernels.plane import AnalysisPlane
from engine.model.picture import Picture

Samples = npt.NDArray[np.int64]


def find_bars(picture: Picture) -> Samples:
    """Twin of engine.kernels.layout.bars.measure."""
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
    """Twin of engine.kernels.layout.quarters.measure."""
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
    """Twin of engine.kernels.layout.masks.measure. `flat`: shape (TILE_ROWS, TILE_COLUMNS)."""
    borders, columns = kept_borders(plane, TILE_ROWS), tile_borders(plane.samples.shape[1], TILE_COLUMNS)
    near = flat.copy()
    near[1:] |= flat[:-1]
    near[:-1] |= flat[1:]
    lines, width = lines_of(plane), plane.samples.shape[1]
    masked, every = np.zeros(plane.samples.shape, np.int64), np.zeros(plane.samples.shape, np.int64)
    above: list[tuple[int, int, int]] = []
    for y in np.flatnonzero(lines % plane.step == 0):
        row = plane.samples[y].astype(np.int64)
        tiles = near[int(np.searchsorted(borders, y, "right")) - 1]
        runs = _runs(row, max(masks.EDGE_SAMPLES, width // masks.RUN_DIVISOR)) if tiles.any() else []
        for begin, end, level in runs:
            touched = [at for at in range(TILE_COLUMNS) if columns[at] >= begin and columns[at + 1] <= end]
            follows = any(_is_below((begin, end, level), other) for other in above)
            masked[y, begin:end] = follows and bool(tiles[touched].any())
        every[y] = 1
        above = runs
    samples, counts = (block_sums(field, plane, TILE_ROWS, TILE_COLUMNS).ravel() for field in (every, masked))
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
