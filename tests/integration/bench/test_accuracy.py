"""bench.accuracy on a data directory made here of scikit-image's photographs: the whole program, and its parts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage
from PIL import Image

from bench.accuracy.camera import Camera
from bench.accuracy.engine_path import NEVER_SEEN, Engine, without_noise_correction
from bench.accuracy.imaging.codec import QP_MAX, Coding, keyframe
from bench.accuracy.imaging.covers import Cover
from bench.accuracy.imaging.light import DAY, NIGHT, levels, linear
from bench.accuracy.imaging.optics import Defocus
from bench.accuracy.labels import Label, read_labels
from bench.accuracy.scenes import Scene, native_picture, sources, views
from engine.model.keyframe import Codec
from engine.model.measurement import Measurement
from tests.support.feed.clips import encode

pytestmark = pytest.mark.long

PHOTOS = Path(skimage.__file__).parent / "data"
GOOD = ("coffee.png", "motorcycle_left.png", "astronaut.png", "chelsea.png")
ROOT = Path(__file__).resolve().parents[3]
T0_NS = 1_772_436_000_000_000_000


def photo(name: str) -> np.ndarray:
    return np.asarray(Image.open(PHOTOS / name).convert("RGB"))


def scene(name: str = "coffee.png") -> Scene:
    rgb = photo(name)
    rows, columns = (side // 2 * 2 for side in rgb.shape[:2])
    return Scene(name, "whole", "small", linear(rgb[:rows, :columns]))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rows = ["path,first_frame,last_frame,truth,reference"]
    for name in GOOD:
        Image.fromarray(photo(name)).save(folder / name)
        rows.append(f"{name},,,ok,")
    light = scene().light
    Image.fromarray(levels(Defocus(22, 1).lens(light, 0))).save(folder / "blurred.jpg", quality=95)
    Image.fromarray(levels(light / np.float32(24))).save(folder / "dark.jpg", quality=95)
    whole = (folder / "blurred.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 3])
    Image.fromarray(levels(Cover(0.5, 1, "tape").lens(light, 0))).save(folder / "taped.jpg", quality=95)
    rows += ["taped.jpg,,,partly_covered,coffee.png"]
    rows += ["blurred.jpg,,,blurred,coffee.png", "dark.jpg,,,too_dark,", "cut.jpg,,,damaged,"]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ran(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    report = tmp_path_factory.mktemp("report")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench.accuracy",
            "--data",
            data,
            "--quick",
            "--jobs",
            "1",
            "--json",
            "--report",
            report,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout), report


def test_the_run_prints_every_figure_that_is_asked_for(ran: tuple[dict[str, Any], Path]) -> None:
    result, _ = ran
    assert set(result["auc"]["peers"]) == {"laplacian_variance", "tenengrad", "crete_blur_effect", "ffmpeg_blurdetect"}
    for value in (result["auc"]["sharpness"], result["auc"]["sharpness_baseline"], *result["auc"]["peers"].values()):
        assert 0 <= value <= 1
    interval = result["auc"]["intervals"]["sharpness"]
    assert interval["low"] <= interval["value"] <= interval["high"]
    for kind in ("defocus", "motion", "covered", "partly_covered", "too_dark", "too_bright", "frozen", "signal_loss"):
        rate = result["hits"][kind]
        assert 0 <= rate["low"] <= rate["value"] <= rate["high"] <= 1
        assert rate["n"] == sum(result["causes"][kind].values()) > 0
    assert 0 <= result["false_alarm_rate"] <= 1
    assert 0 <= result["unknown_rate"] <= 1
    assert {"defocus 2", "defocus 9", "motion 28"} <= set(result["by_strength"])
    assert result["demands"]


def test_sharp_pictures_are_told_from_blurred_ones_and_shuffled_labels_are_not(
    ran: tuple[dict[str, Any], Path],
) -> None:
    result, _ = ran
    assert result["auc"]["sharpness"] > 0.9
    for name in ("sharpness", "sharpness_baseline"):
        assert result["shuffled_auc"][name] == pytest.approx(0.5, abs=0.08)


def test_every_row_of_the_labels_has_its_truth_and_an_answer(ran: tuple[dict[str, Any], Path]) -> None:
    labels = {row["path"]: row for row in ran[0]["labels"]}
    assert labels["blurred.jpg"]["truth"] == "blurred"
    assert labels["blurred.jpg"]["right"] == "right"
    assert (labels["dark.jpg"]["answer"], labels["dark.jpg"]["right"]) == ("too_dark", "right")
    assert labels["cut.jpg"]["right"] == "right"
    assert (labels["taped.jpg"]["answer"], labels["taped.jpg"]["right"]) == ("partly_covered", "right")
    assert set(labels["taped.jpg"]["alone"]) == {"answer", "right"}
    assert labels["cut.jpg"]["answer"] != "fault"


def test_the_report_is_one_page_that_needs_no_other_file(ran: tuple[dict[str, Any], Path]) -> None:
    _, report = ran
    page = (report / "report.html").read_text(encoding="utf-8")
    assert {path.name for path in report.iterdir()} >= {
        "report.html",
        "roc.png",
        "strength.png",
        "causes.png",
        "hits.png",
        "worst.html",
    }
    assert page.count("data:image/png;base64,") == 5
    worst = (report / "worst.html").read_text(encoding="utf-8")
    assert page.count("<figure>") + worst.count("<figure>") >= 3
    for text in (page, worst):
        assert "http" not in text.replace("http-equiv", "")
        assert "$" not in text.partition("</style>")[2]


def test_a_directory_without_labels_is_refused_with_a_remedy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.accuracy", "--data", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "labels.csv" in done.stderr
    assert "path,first_frame,last_frame,truth,reference" in done.stderr


def test_labels_say_where_they_cannot_be_read(tmp_path: Path) -> None:
    place = tmp_path / "labels.csv"
    place.write_text("path,first_frame,last_frame,truth,reference\na.mp4,3,90,ok,\nb.mp4,x,,ok,\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 3: 'x' is no frame number"):
        read_labels(tmp_path)
    place.write_text("path,first_frame,last_frame,truth,reference\na.mp4,3,90,ok,\n", encoding="utf-8")
    assert read_labels(tmp_path) == [Label("a.mp4", 3, 90, "ok", "")]
    place.write_text("path,truth\na.mp4,ok\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column first_frame, last_frame, reference"):
        read_labels(tmp_path)


def test_a_picture_that_was_blown_up_is_taken_at_the_size_its_detail_fills() -> None:
    rgb = photo("motorcycle_left.png")
    native = native_picture(rgb)
    assert native is not None
    blown = cv2.resize(rgb, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    again = native_picture(np.asarray(blown, np.uint8))
    assert again is not None
    assert again.shape[0] <= 1.4 * native.shape[0]  # the rule's slack: the best pictures are sharper than it asks


def test_a_blurred_picture_is_no_source_at_its_own_size() -> None:
    light = linear(photo("motorcycle_left.png"))
    native = native_picture(levels(Defocus(14, 1).lens(light, 0)))
    assert native is None or native.shape[0] < 0.7 * light.shape[0]


def test_one_room_is_one_source_however_often_it_is_in_the_labels(tmp_path: Path) -> None:
    rgb = photo("motorcycle_left.png")
    Image.fromarray(rgb).save(tmp_path / "whole.png")
    Image.fromarray(rgb[20:-20, 30:-10]).save(tmp_path / "cut.png")
    Image.fromarray(photo("coffee.png")).save(tmp_path / "other.png")
    labels = [Label(name, None, None, "ok", "") for name in ("cut.png", "other.png", "whole.png", "missing.png")]
    assert [name for name, _ in sources(tmp_path, labels)] == ["whole.png", "other.png"]


def test_no_view_is_larger_than_its_source() -> None:
    for name in GOOD:
        rgb = photo(name)
        for view in views(name, rgb):
            rows, columns = view.light.shape[:2]
            assert rows % 2 == columns % 2 == 0
            assert rows <= rgb.shape[0] * 1.03
            assert columns <= rgb.shape[1] * 1.03


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("kbps", [256, 512, 1000])
def test_a_keyframe_takes_its_share_of_the_bit_rate(codec: Codec, kbps: int) -> None:
    coding = Coding(codec, kbps, 0.2)
    picture = levels(scene().light)
    payload, qp = keyframe(coding, picture, 28, probes=5)
    if qp < QP_MAX:
        assert len(payload) == pytest.approx(coding.keyframe_bytes, rel=0.25)


def test_a_keyframe_has_the_detail_that_real_rate_control_leaves() -> None:
    """Against libx264's own rate control over two groups of pictures; the first keyframe comes before it settles."""
    kbps, frames_per_gop = 400, 20
    base, random = levels(scene().light).astype(np.float32), np.random.default_rng(1)
    film = [
        np.clip(base + random.normal(0, 2, base.shape), 0, 255).astype(np.uint8) for _ in range(2 * frames_per_gop + 1)
    ]
    units = encode(Codec.H264, film, gop=frames_per_gop, options=dict.fromkeys(("b", "maxrate", "bufsize"), f"{kbps}k"))
    real = units[2 * frames_per_gop]
    share = len(real) / (kbps * 1000 / 8 * 2)
    ours, _ = keyframe(Coding(Codec.H264, kbps, share), film[-1], 28, probes=5)
    engine = Engine()
    gradients = []
    for payload in (real, ours):
        seen = engine.measure(Codec.H264, payload, T0_NS, None)
        assert isinstance(seen, Measurement)
        gradients.append(seen.figures["gradient_energy"])
    assert 0.08 < share < 0.6
    assert gradients[1] == pytest.approx(gradients[0], rel=0.1)


def test_a_camera_gives_the_same_keyframe_for_the_same_visit_and_another_for_the_next() -> None:
    def first_two() -> tuple[bytes, bytes]:
        camera = Camera(scene(), Coding(Codec.H264, 512, 0.2), DAY, 1)
        return camera.visit(1, T0_NS), camera.visit(2, T0_NS)

    assert first_two() == first_two()
    first, other = first_two()
    assert first != other


def test_without_the_correction_for_noise_a_blurred_noisy_picture_scores_sharper() -> None:
    camera = Camera(scene("motorcycle_left.png"), Coding(Codec.H264, 2000, 0.3), NIGHT, 1)
    payload = camera.visit(1, T0_NS, (Defocus(14, 1),))
    engine = Engine()
    right = engine.judge(engine.measure(Codec.H264, payload, T0_NS, None), NEVER_SEEN, T0_NS)[0].sharpness
    with without_noise_correction():
        wrong = engine.judge(engine.measure(Codec.H264, payload, T0_NS, None), NEVER_SEEN, T0_NS)[0].sharpness
    assert right is not None
    assert wrong is not None
    assert wrong > right + 1
