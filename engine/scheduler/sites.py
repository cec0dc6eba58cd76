"""Canteens as the scheduler sees them: id, region and hours, each combination once, and the window each has. Pure."""

from array import array

from engine.config.calendar import Calendar
from engine.scheduler.windows import Window, Windows

_NOBODY = ("", "", "")


class Sites:
    """Index 0 is no canteen; it is never given away. An index is given anew once no camera has it."""

    def __init__(self) -> None:
        self._sites: list[tuple[str, str, str]] = [_NOBODY]
        self._index: dict[tuple[str, str, str], int] = {_NOBODY: 0}
        self._members = array("I", [0])
        self._free: list[int] = []
        self._configured: tuple[Calendar, str] | None = None
        self.configure(Calendar(), "")

    @property
    def windows(self) -> list[Window]:
        """All windows in use, by index."""
        return self._windows.all

    def configure(self, calendar: Calendar, default_hours: str) -> None:
        """Windows of all canteens anew."""
        self._windows, self._window = self.under(calendar, default_hours)
        self._configured = (calendar, default_hours)

    def under(self, calendar: Calendar, default_hours: str) -> "tuple[Windows, array[int]]":
        """The windows that such a calendar makes, and which of them each canteen has."""
        if self._configured == (calendar, default_hours):
            return self._windows, self._window
        windows = Windows(calendar, default_hours)
        return windows, array("I", (windows.of(*site) for site in self._sites))

    def window(self, index: int) -> int:
        """The window of a canteen."""
        return self._window[index]

    def is_open(self, site_id: str, region: str, hours: str, wall_ns: int) -> bool:
        """Whether a kitchen works at this moment; one that was never joined counts as working."""
        index = self._index.get((site_id, region, hours))
        return index is None or self.windows[self._window[index]].is_open(wall_ns)

    def join(self, site_id: str, region: str, hours: str) -> int:
        """A camera belongs to it."""
        site = (site_id, region, hours)
        index = self._index.get(site)
        if index is None:
            if self._free:
                index = self._free.pop()
                self._sites[index] = site
            else:
                index = len(self._sites)
                self._sites.append(site)
                self._members.append(0)
                self._window.append(0)
            self._index[site] = index
            self._window[index] = self._windows.of(site_id, region, hours)
        self._members[index] += 1
        return index

    def leave(self, index: int) -> None:
        """A camera no longer belongs to it."""
        if not index:
            return
        self._members[index] -= 1
        if not self._members[index]:
            del self._index[self._sites[index]]
            self._free.append(index)
