"""Recorders and platforms whose caps cannot carry what their cameras' periods ask for while all kitchens work. Pure."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S
from engine.config.schema import SchedulerSettings
from engine.simulation.fleet import Fleet
from engine.simulation.world import World

USABLE_SHARE = 0.9
"""A gate asked for more than this of its cap makes its cameras wait for periods: no bound can be promised to them."""
_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """One gate. `wanted` of `allowed`: visits at a time, or connections a second; `key`: the setting that says so."""

    name: str
    cameras: int
    wanted: float
    allowed: float
    key: str


def bottlenecks(fleet: Fleet, settings: SchedulerSettings, world: World) -> tuple[list[Bottleneck], npt.NDArray[Any]]:
    """All gates asked for more than they allow, the worst first; and by camera, whether a gate of it is nearly so."""
    key_point = np.frombuffer(fleet.key_point, dtype=np.int8) > 0
    per_s = np.where(key_point, 1 / settings.key_period_s, 1 / settings.ordinary_period_s)
    connect_s = (world.connect_s_min + world.connect_s_max) / 2
    visits = per_s * (connect_s + np.frombuffer(fleet.wait_ns, dtype=np.int64) / 2 / NS_PER_S)
    hosts = np.array([settings.host_visits_max.get(name, settings.visits_per_host_max) for name in fleet.hosts])
    uplinks = np.full(len(fleet.uplinks), settings.visits_per_uplink_max)
    rates = np.full(len(fleet.hosts), settings.host_starts_per_s_max)
    found: list[Bottleneck] = []
    crowded = np.zeros(len(fleet), dtype=bool)
    for column, names, wants, allows, key in (
        (fleet.uplink, fleet.uplinks, visits, uplinks, "visits_per_uplink_max"),
        (fleet.host, fleet.hosts, visits, hosts, "visits_per_host_max"),
        (fleet.host, fleet.hosts, per_s, rates, "host_starts_per_s_max"),
    ):
        if not names:
            continue
        gates, wanted, cameras = _sums(column, wants, len(names))
        found += _over(names, wanted, allows, cameras, key, settings)
        crowded |= (gates >= 0) & (wanted > USABLE_SHARE * allows)[gates]
    return sorted(found, key=lambda one: one.allowed / one.wanted), crowded


def _sums(column: "array[int]", wants: _Numbers, many: int) -> tuple[npt.NDArray[Any], _Numbers, npt.NDArray[Any]]:
    gates = np.frombuffer(column, dtype=column.typecode)
    held = gates >= 0
    wanted = np.bincount(gates[held], weights=wants[held], minlength=many).astype(np.float64)
    return gates, wanted, np.bincount(gates[held], minlength=many)


def _over(
    names: Sequence[str],
    wanted: _Numbers,
    allows: npt.NDArray[Any],
    cameras: npt.NDArray[Any],
    key: str,
    settings: SchedulerSettings,
) -> Iterator[Bottleneck]:
    for index in np.flatnonzero(wanted > allows).tolist():
        name = names[index]
        own = key == "visits_per_host_max" and name in settings.host_visits_max
        where = f"host_visits_max.{name!r}" if own else key
        yield Bottleneck(name, int(cameras[index]), float(wanted[index]), float(allows[index]), f"scheduler.{where}")
