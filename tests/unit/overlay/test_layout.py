"""The clock and the name of a picture are told from other writing by place, size and confidence."""

from engine.model.overlay import Box, PictureText, TextLine
from engine.overlay.layout import overlay_of

SURE = 0.95


def line(text: str, left: int, top: int, height: int = 40, confidence: float = SURE) -> TextLine:
    return TextLine(text, confidence, Box(left, top, 20 * len(text), height))


def picture(*lines: TextLine) -> PictureText:
    return PictureText(1920, 1080, lines)


CLOCK = line("2024-03-01 12:34:56", 20, 20)
NAME = line("后厨1", 1600, 1000)


def test_clock_and_name_are_found() -> None:
    overlay = overlay_of(picture(CLOCK, NAME), 0.9)
    assert overlay.clock is not None
    assert overlay.clock.box == CLOCK.box
    assert overlay.names == (NAME,)


def test_date_and_time_may_be_two_lines_of_a_row() -> None:
    overlay = overlay_of(picture(line("2024-03-01", 20, 20), line("12:34:56", 300, 22), NAME), 0.9)
    assert overlay.clock is not None
    assert overlay.clock.reading.dates
    assert overlay.clock.box == Box(20, 20, 440, 42)
    assert overlay.names == (NAME,)


def test_date_and_time_may_stand_in_two_rows() -> None:
    overlay = overlay_of(picture(line("2024-03-01", 20, 20), line("12:34:56", 20, 80)), 0.9)
    assert overlay.clock is not None


def test_a_line_that_is_read_with_little_confidence_is_no_clock_and_no_name() -> None:
    assert overlay_of(picture(line("2024-03-01 12:34:56", 20, 20, confidence=0.8), NAME), 0.9).clock is None
    assert overlay_of(picture(CLOCK, line("后厨1", 1600, 1000, confidence=0.8)), 0.9).names == ()


def test_clocks_that_contradict_each_other_are_none() -> None:
    assert overlay_of(picture(CLOCK, line("2024-03-01 12:34:57", 20, 1000)), 0.9).clock is None


def test_writing_of_another_size_or_in_the_middle_is_no_name() -> None:
    poster, label = line("洗手消毒", 1200, 20, height=80), line("留样柜", 900, 540)
    assert overlay_of(picture(CLOCK, poster, label), 0.9).names == ()


def test_without_a_clock_there_is_no_name() -> None:
    assert overlay_of(picture(NAME), 0.9).names == ()
