"""`patrol check` accuses no camera of what the machine or the engine does: a slow compile, a process that ends."""

from pathlib import Path

import pytest

from engine.batch import measuring
from engine.batch.check import check_sources
from engine.config.feed import FeedSettings
from engine.config.schema import Settings
from engine.errors import PatrolError
from engine.model.keyframe import Codec
from tests.support.command_line import patrol
from tests.support.feed.clips import encode, scene
from tests.support.slow_start import END, compute_until, slow_import

CHILD = "engine.worker.measuring_child"
FILES = Settings(feed=FeedSettings(schemes=(*FeedSettings().schemes, "file")))


@pytest.fixture
def picture(tmp_path: Path) -> str:
    file = tmp_path / "good.jpg"
    file.write_bytes(encode(Codec.MJPEG, [scene(640, 480)])[0])
    return str(file)


def test_it_waits_for_the_compile_and_says_so(picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, told = tmp_path / "compiled", []
    slow_import(tmp_path / "site", monkeypatch, CHILD, compute_until(compiled))
    monkeypatch.setattr(measuring, "SILENT_S", 0.5)

    def tell(sentence: str) -> None:
        told.append(sentence)
        compiled.touch()

    (result,) = check_sources([picture], FILES, tell=tell)
    assert result.measurement is not None
    assert len(told) == 1
    assert "compiled for this machine" in told[0]


def test_a_machine_that_is_too_slow_is_named_and_no_picture_is_called_damaged(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_import(tmp_path / "site", monkeypatch, CHILD, compute_until(tmp_path / "never"))
    monkeypatch.setattr(measuring, "SILENT_S", 0.5)
    monkeypatch.setattr(measuring, "COMPILE_S_MAX", 2.0)
    with pytest.raises(PatrolError, match="too slow or too busy"):
        list(check_sources([picture], FILES))


def test_a_picture_that_no_core_decodes_in_time_is_not_called_damaged(
    picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_ANSWER_TIMEOUT_S", 0.0)
    with pytest.raises(PatrolError, match="too slow or too busy"):
        list(check_sources([picture], FILES))


def test_a_process_that_ends_before_it_has_begun_ends_the_command_with_the_code_of_our_errors(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_import(tmp_path / "site", monkeypatch, CHILD, END)
    done = patrol("check", picture, timeout_s=300)
    assert done.returncode == 2
    assert "ended with 5 before it had begun" in done.stderr
    assert "damaged" not in done.stdout
