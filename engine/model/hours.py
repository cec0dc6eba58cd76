"""Parses the working hours of a kitchen, as the registry and the calendar write them. Pure.

Example: `mon-fri 05:30-13:30,16:00-19:00; sat 06:00-12:00`. Days come first; without them the times hold for every
day. An interval may run past midnight; 24:00 is the end of a day.
"""

import re
from dataclasses import dataclass

MINUTES_A_DAY = 1440
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALLOWED = "[days ]HH:MM-HH:MM[,HH:MM-HH:MM][; ...] with days like mon-fri or sat,sun"

_INTERVAL = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)", re.ASCII)

Intervals = tuple[tuple[int, int], ...]
"""(from, to) in minutes since midnight, ascending and disjoint; `to` is exclusive."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekly working hours. `days`: the intervals of each weekday, index 0 is Monday; empty if the kitchen rests."""

    days: tuple[Intervals, ...]

    @property
    def always(self) -> bool:
        """Whether the kitchen works around the clock."""
        return all(day == ((0, MINUTES_A_DAY),) for day in self.days)


ALWAYS = Hours((((0, MINUTES_A_DAY),),) * len(DAYS))


def parse_hours(text: str) -> Hours:
    """Parse the text; empty means always. Raises ValueError with one sentence: what is wrong, and what is allowed."""
    if not text.strip():
        return ALWAYS
    days: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for part in text.split(";"):
        _parse_part(part.strip(), days)
    return Hours(tuple(_merged(day) for day in days))


def _parse_part(part: str, days: list[list[tuple[int, int]]]) -> None:
    names, _, times = part.rpartition(" ")
    weekdays = _parse_days(names.strip()) if names.strip() else range(len(DAYS))
    for interval in times.split(","):
        match = _INTERVAL.fullmatch(interval.strip())
        if match is None:
            raise ValueError(f"{interval.strip()!r} is no interval; allowed: {ALLOWED}")
        begin, end = (60 * int(match[n]) + int(match[n + 1]) for n in (1, 3))
        if begin >= MINUTES_A_DAY or end > MINUTES_A_DAY:
            raise ValueError(f"{interval.strip()!r} is past the end of a day; allowed: 00:00 to 24:00 in {ALLOWED}")
        if begin == end:
            raise ValueError(f"{interval.strip()!r} never opens; for the whole day write 00:00-24:00")
        for day in weekdays:
            if begin < end:
                days[day].append((begin, end))
            else:
                days[day].append((begin, MINUTES_A_DAY))
                if end:
                    days[(day + 1) % len(DAYS)].append((0, end))


def _parse_days(text: str) -> list[int]:
    weekdays: list[int] = []
    for piece in text.split(","):
        first, _, last = piece.strip().partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"{piece.strip()!r} is no day; allowed: {', '.join(DAYS)}, or a range like mon-fri")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        weekdays += range(begin, end + 1) if begin <= end else [*range(begin, len(DAYS)), *range(end + 1)]
    return weekdays


def _merged(intervals: list[tuple[int, int]]) -> Intervals:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)
