"""Nothing is called wrong on one reading, or on two that do not agree."""

from dataclasses import replace

from engine.clock import NS_PER_S
from engine.overlay.clock_rules import ClockCheck, ClockSign
from engine.overlay.clock_text import parse_clock
from engine.overlay.confirmation import APART_NS, CameraReading, Confirmation, Finding
from engine.overlay.name_rules import NameSign

HOUR_NS = 3600 * NS_PER_S
OFF = CameraReading(
    HOUR_NS, parse_clock("2024-03-01 12:00:00"), ClockCheck(ClockSign.WRONG, -600), "后厨1", NameSign.RIGHT
)
OFF_LATER = replace(OFF, arrival_wall_ns=2 * HOUR_NS, clock_reading=parse_clock("2024-03-01 13:00:00"))
RIGHT = replace(OFF_LATER, clock=ClockCheck(ClockSign.RIGHT, 1))


def test_a_clock_is_off_when_two_readings_agree_by_how_much() -> None:
    confirmation = Confirmation()
    first = confirmation.add("c1", OFF)
    assert (first.clock, first.name, first.is_open) == (None, Finding.RIGHT, True)
    drifted = replace(OFF_LATER, clock=ClockCheck(ClockSign.WRONG, -605))
    second = confirmation.add("c1", drifted)
    assert (second.clock, second.is_open) == (Finding.OFF, False)


def test_two_readings_that_disagree_confirm_nothing() -> None:
    confirmation = Confirmation()
    confirmation.add("c1", OFF)
    misread = replace(OFF_LATER, clock=ClockCheck(ClockSign.WRONG, -36_600))
    assert confirmation.add("c1", misread).clock is None
    later = parse_clock("2024-03-01 04:00:00")
    third = replace(misread, arrival_wall_ns=3 * HOUR_NS, clock_reading=later)
    assert confirmation.add("c1", third).clock is Finding.OFF


def test_a_clock_stands_when_it_shows_the_same_again() -> None:
    confirmation = Confirmation()
    confirmation.add("c1", OFF)
    stands = replace(OFF_LATER, clock_reading=OFF.clock_reading, clock=ClockCheck(ClockSign.WRONG, -4200))
    assert confirmation.add("c1", stands).clock is Finding.STANDS


def test_the_same_keyframe_and_one_too_soon_after_it_confirm_nothing() -> None:
    confirmation = Confirmation()
    confirmation.add("c1", OFF)
    for again in (OFF, replace(OFF_LATER, arrival_wall_ns=HOUR_NS + APART_NS - 1)):
        conclusion = confirmation.add("c1", again)
        assert (conclusion.clock, conclusion.is_open) == (None, True)
    assert confirmation.add("c1", OFF_LATER).clock is Finding.OFF


def test_a_right_reading_is_enough_and_clears_the_doubt() -> None:
    confirmation = Confirmation()
    confirmation.add("c1", OFF)
    assert confirmation.add("c1", RIGHT).clock is Finding.RIGHT
    again = replace(OFF_LATER, arrival_wall_ns=3 * HOUR_NS)
    assert confirmation.add("c1", again).clock is None


def test_an_unsure_reading_says_nothing() -> None:
    unsure = replace(OFF, clock_reading=None, clock=ClockCheck(ClockSign.UNSURE), name_sign=NameSign.UNSURE)
    conclusion = Confirmation().add("c1", unsure)
    assert (conclusion.clock, conclusion.name, conclusion.is_open) == (None, None, False)


def test_a_name_is_wrong_when_two_readings_show_the_same_text() -> None:
    confirmation = Confirmation()
    wrong = replace(RIGHT, arrival_wall_ns=HOUR_NS, name="东门出口", name_sign=NameSign.WRONG)
    assert confirmation.add("c1", wrong).name is None
    other = replace(wrong, arrival_wall_ns=2 * HOUR_NS, name="小心地滑")
    assert confirmation.add("c1", other).name is None
    same = replace(other, arrival_wall_ns=3 * HOUR_NS, name="小心地 滑")
    assert confirmation.add("c1", same).name is Finding.OFF


def test_cameras_that_are_gone_are_forgotten() -> None:
    confirmation = Confirmation()
    confirmation.add("c1", OFF)
    confirmation.forget({"c1", "c2"})
    assert confirmation.add("c1", OFF_LATER).clock is None
