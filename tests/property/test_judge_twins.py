"""What the judge has compiled gives what its slow twins give: on random scenes, compiled and with the JIT off."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.judge import reference
from engine.judge.baseline import CODES, LEVEL_UNITS, Baseline, BaselineFigures
from engine.judge.baseline_update import PLASTIC, update_baseline
from engine.judge.compare import compare
from engine.judge.features import extract_features
from engine.judge.optics import reference as optics
from engine.judge.optics.tile_changes import measure_tiles
from engine.judge.order_statistics import nth_element
from engine.model.picture import TileMap

HOUR_NS = 3600 * 10**9


def a_picture(rng: np.random.Generator) -> tuple[np.ndarray, TileMap]:
    """Cells and tiles of a scene: plain, rich or dark in places, with tiles that have no edges."""
    cells = rng.uniform(0, rng.choice([20, 120, 255]), (18, 32)) * rng.choice(
        [0.0, 0.3, 1.0], (18, 32), p=[0.1, 0.2, 0.7]
    )
    structure = rng.choice([0.0, 0.5, 9.0, 60.0, 900.0], (9, 16)) * rng.uniform(0.5, 2, (9, 16))
    acutance = rng.uniform(0, 1.2, (2, 9, 16))
    acutance[rng.random((2, 9, 16)) < rng.choice([0.1, 0.6, 1.0])] = np.nan
    u, v = rng.normal(0, rng.choice([1.0, 60.0]), (2, 9, 16))
    return cells, tiles_of(cells, structure, acutance, u, v)


def tiles_of(cells: np.ndarray, *grids: np.ndarray) -> TileMap:
    luma = cells.reshape(9, 2, 16, 2).mean(axis=(1, 3))
    luma, structure, acutance, u, v = (np.ascontiguousarray(plane, np.float32) for plane in (luma, *grids))
    return TileMap(luma, structure, acutance, u, v)


def changed(rng: np.random.Generator, cells: np.ndarray, tiles: TileMap) -> tuple[np.ndarray, TileMap]:
    """The same scene later: as ever but for noise, dimmer, veiled, softer, and hidden in part or altogether."""
    later = np.clip(
        cells * rng.choice([0.2, 0.7, 1.0, 1.3]) + rng.choice([0.0, 0.0, 70.0]) + rng.normal(0, 1, cells.shape), 0, 255
    )
    structure = tiles.structure * rng.choice([0.1, 0.5, 1.0, 3.0]) * rng.uniform(0.9, 1.1, (9, 16))
    acutance, u = tiles.acutance * rng.choice([0.5, 0.9, 1.0]), tiles.u + rng.choice([0.0, 20.0])
    hidden = int(rng.choice([0, 0, 3, 8, 16]))
    if hidden:
        later[:, : 2 * hidden] = rng.uniform(10, 220) + rng.normal(0, 2, (18, 2 * hidden))
        structure[:, :hidden] = rng.choice([0.1, 3.0, 200.0])
    return later, tiles_of(later, structure, acutance, u, tiles.v)


def signature_of(cells: np.ndarray) -> bytes:
    return b"\x02" + bytes(np.rint(cells * LEVEL_UNITS).astype("<u2").tobytes())


def assert_twins_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    usual_cells, usual_tiles = a_picture(rng)
    cells, tiles = changed(rng, usual_cells, usual_tiles) if rng.random() < 0.9 else a_picture(rng)
    before, signature = signature_of(usual_cells), signature_of(cells)
    past = extract_features(before, usual_tiles)
    assert past.motion == (0, 0.0, 0.0, 0.0, 0)
    tolerance = float(rng.choice([0.0, 0.3, 1.5]))
    features = extract_features(signature, tiles, past.tile_means, tolerance)
    assert features.tile_means == reference.pack_tile_means(signature)
    assert features.motion == reference.motion(features.tile_means, past.tile_means, tolerance)
    assert features.codes == pytest.approx(reference.encode(signature, tiles), abs=1e-4)

    first = update_baseline(Baseline(), past.codes, BaselineFigures(), 0, 1.5, 120.0)
    assert_difference_agrees(features.codes, first, np.zeros((9, 16), np.bool_))
    masked = np.zeros((9, 16), np.bool_)
    masked[: int(rng.integers(1, 6)), : int(rng.integers(1, 8))] = True
    assert_difference_agrees(features.codes, first, masked)
    hours = int(rng.integers(1, 20))
    second = update_baseline(first, features.codes, BaselineFigures(), hours * HOUR_NS, 1.5, 120.0)
    twin = reference.update_codes(features.codes, first.codes, 0.5, 0.5, PLASTIC % 1.0)
    assert np.array_equal(second.codes, twin)


def assert_difference_agrees(codes: np.ndarray, baseline: Baseline, masked: np.ndarray) -> None:
    fast, slow = compare(codes, baseline, masked), reference.compare(codes, baseline.packed, masked)
    for name in fast._fields:
        ours, other = getattr(fast, name), getattr(slow, name)
        if name == "masks":
            assert np.array_equal(ours, other), name
        elif ours is None:
            assert math.isnan(other), name
        else:
            assert ours == pytest.approx(other, rel=1e-4, abs=2e-4), name
    tiles = measure_tiles(codes, baseline, fast, masked)
    stops = math.nan if tiles.stops is None else tiles.stops
    assert stops == pytest.approx(optics.light_change(codes, baseline.codes, masked), abs=2e-4, nan_ok=True)
    assert tiles.spots == np.packbits(optics.spots(fast.highpassed, stops)).tobytes()
    assert tiles.soft == np.packbits(optics.soft_tiles(codes, baseline.codes)).tobytes()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_look_a_comparison_and_a_lesson_give_what_their_twins_give(seed: int) -> None:
    assert_twins_agree(seed)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(values=st.lists(st.integers(-9, 9), min_size=1, max_size=60), share=st.floats(0, 1))
def test_a_rank_is_what_sorting_gives(values: list[int], share: float) -> None:
    wanted = int(share * (len(values) - 1))
    assert nth_element(np.array(values, np.float32), len(values), wanted) == sorted(values)[wanted]


def test_codes_stay_within_a_byte() -> None:
    white = np.full(CODES, 255.0, np.float32)
    baseline = Baseline()
    for visit in range(2000):
        baseline = update_baseline(baseline, white, BaselineFigures(), visit * HOUR_NS, 1.5, 120.0)
    assert baseline.codes.min() == 255


def test_twins_agree_without_the_compiler() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    for number in range(6):
        assert_twins_agree(number)
