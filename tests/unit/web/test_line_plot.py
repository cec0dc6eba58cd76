"""Plots drawn by the server: inside their frame, broken where a figure is missing."""

from hypothesis import given
from hypothesis import strategies as st

from engine.web.console.screens.line_plot import line_plot


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=40))
def test_every_point_lies_inside_and_every_known_figure_is_drawn(values: list[float | None]) -> None:
    plot = line_plot("t", [float(n) for n in range(len(values))], [("s", values)], 700, 200)
    points = [point for part in plot.lines[0].points for point in part.split(" ")]
    assert len(points) == sum(value is not None for value in values)
    for point in points:
        x, y = map(float, point.split(","))
        assert plot.left <= x <= plot.width - plot.right
        assert plot.top <= y <= plot.height - plot.bottom


def test_a_missing_figure_breaks_the_line() -> None:
    plot = line_plot("t", [0, 1, 2, 3], [("s", [1.0, None, 2.0, 3.0])], 700, 200)
    assert [len(part.split(" ")) for part in plot.lines[0].points] == [1, 2]
    assert [text for _, text in plot.ticks_y] == ["0", "2.5", "5"]
