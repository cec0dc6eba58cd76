"""`patrol check` of a picture that costs a decoder minutes keeps its deadline, and goes on with the next source."""

import time
from pathlib import Path

import pytest

from engine.batch.check import CheckResult, check_sources
from engine.config.feed import FeedSettings
from engine.config.schema import Settings, WorkerSettings
from engine.model.keyframe import Codec
from engine.model.verdict import State
from tests.support.feed.clips import encode, scene
from tests.support.feed.hostile_pictures import bomb, costly_jpeg
from tests.support.feed.http_site import site

GOOD = encode(Codec.MJPEG, [scene(640, 480)])[0]
DEADLINE_S = 12.0


@pytest.fixture(scope="module")
def results() -> list[tuple[CheckResult, float]]:
    """What the sources come to, and the seconds that each took. The first waits until the kernels are compiled."""
    chosen = Settings(feed=FeedSettings(deadline_s=DEADLINE_S), worker=WorkerSettings(picture_cpu_s_max=0.2))
    pages = {"/bomb.jpg": bomb(), "/costly.jpg": costly_jpeg(), "/good.jpg": GOOD}
    found: list[tuple[CheckResult, float]] = []
    with site({path: ("image/jpeg", body) for path, body in pages.items()}) as base:
        began = time.monotonic()
        for result in check_sources([f"{base}/good.jpg", *(base + path for path in pages)], chosen):
            found.append((result, time.monotonic() - began))
            began = time.monotonic()
    return found


@pytest.mark.parametrize("number", [1, 2])
def test_it_says_too_costly_within_the_deadline(results: list[tuple[CheckResult, float]], number: int) -> None:
    result, took_s = results[number]
    assert (result.verdict.state, result.verdict.reason) == (State.UNKNOWN, "too_costly")
    assert result.measurement is None
    assert result.error is not None
    assert result.error[0] == "too_costly"
    assert took_s < DEADLINE_S


def test_the_source_after_it_is_judged_as_ever(results: list[tuple[CheckResult, float]]) -> None:
    before, after = results[0][0], results[3][0]
    assert after.measurement is not None
    assert before.measurement is not None
    assert after.measurement.figures == before.measurement.figures
    assert after.verdict.state in (State.OK, State.FAULT)


def test_a_file_is_no_safer_than_an_address(tmp_path: Path) -> None:
    file = tmp_path / "bomb.jpg"
    file.write_bytes(bomb())
    feed = FeedSettings(schemes=(*FeedSettings().schemes, "file"))
    (result,) = check_sources([str(file)], Settings(feed=feed))
    assert result.verdict.reason == "too_costly"
