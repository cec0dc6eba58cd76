"""What the scheduler's cameras ask of caps, machine and calendar, in sentences for operators. Changes nothing. Pure."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.config.calendar import Calendar
from engine.config.capacity import CameraGroups, Fleet, Load, capacity_shortfalls
from engine.config.schema import SchedulerSettings, Settings
from engine.scheduler.classes import CameraClass
from engine.scheduler.table import ENABLED, GONE, PUSH, CameraState
from engine.scheduler.timing import DEMUX, class_of_point
from engine.scheduler.windows import SEARCH_DAYS

if TYPE_CHECKING:
    from engine.scheduler.core import Scheduler


def warnings(core: "Scheduler", settings: Settings, calendar: Calendar, cores: int, wall_ns: int) -> list[str]:
    """What would be wrong with these settings, which need not be those in force, for the cameras that there are."""
    said = list(capacity_shortfalls(settings, fleet(core, settings.scheduler), cores))
    return said + never_open(core, settings.scheduler, calendar, wall_ns)


def fleet(core: "Scheduler", settings: SchedulerSettings) -> Fleet:
    """Who is to be visited, by class, recorder and platform; a few passes over the columns."""
    table, dispatch = core.table, core.dispatch
    visited = _enabled(core) & ((np.frombuffer(table.flags, dtype=np.uint8) & PUSH) == 0)
    point = np.frombuffer(table.point, dtype=np.uint8)[visited]
    keys = np.array([class_of_point(code, settings) == CameraClass.KEY_POINT for code in range(256)])[point]
    demuxed = (point & DEMUX) != 0

    def gates(column: npt.NDArray[np.int32], names: list[str]) -> CameraGroups:
        capped = column >= 0
        counts = [np.bincount(column[capped & part], minlength=len(names)) for part in (keys, ~keys)]
        return CameraGroups(names, counts[0], counts[1])

    return Fleet(
        Load(int(keys.sum()), int((~keys).sum())),
        Load(int((keys & demuxed).sum()), int((~keys & demuxed).sum())),
        gates(np.frombuffer(table.uplink, dtype=np.int32)[visited], dispatch.uplinks.names),
        gates(np.frombuffer(table.host, dtype=np.int32)[visited], [host.name for host in dispatch.hosts.all]),
    )


def never_open(core: "Scheduler", settings: SchedulerSettings, calendar: Calendar, wall_ns: int) -> list[str]:
    """Hours of cameras that do not come within SEARCH_DAYS days, one sentence a pattern."""
    windows, of_site = core.timing.sites.under(calendar, settings.hours)
    sites = np.frombuffer(core.table.site, dtype=core.table.site.typecode)[_enabled(core)]
    cameras = np.bincount(np.frombuffer(of_site, dtype=of_site.typecode)[sites], minlength=len(windows.all))
    return [
        f"{hours} do not come in the next {SEARCH_DAYS} days: {cameras[index]:,} cameras have no period to keep; mend "
        "the hours, or terms and holidays in scheduler.calendar_file"
        for index, hours in windows.never_open(wall_ns)
        if cameras[index]
    ]


def _enabled(core: "Scheduler") -> npt.NDArray[np.bool_]:
    flags = np.frombuffer(core.table.flags, dtype=np.uint8)
    place = np.frombuffer(core.table.place, dtype=np.uint8)
    enabled: npt.NDArray[np.bool_] = (place != CameraState.FREE) & ((flags & (ENABLED | GONE)) == ENABLED)
    return enabled
