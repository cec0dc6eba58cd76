"""Lines over time as SVG, drawn by the server: for pages that work without script. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 8, 22
_TICKS = 4
_LEAST = 1e-9


@dataclass(frozen=True)
class Line:
    """`points`: for each unbroken part of the line, as `points` of an SVG polyline."""

    name: str
    points: list[str]


@dataclass(frozen=True)
class LinePlot:
    """`width`, `height`, `left`, `top`, `right`, `bottom`: px. `ticks_x`, `ticks_y`: place in px and text."""

    title: str
    width: int
    height: int
    lines: list[Line]
    ticks_x: list[tuple[float, str]]
    ticks_y: list[tuple[float, str]]
    left: int = _LEFT
    top: int = _TOP
    right: int = _RIGHT
    bottom: int = _BOTTOM


def line_plot(
    title: str,
    times: Sequence[float],
    series: Sequence[tuple[str, Sequence[float | None]]],
    width: int,
    height: int,
) -> LinePlot:
    """Return a plot of some series over the same times; None breaks a line. The y axis begins at 0."""
    known = [value for _, values in series for value in values if value is not None]
    top = _nice(max(known, default=1.0))
    begin, end = (times[0], times[-1]) if times else (0.0, 1.0)
    span = (end - begin) or 1.0

    def x(time: float) -> float:
        return round(_LEFT + (time - begin) / span * (width - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(height - _BOTTOM - value / top * (height - _TOP - _BOTTOM), 1)

    lines = []
    for name, values in series:
        parts: list[list[str]] = [[]]
        for time, value in zip(times, values, strict=True):
            if value is None:
                parts.append([])
            else:
                parts[-1].append(f"{x(time)},{y(value)}")
        lines.append(Line(name, [" ".join(part) for part in parts if part]))
    ticks_x = [(x(begin + span * n / _TICKS), f"{begin + span * n / _TICKS:g}") for n in range(_TICKS + 1)]
    ticks_y = [(y(top * n / 2), f"{top * n / 2:g}") for n in range(3)]
    return LinePlot(title, width, height, lines, ticks_x, ticks_y)


def _nice(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, ... that is not below the value."""
    if value < _LEAST or not math.isfinite(value):
        return 1.0 if value <= 0 or not math.isfinite(value) else _LEAST
    scale = 10.0 ** math.floor(math.log10(value))
    return next((step * scale for step in (1, 2, 5) if step * scale >= value), 10 * scale)
