"""Decides from the readings of one camera what is sure: nothing is called wrong on one reading alone. Pure.

Two readings count whose keyframes arrived far enough apart. A clock is wrong if it is off by the same time in
both, which no misread digit is, or shows the same in both: then it stands. A name is wrong if both show the same text.
"""

from dataclasses import dataclass
from enum import Enum

from engine.clock import NS_PER_S
from engine.overlay.clock_rules import ClockCheck, ClockSign
from engine.overlay.clock_text import ClockReading
from engine.overlay.name_rules import NameSign, is_same_text

APART_NS = 120 * NS_PER_S
"""Two readings confirm one another from this distance on: a clock that stands is then behind for sure."""
_DRIFT_S = 10
"""Two offsets are the same up to this: arrival trails the picture by the wait for a keyframe, now more, now less."""
_MINUTE_S = 60


class Finding(Enum):
    """What two readings show."""

    RIGHT = "right"
    OFF = "off"
    """Wrong, and for a clock: it runs."""
    STANDS = "stands"
    """Of a clock: it shows the same in both."""


@dataclass(frozen=True, slots=True)
class CameraReading:
    """What was read of one keyframe. `clock_reading`: None if no clock was sure. `name`: the lines that may be the
    name, as one text."""

    arrival_wall_ns: int
    clock_reading: ClockReading | None
    clock: ClockCheck
    name: str
    name_sign: NameSign


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is sure of a camera; None where nothing is. `is_open`: whether another reading is needed to be sure."""

    clock: Finding | None
    name: Finding | None
    is_open: bool


class Confirmation:
    """The last reading of each camera that was not all right. A restart forgets them, and they are read again."""

    def __init__(self) -> None:
        self._doubtful: dict[str, CameraReading] = {}

    def add(self, camera_id: str, reading: CameraReading) -> Conclusion:
        """Add a reading; return what it and the one before it show."""
        before = self._doubtful.get(camera_id)
        if before is not None and not _count_together(before, reading):
            return Conclusion(_if_right(reading.clock.sign), _if_right(reading.name_sign), is_open=True)
        clock, name = _clock(before, reading), _name(before, reading)
        doubtful = ClockSign.WRONG is reading.clock.sign or NameSign.WRONG is reading.name_sign
        if doubtful:
            self._doubtful[camera_id] = reading
        else:
            self._doubtful.pop(camera_id, None)
        is_open = (clock is None and reading.clock.sign is ClockSign.WRONG) or (
            name is None and reading.name_sign is NameSign.WRONG
        )
        return Conclusion(clock, name, is_open)

    def forget(self, camera_ids: set[str]) -> None:
        """Forget cameras that left the registry."""
        for camera_id in camera_ids & self._doubtful.keys():
            del self._doubtful[camera_id]


def _count_together(before: CameraReading, reading: CameraReading) -> bool:
    """Return whether two readings are of keyframes far enough apart; a wall clock may have been set back."""
    return abs(reading.arrival_wall_ns - before.arrival_wall_ns) >= APART_NS


def _if_right(sign: ClockSign | NameSign) -> Finding | None:
    return Finding.RIGHT if sign in (ClockSign.RIGHT, NameSign.RIGHT) else None


def _clock(before: CameraReading | None, reading: CameraReading) -> Finding | None:
    if reading.clock.sign is not ClockSign.WRONG:
        return _if_right(reading.clock.sign)
    if before is None or before.clock_reading is None or reading.clock_reading is None:
        return None
    drift_s = _DRIFT_S if reading.clock_reading.has_seconds else _MINUTE_S
    both_wrong = before.clock.sign is ClockSign.WRONG
    if both_wrong and abs(before.clock.offset_s - reading.clock.offset_s) <= drift_s:
        return Finding.OFF
    return Finding.STANDS if before.clock_reading == reading.clock_reading else None


def _name(before: CameraReading | None, reading: CameraReading) -> Finding | None:
    if reading.name_sign is not NameSign.WRONG:
        return _if_right(reading.name_sign)
    if before is None or before.name_sign is not NameSign.WRONG:
        return None
    return Finding.OFF if is_same_text(before.name, reading.name) else None
