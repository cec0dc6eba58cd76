"""Finds in the lines of a picture the clock, and the lines that may be its name. Pure.

What a camera burns in stands in a band along the upper or lower edge, level, and in letters of one size. So what is of
another size than the clock is no name: it is written on a wall or a box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.model.overlay import Box, PictureText, TextLine
from engine.overlay.clock_text import ClockReading, is_date_only, parse_clock

BAND_SHARE = 0.2
"""Height of the bands in which overlays stand, as a share of the picture's."""
_ROW_OVERLAP = 0.6
"""Two lines stand in one row if they share so much of the height of the lower one."""
_SAME_HEIGHT = 1.35
"""Letters are of one size if their lines differ by less than this ratio."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of a picture. `text`: as it was read. `box`: where it stands. `letter_px`: height of its letters."""

    reading: ClockReading
    text: str
    box: Box
    letter_px: int


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is burnt into one picture. `clock`: None if none is sure. `names`: lines that may be the camera's name."""

    clock: Clock | None
    names: tuple[TextLine, ...]


def overlay_of(text: PictureText, confidence_min: float) -> Overlay:
    """Return the clock and the names in a picture. Lines that are read with less confidence are left out.

    Two clocks that do not agree are none. Without a clock there is no name: nothing tells it from other writing.
    """
    rows = _rows([line for line in text.lines if _in_band(line.box, text.height)])
    clocks = [clock for row in rows if (clock := _clock_of(row, confidence_min)) is not None]
    if not clocks and (joined := _two_rows(rows, confidence_min)) is not None:
        clocks = [joined]
    if not clocks or any(clock.reading != clocks[0].reading for clock in clocks):
        return Overlay(None, ())
    clock = clocks[0]
    names = [
        line
        for row in rows
        for line in row
        if line.confidence >= confidence_min and _may_be_name(line, clock) and not _overlaps(line.box, clocks)
    ]
    return Overlay(clock, tuple(names))


def _in_band(box: Box, height: int) -> bool:
    band = BAND_SHARE * height
    return box.bottom <= band or box.top >= height - band


def _rows(lines: Sequence[TextLine]) -> list[list[TextLine]]:
    """Return the lines by the row in which they stand, each from left to right."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: line.box.top):
        row = next((row for row in rows if _in_one_row(row[0].box, line.box)), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    return [sorted(row, key=lambda line: line.box.left) for row in rows]


def _in_one_row(one: Box, other: Box) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared >= _ROW_OVERLAP * min(one.height, other.height)


def _clock_of(row: Sequence[TextLine], confidence_min: float) -> Clock | None:
    """Return the clock of a row: of one of its lines, or of neighbours that make one together."""
    found: list[Clock] = []
    for first in range(len(row)):
        for last in range(first + 1, min(len(row), first + 3) + 1):
            clock = _clock(row[first:last], confidence_min)
            if clock is not None and (not found or (clock.reading.dates and not found[-1].reading.dates)):
                found = [clock]
    return found[0] if found else None


def _two_rows(rows: Sequence[Sequence[TextLine]], confidence_min: float) -> Clock | None:
    """Return a clock whose date and time stand in two rows."""
    dates = [line for row in rows for line in row if is_date_only(line.text)]
    if len(dates) != 1:
        return None
    others = [line for row in rows for line in row if line is not dates[0]]
    found = [clock for line in others if (clock := _clock([dates[0], line], confidence_min)) is not None]
    return found[0] if len(found) == 1 else None


def _clock(lines: Sequence[TextLine], confidence_min: float) -> Clock | None:
    if any(line.confidence < confidence_min for line in lines):
        return None
    text = " ".join(line.text for line in lines)
    reading = parse_clock(text)
    if reading is None:
        return None
    return Clock(reading, text, _around([line.box for line in lines]), lines[0].box.height)


def _around(boxes: Sequence[Box]) -> Box:
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.left + box.width for box in boxes), max(box.bottom for box in boxes)
    return Box(left, top, right - left, bottom - top)


def _may_be_name(line: TextLine, clock: Clock) -> bool:
    """Return whether a line is in letters of the clock's size, and no date or time itself."""
    low, high = sorted((line.box.height, clock.letter_px))
    return high < _SAME_HEIGHT * low and not is_date_only(line.text) and parse_clock(line.text) is None


def _overlaps(box: Box, clocks: Sequence[Clock]) -> bool:
    """Return whether a line is one of those that a clock was read from."""
    return any(
        box.left < clock.box.left + clock.box.width
        and clock.box.left < box.left + box.width
        and box.top < clock.box.bottom
        and clock.box.top < box.bottom
        for clock in clocks
    )
