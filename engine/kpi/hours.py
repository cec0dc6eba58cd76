"""Says which hours of the kitchens' time zone have ended, so that the day's counts are kept as they were then. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from engine.kpi.days import Days

_NS_PER_S = 1_000_000_000
_HOUR_NS = 3600 * _NS_PER_S
HOURS = 24


class HourEnds:
    """The hours that end one after the other. Hours that ended before `now_wall_ns` are left out: nobody counted then.

    Where the clocks are set back, the hour that comes twice ends twice, and the second end counts. Time zones are whole
    hours from one change to the next, or half and quarter hours: an hour ends when the clock of the zone says so.
    """

    def __init__(self, timezone: str, now_wall_ns: int) -> None:
        self.configure(timezone)
        self._end_ns = self._next_end_ns(now_wall_ns)

    def configure(self, timezone: str) -> None:
        """Use the hours of another time zone from the next end on."""
        self._zone = ZoneInfo(timezone)
        self._days = Days(timezone)

    def drain(self, now_wall_ns: int) -> list[tuple[int, int]]:
        """Return the hours that have ended since the last call, as (ordinal of the day, 0 to 23), oldest first.

        Of a longer time only the last HOURS are returned.
        """
        if now_wall_ns < self._end_ns:
            return []
        first_ns = max(self._end_ns, now_wall_ns - HOURS * _HOUR_NS)
        ends = range(self._next_end_ns(first_ns - 1), now_wall_ns + 1, _HOUR_NS)
        self._end_ns = self._next_end_ns(now_wall_ns)
        return [self._hour_before(end_ns) for end_ns in ends]

    def _hour_before(self, end_ns: int) -> tuple[int, int]:
        inside_ns = end_ns - 1
        return self._days.of(inside_ns), datetime.fromtimestamp(inside_ns // _NS_PER_S, self._zone).hour

    def _next_end_ns(self, wall_ns: int) -> int:
        """Return the first end of an hour after a time."""
        local = datetime.fromtimestamp(wall_ns // _NS_PER_S, self._zone)
        passed_ns = (local.minute * 60 + local.second) * _NS_PER_S + wall_ns % _NS_PER_S
        return wall_ns - passed_ns + _HOUR_NS
