"""The compiled checks of a decoded picture give what plain NumPy gives."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from engine.decode.damage import AREA_SHARE_MAX, missing_area
from engine.decode.grid_steps import BANDS, STEP_LEVELS, grid_excess
from engine.model.keyframe import Codec
from engine.model.picture import Picture

GRID, STRIDE, ALONE, COMMON = 8, 17, 4, 1.3


def picture(
    luma: npt.NDArray[Any], chroma: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None, depth: int = 8
) -> Picture:
    height, width = luma.shape
    return Picture(
        luma=luma, chroma=chroma, width=width, height=height, codec=Codec.H265, pixel_format="yuv420p",
        bit_depth=depth, full_range=False, interlaced=False,
    )  # fmt: skip


def slow_excess(luma: npt.NDArray[Any], step_min: int) -> float:
    """The definition: steps that stand alone, by their place on the grid, in the worst band."""
    samples = luma.astype(np.int64)
    height, width = samples.shape
    band = height // BANDS // GRID * GRID
    worst = 0.0
    for index in range(BANDS):
        top = height // GRID * GRID - (index + 1) * band
        counts = {}
        for phase in (7, 3, 1):
            x = np.arange(phase, width - 2, GRID)
            across = samples[top : top + band : STRIDE]
            y = np.arange(top + phase, min(top + band, height - 2), GRID)
            down = samples[:, ::STRIDE]
            counts[phase] = _alone(across[:, x - 1], across[:, x], across[:, x + 1], across[:, x + 2], step_min)
            counts[phase] += _alone(down[y - 1], down[y], down[y + 1], down[y + 2], step_min)
        edges = 2 * band * width // (GRID * STRIDE)
        if edges:
            worst = max(worst, (counts[7] - COMMON * max(counts[3], counts[1])) / edges)
    return 1000.0 * worst


def _alone(
    before: npt.NDArray[np.int64],
    here: npt.NDArray[np.int64],
    there: npt.NDArray[np.int64],
    after: npt.NDArray[np.int64],
    step_min: int,
) -> int:
    step, beside = abs(there - here), np.maximum(abs(here - before), abs(after - there))
    return int(np.count_nonzero((step >= step_min) & (ALONE * beside < step)))


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (240, 352), (577, 703)])
@pytest.mark.parametrize("depth", [8, 10])
def test_steps_on_the_grid_are_those_of_the_definition(shape: tuple[int, int], depth: int) -> None:
    rng = np.random.default_rng(shape[0] + depth)
    height, width = shape
    blocks = np.kron(rng.integers(0, 2**depth, (height // 8 + 1, width // 8 + 1)), np.ones((8, 8)))[:height, :width]
    noise = rng.integers(0, 2**depth, shape)
    for samples in (blocks, noise, blocks[::-1, ::-1]):
        luma = samples.astype(np.uint8 if depth == 8 else np.uint16)
        padded = np.pad(luma, ((0, 0), (0, 32)))[:, :width]
        expected = slow_excess(luma, STEP_LEVELS << (depth - 8))
        assert grid_excess(picture(luma, None, depth)) == pytest.approx(expected, abs=1e-9)
        assert grid_excess(picture(padded, None, depth)) == pytest.approx(expected, abs=1e-9)
    assert slow_excess(blocks, STEP_LEVELS << (depth - 8)) > 100


@pytest.mark.parametrize("interleaved", [False, True])
def test_an_area_is_missing_where_luma_and_both_chroma_planes_are_zero(interleaved: bool) -> None:
    def damaged(rows: int, luma_too: bool) -> Picture:
        luma, chroma = np.full((480, 640), 90, np.uint8), np.full((240, 320, 2), 128, np.uint8)
        chroma[:rows] = 0
        if luma_too:
            luma[: 2 * rows] = 0
        planes = chroma if interleaved else np.ascontiguousarray(chroma.transpose(2, 0, 1)).transpose(1, 2, 0)
        return picture(luma, (planes[:, :, 0], planes[:, :, 1]))

    least = int(AREA_SHARE_MAX * 240) + 4
    assert missing_area(damaged(least, luma_too=True))
    assert not missing_area(damaged(0, luma_too=True))
    assert not missing_area(damaged(least, luma_too=False)), "a colour that a camera may show"
    assert not missing_area(picture(np.zeros((480, 640), np.uint8), None))
    half = damaged(least, luma_too=True)
    assert half.chroma is not None
    half.chroma[1][:] = 5
    assert not missing_area(half)
