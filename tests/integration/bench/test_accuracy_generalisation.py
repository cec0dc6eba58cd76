"""bench.accuracy on unseen scenes and with other thresholds, on scikit-image's photographs and the engine itself."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from bench.accuracy.findings import NEAR, Findings
from bench.accuracy.imaging.light import levels, linear
from bench.accuracy.imaging.optics import Defocus
from bench.accuracy.patrol import patrol
from bench.accuracy.plan import CameraPlan, plan
from bench.accuracy.reporting.pictures import figure
from bench.accuracy.tuning.cross_validation import cross_validate
from bench.accuracy.tuning.recording import Recording, rejudge
from bench.accuracy.unseen import unseen_scenes
from engine.config.judge import JudgeSettings

pytestmark = pytest.mark.long

PHOTOS = Path(skimage.__file__).parent / "data"
SHIPPED = JudgeSettings()


def photo(name: str) -> np.ndarray:
    return np.asarray(Image.open(PHOTOS / name).convert("RGB"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two scenes, and with pictures that are none."""
    place = tmp_path_factory.mktemp("photographs")
    (place / "below").mkdir()
    coffee = photo("coffee.png")
    Image.fromarray(coffee).save(place / "coffee.png")
    Image.fromarray(photo("motorcycle_left.png")).save(place / "below" / "motorcycle.png")
    Image.fromarray(coffee[20:-20, 30:-10]).save(place / "coffee_again.png")
    light = linear(coffee)
    Image.fromarray(levels(light / np.float32(8))).save(place / "dark.png")
    Image.fromarray(levels(Defocus(30, 1).lens(light, 0))).save(place / "soft.png")
    (place / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (place / "words.txt").write_text("no picture")
    return place


def test_a_folder_gives_one_scene_a_room_that_is_sharp_and_well_exposed(folder: Path) -> None:
    scenes = unseen_scenes(folder)
    assert [scene.name for scene in scenes] == ["below/motorcycle.png", "coffee.png"]
    assert all(scene.unseen for scene in scenes)


def test_a_room_that_the_shared_pictures_show_is_not_unseen(folder: Path) -> None:
    assert [scene.name for scene in unseen_scenes(folder, [photo("coffee.png")])] == ["below/motorcycle.png"]


def test_a_folder_without_scenes_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"bench\.accuracy\.packages --into"):
        unseen_scenes(tmp_path / "absent")
    with pytest.raises(ValueError, match="no photograph in it is sharp"):
        unseen_scenes(tmp_path)


@pytest.fixture(scope="module")
def cameras(folder: Path) -> list[CameraPlan]:
    planned = [camera for scene in unseen_scenes(folder) for camera in plan([scene], 1, quick=True)]
    return [replace(camera, recorded=True) for camera in planned]


@pytest.fixture(scope="module")
def found(cameras: list[CameraPlan]) -> list[Findings]:
    return [patrol(camera) for camera in cameras]


def recordings(found: list[Findings]) -> Iterator[Recording]:
    for findings in found:
        yield from findings.recordings


def test_judging_again_with_the_shipped_thresholds_gives_what_the_run_gave(found: list[Findings]) -> None:
    (findings, recording), *_ = zip(found, recordings(found), strict=True)
    tally = rejudge(recording, SHIPPED)
    counted = [episode for episode in findings.episodes if episode.counted]
    assert counted
    for truth in {episode.truth for episode in counted}:
        of_truth = [episode for episode in counted if episode.truth == truth]
        assert tally.hits[truth] == (sum(episode.hit for episode in of_truth), len(of_truth)), truth
    assert tally.false_alarm_days == sum(bool(day.announced) for day in findings.days)
    assert tally.visits == sum(day.visits for day in findings.days)
    assert tally.unknown_visits == sum(day.unknown for day in findings.days)


def test_other_thresholds_find_more_or_less(found: list[Findings]) -> None:
    recording = next(recordings(found))

    def hits(**thresholds: float) -> int:
        return rejudge(recording, SHIPPED.model_copy(update=thresholds)).hits["defocus"][0]

    assert hits(sharpness_ratio_min=0.05, structure_fall_min=20.0) < hits()


def test_what_is_tuned_on_one_half_is_measured_on_the_other(
    found: list[Findings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.accuracy.tuning.thresholds.TUNED", ("sharpness_ratio_min",))
    shots = [shot for findings in found for shot in findings.shots]
    validation = cross_validate(list(recordings(found)), shots, jobs=1)
    assert validation["halves"] == {"A": ["below/motorcycle.png"], "B": ["coffee.png"]}
    first, second = validation["directions"]
    assert (first["tuned_on"], first["measured_on"]) == ("A", "B")
    assert first["where_tuned"]["mean_hit_rate"] >= second["shipped"]["mean_hit_rate"] - 1e-9
    assert second["where_tuned"]["mean_hit_rate"] >= first["shipped"]["mean_hit_rate"] - 1e-9
    assert validation["auc"]["A"]["sharpness"] > 0.8


def test_a_good_visit_that_comes_near_to_a_fault_has_a_picture_and_its_figures(found: list[Findings]) -> None:
    example = max((example for findings in found for example in findings.examples), key=lambda example: example.badness)
    text = figure(example, with_figures=True)
    assert text.startswith('<figure><img src="data:image/jpeg;base64,')
    assert "<th>threshold</th>" in text
    near = [example for findings in found for example in findings.examples if example.group == NEAR]
    assert all(example.badness >= 0.5 for example in near)
