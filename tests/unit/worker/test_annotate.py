"""The annotated picture marks what its verdict rests on, explains every colour, and keeps its words inside."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config.judge import JudgeSettings
from engine.decode.decoder import Decoder
from engine.decode.render import decode_rgb
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.kernels.summary import STRUCTURE_MIN
from engine.model.active_area import ActiveArea, figures_of
from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Measurement, Scores
from engine.model.verdict import Cause, FaultKind, State, UnknownReason, Verdict
from engine.model.visit import FeedKind
from engine.worker import annotate
from engine.worker.annotate import draw_check
from engine.worker.fonts import chinese_font_file
from engine.worker.process import measure
from engine.worker.tile_marks import AMBER, BLUE, GREEN, ORANGE, YELLOW, marks_of, score_texts
from tests.support.feed.clips import encode

HEIGHT, WIDTH = 540, 960
ROWS, COLUMNS = 9, 16
TITLE = "13010200001320000002  切配间 第一中学食堂  2026-03-02T08:00:00Z"
SCORES = Scores(22.0, 98.0, 12.0)
VERDICT = Verdict("c", 1, 10**18, State.FAULT, (FaultKind.BLURRED,), scores=SCORES, figures={"luma_mean": 120.0})


def soft_squares_beside_a_wall() -> np.ndarray:
    """A picture whose left half is a plain wall with a sensor's noise, and whose right half is out of focus."""
    rng = np.random.default_rng(3)
    grey = np.full((HEIGHT, WIDTH), 150.0)
    squares = np.kron(rng.integers(20, 235, (HEIGHT // 30, WIDTH // 60)), np.ones((30, 30)))
    grey[:, WIDTH // 2 :] = squares
    kernel = np.ones(15) / 15
    for axis in (0, 1):
        right = grey[:, WIDTH // 2 :]
        padded = np.pad(right, [(7, 7) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        grey[:, WIDTH // 2 :] = np.apply_along_axis(lambda line: np.convolve(line, kernel, "valid"), axis, padded)
    noisy = np.clip(grey + rng.normal(0, 1.5, grey.shape), 0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def blurred() -> tuple[np.ndarray, Measurement, Verdict]:
    """The picture after a real codec, with its measurement and its verdict."""
    payload = encode(Codec.H264, [soft_squares_beside_a_wall()], options={"crf": "18"})[0]
    decoder = Decoder()
    try:
        measurement = measure(decoder, Keyframe("c", 1, Codec.H264, payload, 10**18, None, FeedKind.RTSP))
    finally:
        decoder.close()
    verdict, _ = judge_measurement(measurement, JudgeState(), JudgeSettings(), only_visit=True)
    return decode_rgb(Codec.H264, payload), measurement, verdict


def marks(measurement: Measurement, verdict: Verdict) -> dict[tuple[int, int, int], np.ndarray]:
    assert measurement.tiles is not None
    return {mark.colour: mark.tiles for mark in marks_of(verdict, measurement.tiles, STRUCTURE_MIN)}


def test_a_blurred_picture_is_marked_where_it_has_edges_and_not_on_a_plain_wall(
    blurred: tuple[np.ndarray, Measurement, Verdict],
) -> None:
    _, measurement, verdict = blurred
    assert FaultKind.BLURRED in verdict.kinds
    soft = marks(measurement, verdict)[ORANGE]
    assert soft[:, COLUMNS // 2 :].sum() > 20
    assert not soft[:, : COLUMNS // 2 - 1].any(), "nothing is wrong with a wall"
    assert not soft[:2].any(), "clock and name are burnt in there"
    assert not soft[7:].any()


def test_what_is_not_marked_looks_as_the_camera_sent_it(blurred: tuple[np.ndarray, Measurement, Verdict]) -> None:
    rgb, measurement, verdict = blurred
    sheet = np.asarray(draw_check(rgb, measurement.tiles, verdict, TITLE, STRUCTURE_MIN))
    header = next(row for row in range(sheet.shape[0]) if (sheet[row : row + HEIGHT, :200] == rgb[:, :200]).all())
    drawn = sheet[header : header + HEIGHT]
    soft = marks(measurement, verdict)[ORANGE]
    row, column = np.argwhere(soft)[0]
    tile = np.s_[row * HEIGHT // ROWS : (row + 1) * HEIGHT // ROWS, column * WIDTH // COLUMNS + 20]
    assert (drawn[tile] != rgb[tile]).any(axis=1).all()


def test_beside_a_baseline_no_tile_is_called_soft_by_itself(blurred: tuple[np.ndarray, Measurement, Verdict]) -> None:
    _, measurement, verdict = blurred
    compared = replace(verdict, figures={**verdict.figures, "sharpness_ratio": 0.5})
    assert measurement.tiles is not None
    (mark,) = marks_of(compared, measurement.tiles, STRUCTURE_MIN)
    assert "this camera's usual sharpness" in mark.words[0]
    assert score_texts(compared)[0][0] == "sharpness 50 % of the usual (limit 82 %)"


def test_a_doubtful_picture_shows_both_limits(blurred: tuple[np.ndarray, Measurement, Verdict]) -> None:
    _, measurement, verdict = blurred
    thresholds = {**verdict.thresholds, "sharpness_min": 0.0, "sharpness_sure_min": 100.0}
    doubtful = replace(
        verdict, state=State.UNKNOWN, kinds=(), reason=UnknownReason.DOUBTFUL.value, thresholds=thresholds
    )
    assert set(marks(measurement, doubtful)) <= {AMBER, GREEN}
    assert AMBER in marks(measurement, doubtful)


def test_an_ok_picture_has_only_lines_where_sharpness_was_measured(
    blurred: tuple[np.ndarray, Measurement, Verdict],
) -> None:
    _, measurement, verdict = blurred
    assert measurement.tiles is not None
    (mark,) = marks_of(replace(verdict, state=State.OK, kinds=()), measurement.tiles, STRUCTURE_MIN)
    assert (mark.colour, mark.tinted) == (GREEN, False)


def test_a_cover_is_marked_where_the_judge_found_it(blurred: tuple[np.ndarray, Measurement, Verdict]) -> None:
    _, measurement, verdict = blurred
    covered = replace(verdict, kinds=(FaultKind.PARTLY_COVERED,), tiles=(0, 1, 17))
    assert np.flatnonzero(marks(measurement, covered)[ORANGE]).tolist() == [0, 1, 17]


def test_marks_lie_within_the_bars_and_a_line_shows_where_these_end(
    blurred: tuple[np.ndarray, Measurement, Verdict],
) -> None:
    rgb, measurement, verdict = blurred
    area = ActiveArea(2500, 0, 7500, 10_000)
    covered = replace(verdict, kinds=(FaultKind.PARTLY_COVERED,), tiles=(0,), figures=figures_of(area))
    sheet = np.asarray(draw_check(rgb, measurement.tiles, covered, "", STRUCTURE_MIN)).astype(int)
    top = next(row for row in range(sheet.shape[0]) if np.array_equal(sheet[row, :9], rgb[0, :9]))
    changed = np.abs(sheet[top : top + HEIGHT] - rgb).sum(axis=2) > 0
    left, tile = WIDTH // 4, WIDTH // 2 // COLUMNS
    assert changed[: HEIGHT // ROWS, left : left + tile].all(), "the first tile is at the left of the area"
    assert changed[:, left].all()
    assert changed[:, 3 * WIDTH // 4 - 1].all()
    assert not changed[HEIGHT // ROWS + 4 : -4, left + 4 : 3 * WIDTH // 4 - 4].any()
    assert not changed[:, :left].any()


def test_a_cover_without_a_baseline_is_marked_where_nothing_can_be_seen(
    blurred: tuple[np.ndarray, Measurement, Verdict],
) -> None:
    _, measurement, verdict = blurred
    nothing = marks(measurement, replace(verdict, kinds=(FaultKind.COVERED,), tiles=()))[ORANGE]
    assert nothing[:, : COLUMNS // 2 - 1].all()
    assert not nothing[2:7, COLUMNS // 2 + 1 :].any()


@pytest.mark.parametrize(
    ("kind", "colour", "level"), [(FaultKind.TOO_DARK, BLUE, 0), (FaultKind.TOO_BRIGHT, YELLOW, 255)]
)
def test_light_is_marked_where_it_is_lost(
    blurred: tuple[np.ndarray, Measurement, Verdict], kind: FaultKind, colour: tuple[int, int, int], level: int
) -> None:
    _, measurement, verdict = blurred
    assert measurement.tiles is not None
    luma = measurement.tiles.luma.copy()
    luma[:] = 128
    luma[3, 4] = level
    lit = replace(measurement, tiles=measurement.tiles._replace(luma=luma))
    assert np.argwhere(marks(lit, replace(verdict, kinds=(kind,)))[colour]).tolist() == [[3, 4]]


@pytest.mark.parametrize("width", [320, 640, 1920])
@pytest.mark.parametrize("font", ["chinese", "latin"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "kinds": tuple(FaultKind),
            "cause": Cause.DEFOCUS,
            "detail": "34 % of the picture hidden: right, bottom right",
        },
        {"kinds": (FaultKind.BLURRED,), "figures": {"sharpness_ratio": 0.5, "hidden_share": 0.2, "luma_mean": 100.0}},
        {"kinds": (FaultKind.FROZEN,), "cause": Cause.PICTURE_STILL},
        {"state": State.UNKNOWN, "kinds": (), "reason": "doubtful", "detail": "sharpness 41: sharp from 60 on"},
        {"state": State.OK, "kinds": (), "scores": Scores(None, None, None), "figures": {}},
    ],
)
def test_no_word_runs_out_of_the_sheet(
    blurred: tuple[np.ndarray, Measurement, Verdict],
    width: int,
    font: str,
    changes: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if font == "chinese" and chinese_font_file() is None:
        pytest.skip("needs a font with Chinese characters: apt-get install fonts-wqy-zenhei")
    if font == "latin":
        monkeypatch.setattr(annotate, "chinese_font_file", lambda: None)
    _, measurement, _ = blurred
    height = width * 9 // 16
    rgb = np.full((height, width, 3), 90, np.uint8)
    sheet = np.asarray(draw_check(rgb, measurement.tiles, replace(VERDICT, **changes), TITLE, STRUCTURE_MIN))
    assert sheet.shape[1] == max(640, width)
    picture = sheet.shape[1] * 9 // 16
    assert sheet.shape[0] > picture + 50
    edge = sheet[:, -2:]
    beside = (edge == (24, 26, 31)).all(axis=(1, 2))
    assert beside.sum() == sheet.shape[0] - picture, "words or their ends stand at the border"


def test_a_picture_is_drawn_at_the_size_asked_for_so_that_its_words_stay_readable(
    blurred: tuple[np.ndarray, Measurement, Verdict],
) -> None:
    rgb, measurement, verdict = blurred
    large = np.repeat(np.repeat(rgb, 2, axis=0), 2, axis=1)
    small = draw_check(large, measurement.tiles, verdict, TITLE, STRUCTURE_MIN, side_px_max=640)
    assert small.width == 640
    assert small.height < 640


def test_a_name_that_the_font_does_not_have_is_left_out() -> None:
    assert annotate._latin(TITLE) == "13010200001320000002 2026-03-02T08:00:00Z"


def test_a_font_file_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    from engine.worker.fonts import font

    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert font(14, tmp_path / "broken.ttf").getbbox("A") == font(14, None).getbbox("A")
