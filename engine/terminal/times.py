"""Prints times in one zone, with its label: the kitchens' zone, or UTC. Pure.

Column heads carry the label: `seen (UTC+8)`. JSON does not come from here; its times are UTC (formatting.utc_text).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_NS_PER_S = 1_000_000_000
_HALF_YEAR = timedelta(days=182)
UTC = "UTC"
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def span_ns(text: str) -> int | None:
    """Return how long a span such as `90m`, `24h` or `7d` is, in nanoseconds; None if the text is none."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in _UNIT_S):
        return None
    return int(number) * _UNIT_S[unit] * _NS_PER_S


@dataclass(frozen=True, slots=True)
class Times:
    """Times in the zone `zone` (such as Asia/Shanghai), for output that is made at `now_wall_ns`."""

    zone: str
    now_wall_ns: int

    @property
    def label(self) -> str:
        """The zone in few letters: its offset (UTC+8, UTC+5:30), or its name where clocks change within the year."""
        if self.zone == UTC:
            return UTC
        now = self._at(self.now_wall_ns)
        offset, later = now.utcoffset(), (now + _HALF_YEAR).utcoffset()
        if offset is None or offset != later:
            return self.zone
        minutes = round(offset.total_seconds() / 60)
        hours, rest = divmod(abs(minutes), 60)
        return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")

    def head(self, *names: str) -> list[str]:
        """Return the heads of columns that hold times: each name with the zone."""
        return [f"{name} ({self.label})" for name in names]

    def clock(self, wall_ns: int) -> str:
        """Return the time of day; a dash for 0 (never)."""
        return f"{self._at(wall_ns):%H:%M:%S}" if wall_ns else "-"

    def recent(self, wall_ns: int) -> str:
        """Return the time of day, with the date before it unless it is today's; a dash for 0 (never)."""
        if not wall_ns or self._at(wall_ns).date() == self._at(self.now_wall_ns).date():
            return self.clock(wall_ns)
        return self.day(wall_ns)

    def day(self, wall_ns: int) -> str:
        """Return date and time of day; a dash for 0 (never)."""
        return f"{self._at(wall_ns):%Y-%m-%d %H:%M:%S}" if wall_ns else "-"

    def sentence(self, wall_ns: int) -> str:
        """Return date, time of day and zone, for a time that stands in a sentence."""
        return f"{self.day(wall_ns)} ({self.label})"

    def weekday(self, wall_ns: int) -> str:
        """Return weekday, date, hour, minute and zone, for a time that stands in a sentence."""
        return f"{self._at(wall_ns):%a %Y-%m-%d %H:%M} ({self.label})"

    def _at(self, wall_ns: int) -> datetime:
        return datetime.fromtimestamp(wall_ns // _NS_PER_S, ZoneInfo(self.zone))
