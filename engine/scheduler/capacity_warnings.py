"""Warns operators where caps, machine or calendar cannot give the scheduler's cameras their periods. Pure."""

import numpy as np
import numpy.typing as npt

from engine.config.calendar import Calendar
from engine.config.capacity import CameraGroups, Fleet, Load, capacity_shortfalls
from engine.config.schema import SchedulerSettings, Settings
from engine.scheduler.classes import CameraClass
from engine.scheduler.core import Scheduler
from engine.scheduler.periods.timing import DEMUX, class_of_key_point
from engine.scheduler.periods.windows import SEARCH_DAYS
from engine.scheduler.table import ENABLED, PUSH, REMOVED, CameraState


def warnings(scheduler: Scheduler, settings: Settings, calendar: Calendar, cores: int, wall_ns: int) -> list[str]:
    """Return what is wrong with these settings, in force or not, for the cameras that the scheduler has."""
    sentences = list(capacity_shortfalls(settings, fleet(scheduler, settings.scheduler), cores))
    return sentences + never_open(scheduler, settings.scheduler, calendar, wall_ns)


def fleet(scheduler: Scheduler, settings: SchedulerSettings) -> Fleet:
    """Count the cameras that are visited, by class, recorder and platform; a few passes over the columns."""
    table, dispatch = scheduler.table, scheduler.dispatch
    visited = _enabled(scheduler) & ((np.frombuffer(table.flags, dtype=np.uint8) & PUSH) == 0)
    codes = np.frombuffer(table.key_point, dtype=np.uint8)[visited]
    keys = np.array([class_of_key_point(code, settings) == CameraClass.KEY_POINT for code in range(256)])[codes]
    demuxed = (codes & DEMUX) != 0

    def gates(column: npt.NDArray[np.int32], names: list[str]) -> CameraGroups:
        capped = column >= 0
        counts = [np.bincount(column[capped & part], minlength=len(names)) for part in (keys, ~keys)]
        return CameraGroups(names, counts[0], counts[1])

    return Fleet(
        Load(int(keys.sum()), int((~keys).sum())),
        Load(int((keys & demuxed).sum()), int((~keys & demuxed).sum())),
        gates(np.frombuffer(table.uplink, dtype=np.int32)[visited], dispatch.uplinks.names),
        gates(np.frombuffer(table.host, dtype=np.int32)[visited], [host.name for host in dispatch.hosts.by_index]),
    )


def never_open(scheduler: Scheduler, settings: SchedulerSettings, calendar: Calendar, wall_ns: int) -> list[str]:
    """Return a sentence for each pattern of hours that does not come within SEARCH_DAYS days and that cameras have."""
    windows, window_of_site = scheduler.timing.sites.windows_under(calendar, settings.hours)
    sites = np.frombuffer(scheduler.table.site, dtype=scheduler.table.site.typecode)[_enabled(scheduler)]
    cameras = np.bincount(
        np.frombuffer(window_of_site, dtype=window_of_site.typecode)[sites], minlength=len(windows.by_index)
    )
    return [
        f"{hours} do not come in the next {SEARCH_DAYS} days: {cameras[index]:,} cameras have no period to keep; mend "
        "the hours, or terms and holidays in scheduler.calendar_file"
        for index, hours in windows.never_open(wall_ns)
        if cameras[index]
    ]


def _enabled(scheduler: Scheduler) -> npt.NDArray[np.bool_]:
    flags = np.frombuffer(scheduler.table.flags, dtype=np.uint8)
    state = np.frombuffer(scheduler.table.state, dtype=np.uint8)
    enabled: npt.NDArray[np.bool_] = (state != CameraState.FREE) & ((flags & (ENABLED | REMOVED)) == ENABLED)
    return enabled
