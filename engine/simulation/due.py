"""Counts the periods that were due in a simulation: a promise that nothing tested was not kept. Pure."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S, seconds
from engine.simulation.simulation import Simulation

_FAILED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Due:
    """`periods`: that were due. `cameras_working`: cameras whose kitchen works at some time of the simulation.

    `why`: sentences that say why little was due; empty if there was at least one period for each camera.
    """

    periods: int
    cameras: int
    cameras_working: int
    why: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether no period was due: the simulation shows nothing of the plan."""
        return not self.periods

    @property
    def enough(self) -> bool:
        """Whether on average every camera had a period."""
        return bool(self.periods) and self.periods >= self.cameras

    def json(self) -> dict[str, Any]:
        """Return it as `patrol simulate --json` prints it."""
        return {
            "periods": self.periods,
            "cameras_working": self.cameras_working,
            "enough": self.enough,
            "why": list(self.why),
        }

    def sentence(self) -> str:
        """Say how much was due, and why no more."""
        amount = "nothing was due" if self.nothing else f"only {self.periods:,} periods were due"
        return "; ".join([f"{amount} for {self.cameras:,} cameras", *self.why])


def due_of(simulation: Simulation) -> Due:
    """Count what was due in a simulation that has run to its end."""
    scenario = simulation.scenario
    periods, cameras = sum(simulation.scheduler.statistics.periods_due), len(scenario.fleet)
    working = _cameras_working(simulation)
    due = Due(periods, cameras, working, ())
    return due if due.enough else Due(periods, cameras, working, tuple(_why(simulation, working)))


def _cameras_working(simulation: Simulation) -> int:
    scenario, scheduler = simulation.scenario, simulation.scheduler
    end_wall_ns = scenario.wall_ns + scenario.span_ns
    total = 0
    for index, cameras in Counter(scheduler.table.window).items():
        opens_wall_ns = scheduler.timing.sites.windows[index].next_open(scenario.wall_ns)
        total += cameras if opens_wall_ns is not None and opens_wall_ns < end_wall_ns else 0
    return min(total, len(scenario.fleet))


def _why(simulation: Simulation, working: int) -> list[str]:
    scenario, cameras = simulation.scenario, len(simulation.scenario.fleet)
    settings, hours = scenario.settings.scheduler, seconds(scenario.span_ns) / 3600
    reasons = []
    if not cameras:
        reasons.append("there are no cameras")
    if working < cameras:
        start = datetime.fromtimestamp(scenario.wall_ns // NS_PER_S, ZoneInfo(scenario.calendar.timezone))
        reasons.append(
            f"the kitchens of {cameras - working:,} rest throughout the {hours:g} h from {start:%a %Y-%m-%d %H:%M} "
            f"({scenario.calendar.timezone}) on: see `start` of --world, the calendar, and the hours of the registry"
        )
    if seconds(scenario.span_ns) < 2 * settings.key_period_s:
        reasons.append(
            f"{hours:g} h hold hardly a period of {settings.key_period_s / 3600:g} h: simulate more with --hours"
        )
    failed = sum(simulation.failures.values())
    if simulation.visits and failed >= _FAILED_SHARE * simulation.visits:
        reasons.append(
            f"{failed:,} of {simulation.visits:,} visits failed, and a camera that fails has no period until it answers"
        )
    return reasons
