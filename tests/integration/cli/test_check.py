"""`patrol check` says why: the limits behind a doubt, the web page in place of video, the address that is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command_line import patrol
from tests.support.feed.http_site import site


def doubtful_picture(folder: Path) -> Path:
    """A JPEG of squares whose edges are neither sharp nor blurred: the steepest step takes half of their height."""
    rng = np.random.default_rng(5)
    soft = np.kron(rng.integers(20, 235, (34, 61)), np.ones((16, 16)))[:540, :960]
    for axis in (0, 1):
        soft = np.apply_along_axis(lambda line: np.convolve(line, (0.25, 0.5, 0.25), "same"), axis, soft)
    noisy = np.clip(soft + rng.normal(0, 1, soft.shape), 0, 255).astype(np.uint8)
    path = folder / "soft.jpg"
    Image.fromarray(np.repeat(noisy[..., None], 3, axis=2)).save(path, quality=95)
    return path


def test_a_doubt_is_shown_with_its_score_and_its_limits(tmp_path: Path) -> None:
    path = doubtful_picture(tmp_path)
    shown = patrol("check", str(path))
    assert shown.returncode == 1
    assert "sharp from 60 on, blurred below 36" in shown.stdout
    (answer,) = map(json.loads, patrol("check", str(path), "--json").stdout.splitlines())
    verdict = answer["verdict"]
    assert verdict["reason"] == "doubtful"
    assert verdict["detail"].startswith(f"sharpness {verdict['scores']['sharpness']:.0f}: ")


@pytest.mark.parametrize(
    ("path", "reason", "said"),
    [
        ("/live.flv", "no_video", "the server answers with a web page, not with video"),
        ("/nobody.flv", "not_found", "the server has no stream of that name"),
    ],
)
def test_a_source_without_a_picture_says_why(path: str, reason: str, said: str) -> None:
    with site({"/live.flv": ("text/html", b"<!doctype html><title>login</title>" * 50)}) as url:
        done = patrol("check", url + path)
    assert done.returncode == 2
    line = done.stdout.splitlines()[1]
    assert line.split()[1:3] == ["offline", reason]
    assert said in line


def test_an_address_that_the_engine_refuses_is_offline_as_the_engine_says_it() -> None:
    done = patrol("check", "gopher://127.0.0.1/1")
    assert done.returncode == 2
    assert done.stdout.splitlines()[1].split()[1:3] == ["offline", "source_refused"]
    assert "feed.schemes" in done.stdout
