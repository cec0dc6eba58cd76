"""Which rows of the analysis plane are kept: what every pass relies on, at all sizes that there are."""

import numpy as np
import pytest

from engine.kernels import row_sampling
from engine.kernels.grid import CELL_ROWS, TILE_ROWS, factor, tile_borders

SIZES = [(lines, columns) for lines in range(32, 640, 3) for columns in (64, 352, 704, 960, 1280, 8192)]


@pytest.mark.parametrize("columns", [64, 704, 960, 8192])
def test_rows_are_counted_and_placed_as_their_list_says(columns: int) -> None:
    for lines in range(32, 640):
        step = row_sampling.step_of(lines, columns)
        listed = row_sampling.kept_lines(lines, step)
        assert [row_sampling.kept_count(some, step) for some in (1, lines // 2, lines)] == [
            np.count_nonzero(listed < some) for some in (1, lines // 2, lines)
        ]
        assert [row_sampling.line_of(row, step) for row in range(listed.size)] == listed.tolist()


def test_a_window_around_an_anchor_is_whole_wherever_the_plane_has_its_rows() -> None:
    for lines, columns in SIZES:
        step = row_sampling.step_of(lines, columns)
        listed = row_sampling.kept_lines(lines, step)
        apart = row_sampling.spacing(step)
        anchors = range(step, lines - row_sampling.ROWS_AFTER, step)
        for strip, anchor in enumerate(anchors, 1):
            window = listed[strip * apart - row_sampling.ROWS_BEFORE : strip * apart + row_sampling.ROWS_AFTER + 1]
            if anchor >= row_sampling.ROWS_BEFORE:
                assert window.tolist() == list(
                    range(anchor - row_sampling.ROWS_BEFORE, anchor + row_sampling.ROWS_AFTER + 1)
                )


def test_every_cell_has_rows_and_every_tile_has_as_many_anchors_as_its_sums_can_hold() -> None:
    for lines, columns in SIZES:
        step = row_sampling.step_of(lines, columns)
        listed = row_sampling.kept_lines(lines, step)
        in_cells = np.histogram(listed, tile_borders(lines, CELL_ROWS))[0]
        in_tiles = np.histogram(listed[listed % step == 0], tile_borders(lines, TILE_ROWS))[0]
        assert in_cells.min() >= 1
        assert min(7, lines // TILE_ROWS) <= in_tiles.min()
        assert in_tiles.max() <= 64


def test_a_camera_of_1080_lines_has_six_of_eight_rows_read_and_a_small_one_all() -> None:
    assert factor(1080).length(1080) == 540
    step = row_sampling.step_of(540, 960)
    assert (step, row_sampling.kept_count(540, step)) == (8, 406)
    assert row_sampling.step_of(576, 704) == row_sampling.DENSE_STEP_MAX
    assert row_sampling.step_of(288, 352) == 1
    assert row_sampling.kept_count(288, 1) == 288
    assert row_sampling.kept_count(576, row_sampling.step_of(576, 704)) == 576
