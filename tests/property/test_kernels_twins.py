"""Every compiled pass gives what its slow twin gives: on random pictures, compiled and with the JIT off."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernels.registry import KERNELS, Kernel
from engine.model.keyframe import Codec
from engine.model.picture import Picture


def a_plane(rng: np.random.Generator, rows: int, columns: int, depth: int, padding: int) -> np.ndarray:
    """Rectangles of random levels under some noise, with line padding full of other values; read-only."""
    top = 2**depth - 1
    dtype = np.uint8 if depth == 8 else np.uint16
    memory = rng.integers(0, top, (rows, columns + padding), endpoint=True).astype(dtype)
    if rng.random() < 0.7:
        block = int(rng.integers(1, 40))
        coarse = rng.integers(0, top, (rows // block + 1, columns // block + 1), endpoint=True)
        steps = np.kron(coarse, np.ones((block, block), np.int64))[:rows, :columns]
        noise = rng.integers(-2, 2, (rows, columns), endpoint=True)
        memory[:, :columns] = np.clip(steps + noise, 0, top)
    if rng.random() < 0.3:
        half = rows // 2
        memory[half:] = np.clip(memory[half:].astype(np.int64) // 3, 0, top)
        memory[:, columns // 2 : columns // 2 + int(rng.integers(0, 6))] = rng.integers(0, top)
    if rng.random() < 0.4:
        add_masks(rng, memory[:, :columns], top)
    if rng.random() < 0.4:
        add_bars(rng, memory[:, :columns], top)
    memory.flags.writeable = False
    return memory[:, :columns]


def add_masks(rng: np.random.Generator, plane: np.ndarray, top: int) -> None:
    """Write rectangles of one level over a plane."""
    rows, columns = plane.shape
    for _ in range(int(rng.integers(1, 6))):
        height, width = int(rng.integers(1, rows // 2)), int(rng.integers(1, columns // 2))
        y, x = int(rng.integers(0, rows - height)), int(rng.integers(0, columns - width))
        plane[y : y + height, x : x + width] = rng.integers(0, top, endpoint=True)


def add_bars(rng: np.random.Generator, plane: np.ndarray, top: int) -> None:
    """Write bars of one level, mostly, to some sides of a plane, and text in them."""
    level = int(rng.integers(0, top))
    for turned in (plane, plane[::-1], plane.T, plane.T[::-1]):
        if rng.random() < 0.6:
            bar = turned[: int(rng.integers(1, turned.shape[0] // 2))]
            bar[:] = level
            length = int(rng.integers(0, bar.shape[1]))
            bar[:, :length] = rng.choice([level, top - level], bar[:, :length].shape)


def a_picture(
    seed: int, rows: int, columns: int, depth: int = 8, padding: int = 0, full: bool = True, field: bool = False
) -> Picture:
    rng = np.random.default_rng(seed)
    luma = a_plane(rng, rows, columns, depth, padding)
    half = (rows + 1) // 2, (columns + 1) // 2
    chroma = a_plane(rng, *half, depth, padding), a_plane(rng, *half, depth, padding)
    height = rows * 2 if field else rows
    return Picture(luma, chroma, columns, height, Codec.H264, "test", depth, full, field)


def assert_twins_agree(kernel: Kernel, picture: Picture) -> None:
    fast, slow = kernel.fast(picture), kernel.twin(picture)
    assert fast.keys() == slow.keys()
    for name in fast:
        if name in kernel.rounded:
            assert fast[name] == pytest.approx(slow[name], rel=1e-5, abs=1e-6), name
        else:
            assert np.array_equal(fast[name], slow[name]), name


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(64, 700),
    columns=st.integers(64, 700),
    depth=st.sampled_from([8, 9, 10, 12, 16]),
    padding=st.integers(0, 70),
    full=st.booleans(),
    field=st.booleans(),
)
def test_a_pass_gives_what_its_slow_twin_gives(
    kernel: Kernel, seed: int, rows: int, columns: int, depth: int, padding: int, full: bool, field: bool
) -> None:
    assert_twins_agree(kernel, a_picture(seed, rows, columns, depth, padding, full, field))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@pytest.mark.parametrize(
    ("rows", "columns", "depth", "field"),
    [
        (1080, 1920, 8, False),
        (540, 1920, 8, True),
        (1080, 1920, 10, False),
        (720, 1280, 8, False),
        (1440, 2561, 16, False),
        (8192, 64, 8, False),
        (64, 8192, 10, False),
        (288, 704, 8, True),
    ],
)
def test_twins_agree_at_the_sizes_that_cameras_send(
    kernel: Kernel, rows: int, columns: int, depth: int, field: bool
) -> None:
    assert_twins_agree(kernel, a_picture(7, rows, columns, depth, 32, False, field))


def test_a_stray_high_bit_does_not_leave_the_histogram() -> None:
    luma = np.full((64, 64), 65535, np.uint16)  # a 10-bit plane that holds more than it says
    picture = Picture(luma, None, 64, 64, Codec.H265, "test", 10, True, False)
    kernels = {kernel.name: kernel for kernel in KERNELS}
    assert_twins_agree(kernels["plane"], picture)
    bins = kernels["luma"].fast(picture)["bins"]
    assert bins[-1] == bins.sum()


def compare_without_compiler() -> None:
    for kernel in KERNELS:
        for rows, columns, depth, field in ((64, 80, 8, False), (66, 97, 10, True), (640, 64, 8, False)):
            assert_twins_agree(kernel, a_picture(3, rows, columns, depth, 5, True, field))


@pytest.mark.long
def test_twins_agree_with_the_jit_off() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    compare_without_compiler()
