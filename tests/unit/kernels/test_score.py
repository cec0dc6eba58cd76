"""What a worker calls: figures, scores, tiles and signature of one picture."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.kernels import registry, signature
from engine.kernels.grid import factor
from engine.kernels.score import Scored, score
from engine.model.keyframe import Codec
from engine.model.picture import Picture
from tests.support.expect import present

ROOT = Path(__file__).resolve().parents[3]


def picture_of(luma: np.ndarray, *, full: bool = True, depth: int = 8, chroma: bool = True) -> Picture:
    rows, columns = luma.shape
    neutral = np.full((rows // 2, columns // 2), 128 << (depth - 8), luma.dtype)
    planes = (neutral, neutral) if chroma else None
    return Picture(luma, planes, columns, rows, Codec.H264, "test", depth, full, False)


def scene(rows: int = 540, columns: int = 960, seed: int = 5) -> np.ndarray:
    """Boxes of many sizes and levels: sharp edges all over."""
    rng = np.random.default_rng(seed)
    levels = np.full((rows, columns), 120.0)
    for _ in range(400):
        y, x = rng.integers(0, rows), rng.integers(0, columns)
        levels[y : y + rng.integers(8, 90), x : x + rng.integers(8, 90)] = rng.integers(20, 235)
    return levels


def soften(levels: np.ndarray, radius: int, axes: tuple[int, ...] = (0, 1)) -> np.ndarray:
    for axis in axes:
        levels = np.mean([np.roll(levels, step, axis) for step in range(-radius, radius + 1)], axis=0)
    return levels


def grainy(levels: np.ndarray, sigma: float, seed: int = 2) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, levels.shape)
    return np.clip(np.rint(levels + noise), 0, 255).astype(np.uint8)


def scored(levels: np.ndarray, sigma: float = 1.0) -> Scored:
    return score(picture_of(grainy(levels, sigma)))


def sharpness(levels: np.ndarray, sigma: float = 1.0) -> float:
    return present(scored(levels, sigma).scores.sharpness)


def write_letters(levels: np.ndarray) -> np.ndarray:
    """A clock along the top: the finest detail there is, in black and white."""
    marked = levels.copy()
    marked[20:50, 20:500] = np.kron(np.random.default_rng(1).integers(0, 2, (10, 160)), np.ones((3, 3))) * 255
    return marked


@pytest.mark.parametrize("seed", range(6))
def test_every_figure_is_named_in_the_registry_and_lies_in_its_range(seed: int) -> None:
    rng = np.random.default_rng(seed)
    luma = rng.integers(0, 255, (100 + 37 * seed, 90 + 51 * seed), endpoint=True).astype(np.uint8)
    of = score(picture_of(luma, full=bool(seed % 2), chroma=seed != 3))
    kinds = {kind.name: kind for kind in registry.FIGURES}
    assert registry.names(grey=seed == 3) <= of.figures.keys() <= kinds.keys()
    for name, value in of.figures.items():
        assert kinds[name].low <= value <= kinds[name].high, name
    for figure in (of.scores.sharpness, of.scores.exposure, of.scores.occlusion):
        assert figure is None or 0 <= figure <= 100


def test_pictures_are_measured_at_about_540_lines_whatever_their_size() -> None:
    for lines in range(64, 8193):
        over = factor(lines)
        assert over.over >= over.under
        measured = over.length(lines)
        assert measured == lines if lines <= 540 else abs(measured / 540 - 1) < 0.175, lines
    assert [factor(lines).length(lines) for lines in (480, 540, 576, 720, 1080, 2160)] == [480, 540, 576, 540, 540, 540]


def test_defocus_lowers_sharpness_step_by_step() -> None:
    scores = [sharpness(soften(scene(), radius)) for radius in (0, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 60
    assert scores[3] < 34


@pytest.mark.parametrize("axis", [0, 1])
def test_motion_along_one_axis_lowers_sharpness(axis: int) -> None:
    assert sharpness(soften(scene(), 4, (axis,))) < 34


def test_noise_does_not_make_a_blurred_picture_sharp() -> None:
    for sigma in (1.0, 3.0, 5.0):
        assert sharpness(soften(scene(), 5), sigma) < 34


def test_letters_on_a_blurred_picture_do_not_make_it_sharp() -> None:
    assert sharpness(write_letters(soften(scene(), 5))) < 34


def test_a_covered_lens_has_no_sharpness_and_is_occluded_but_for_its_letters() -> None:
    of = scored(write_letters(np.full((540, 960), 70.0)), 3.0)
    assert of.scores.sharpness is None
    assert present(of.scores.occlusion) > 85


def test_without_light_nothing_is_said_of_sharpness() -> None:
    of = scored(scene() * 0.1, 0.5)
    assert of.figures["luma_mean"] < 20
    assert of.scores.sharpness is None
    assert present(of.scores.exposure) < 30


def test_a_well_lit_picture_scores_full_exposure_and_a_washed_out_one_does_not() -> None:
    assert scored(scene()).scores.exposure == pytest.approx(100, abs=1)
    assert present(scored(scene() * 0.4 + 153).scores.exposure) < 60


def test_the_exposure_falls_smoothly_with_what_is_burnt_out_or_black() -> None:
    scores = [present(scored(np.clip(scene() * gain, 0, 255)).scores.exposure) for gain in (1.0, 1.2, 1.4, 1.7, 2.2)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 99
    assert scores[2] < 80
    assert scores[-1] > 0
    darker = [present(scored(scene() * gain - add).scores.exposure) for gain, add in ((1.0, 0), (0.8, 30), (0.6, 40))]
    assert darker == sorted(darker, reverse=True)
    assert darker[-1] < 50


def test_a_window_that_is_burnt_out_costs_nothing_and_faces_all_over_do() -> None:
    window, faces = scene(), scene()
    window[60:180, 100:220] = 255  # four tiles of 144
    faces[::3, ::6] = 255
    of_window, of_faces = scored(window), scored(faces)
    assert of_window.figures["clipped_bright_share"] > 0.02
    assert of_window.figures["lost_highlights"] == pytest.approx(0, abs=0.002)
    assert present(of_window.scores.exposure) > 98
    assert of_faces.figures["lost_highlights"] > 0.03
    assert present(of_faces.scores.exposure) < 75


def test_limited_and_full_range_of_the_same_scene_measure_the_same() -> None:
    levels = scene()
    full = score(picture_of(np.rint(levels).astype(np.uint8)))
    limited = score(picture_of(np.rint(levels * 219 / 255 + 16).astype(np.uint8), full=False))
    assert limited.figures["luma_mean"] == pytest.approx(full.figures["luma_mean"], abs=0.5)
    assert limited.figures["laplacian_energy"] == pytest.approx(full.figures["laplacian_energy"], rel=0.02)
    assert limited.scores.sharpness == pytest.approx(full.scores.sharpness, abs=1)


def test_ten_bits_measure_as_eight() -> None:
    eight = grainy(scene(), 1.0)
    ten = score(picture_of(eight.astype(np.uint16) << 2, depth=10))
    assert ten.figures == pytest.approx(score(picture_of(eight)).figures)


def test_sizes_of_the_same_scene_measure_alike() -> None:
    small = grainy(scene(), 1.0).astype(np.float64)
    large = np.kron(small, np.ones((2, 2)))
    assert scored(large, 0.0).figures == pytest.approx(scored(small, 0.0).figures)


def test_one_field_is_measured_at_the_width_of_the_frame() -> None:
    small = grainy(scene(), 1.0).astype(np.float64)
    frame = np.kron(small, np.ones((2, 2)))
    field = dataclasses.replace(picture_of(grainy(frame[::2], 0.0)), height=1080, interlaced=True)
    assert score(field).figures["luma_mean"] == pytest.approx(scored(small, 0.0).figures["luma_mean"], abs=0.1)
    assert score(field).scores.sharpness == pytest.approx(scored(small, 0.0).scores.sharpness, abs=3)


def test_the_signature_holds_the_mean_of_every_cell() -> None:
    of = scored(scene())
    assert len(of.signature) == signature.SIGNATURE_BYTES
    assert of.signature[0] == signature.VERSION
    cells = np.frombuffer(of.signature, "<u2", offset=1).reshape(18, 32) / signature.UNITS_PER_LEVEL
    assert cells.reshape(9, 2, 16, 2).mean(axis=(1, 3)) == pytest.approx(of.tiles.luma, abs=1 / 128)


COUNT_COMPILED = """
from numba.core import event
from engine.{package}.warmup import warm_up
with event.install_recorder("numba:compile") as recorder:
    warm_up()
print(len(recorder.buffer))
"""


@pytest.mark.long
@pytest.mark.timeout(600)  # half a minute of CPU time, which a loaded machine makes minutes
@pytest.mark.parametrize("package", ["kernels", "judge", "feed"])
def test_processes_that_start_together_compile_once_and_the_next_start_compiles_nothing(
    tmp_path: Path, package: str
) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", COUNT_COMPILED.format(package=package)]

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    both = [start() for _ in range(2)]
    waited, compiled = sorted(int(process.communicate()[0]) for process in both)
    assert waited == 0
    assert compiled > 0
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert files
    assert int(start().communicate()[0]) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == files
