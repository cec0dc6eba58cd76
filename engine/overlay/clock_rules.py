"""Compares the clock in a picture with the time at which the picture arrived. Pure."""

import datetime
from dataclasses import dataclass
from enum import Enum
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S
from engine.overlay.clock_text import ClockReading

_DAY_S = 86_400
_HALF_DAY_S = _DAY_S // 2
_MINUTE_S = 59
"""A clock without seconds may be this far into its minute."""


class ClockSign(Enum):
    """What a clock in one picture says."""

    RIGHT = "right"
    WRONG = "wrong"
    UNSURE = "unsure"
    """No clock was read, or it allows more than one answer."""


@dataclass(frozen=True, slots=True)
class ClockCheck:
    """One comparison. `offset_s`: seconds by which the clock is ahead of the arrival; negative if it is behind, 0 if
    unsure."""

    sign: ClockSign
    offset_s: int = 0


def check_clock(reading: ClockReading, arrival_wall_ns: int, zone: ZoneInfo, limit_s: float) -> ClockCheck:
    """Return whether a clock is within `limit_s` seconds of the arrival, in the cameras' time zone.

    Of two dates the one that is closer to the arrival counts: a wrong order of day and month is no wrong clock. A clock
    without a date is compared within the nearest half day. A clock of twelve hours that is wrong by half a day alone is
    unsure: its mark of AM or PM may not have been read.
    """
    arrival = datetime.datetime.fromtimestamp(arrival_wall_ns // NS_PER_S, zone).replace(tzinfo=None)
    offset_s = min((_offset_s(reading, date, arrival) for date in reading.dates or (None,)), key=abs)
    if abs(offset_s) <= limit_s:
        return ClockCheck(ClockSign.RIGHT, offset_s)
    if not reading.half_known and abs(abs(offset_s) - _HALF_DAY_S) <= limit_s:
        return ClockCheck(ClockSign.UNSURE)
    return ClockCheck(ClockSign.WRONG, offset_s)


def _offset_s(reading: ClockReading, date: datetime.date | None, arrival: datetime.datetime) -> int:
    shown = datetime.datetime.combine(date or arrival.date(), reading.time)
    offset_s = int((shown - arrival).total_seconds())
    if date is None:
        offset_s = (offset_s + _HALF_DAY_S) % _DAY_S - _HALF_DAY_S
    if reading.has_seconds:
        return offset_s
    return offset_s + min(_MINUTE_S, max(0, -offset_s))
