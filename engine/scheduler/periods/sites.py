"""Stores each combination of canteen, region and hours once, with its window. Pure."""

from array import array

from engine.config.calendar import Calendar
from engine.scheduler.periods.windows import Window, Windows

_NO_SITE = ("", "", "")


class Sites:
    """Sites by index, counted by camera; an index without cameras is reused. Index 0 is "no site" and stays taken."""

    def __init__(self) -> None:
        self._sites: list[tuple[str, str, str]] = [_NO_SITE]
        self._index: dict[tuple[str, str, str], int] = {_NO_SITE: 0}
        self._cameras = array("I", [0])
        self._free: list[int] = []
        self._configured: tuple[Calendar, str] | None = None
        self.configure(Calendar(), "")

    @property
    def windows(self) -> list[Window]:
        """All windows in use, by index."""
        return self._windows.by_index

    def configure(self, calendar: Calendar, default_hours: str) -> None:
        """Recompute the windows of all sites."""
        self._windows, self._window = self.windows_under(calendar, default_hours)
        self._configured = (calendar, default_hours)

    def windows_under(self, calendar: Calendar, default_hours: str) -> "tuple[Windows, array[int]]":
        """Return the windows under this calendar, and the window index of each site; changes nothing."""
        if self._configured == (calendar, default_hours):
            return self._windows, self._window
        windows = Windows(calendar, default_hours)
        return windows, array("I", (windows.index_of(*site) for site in self._sites))

    def window_of(self, index: int) -> int:
        """Return the window index of a site."""
        return self._window[index]

    def is_open(self, site_id: str, region: str, hours: str, wall_ns: int) -> bool:
        """Return whether a kitchen works at this moment; a site without cameras counts as working."""
        index = self._index.get((site_id, region, hours))
        return index is None or self.windows[self._window[index]].is_open(wall_ns)

    def acquire(self, site_id: str, region: str, hours: str) -> int:
        """Count one more camera of a site; return the site's index."""
        site = (site_id, region, hours)
        index = self._index.get(site)
        if index is None:
            if self._free:
                index = self._free.pop()
                self._sites[index] = site
            else:
                index = len(self._sites)
                self._sites.append(site)
                self._cameras.append(0)
                self._window.append(0)
            self._index[site] = index
            self._window[index] = self._windows.index_of(site_id, region, hours)
        self._cameras[index] += 1
        return index

    def release(self, index: int) -> None:
        """Count one camera less."""
        if not index:
            return
        self._cameras[index] -= 1
        if not self._cameras[index]:
            del self._index[self._sites[index]]
            self._free.append(index)
