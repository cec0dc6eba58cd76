"""Finds the recorders and platforms whose caps cannot carry their cameras' periods while all kitchens work. Pure."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S
from engine.config.schema import SchedulerSettings
from engine.simulation.fleet import Fleet
from engine.simulation.world import World

USABLE_SHARE = 0.9
"""Above this share of a gate's cap its cameras wait for periods: no bound can be promised to them."""
_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """One gate. `wanted` and `allowed`: visits at a time, or connections a second; `key`: the setting of the cap."""

    name: str
    cameras: int
    wanted: float
    allowed: float
    key: str


def bottleneck_sentence(gate: Mapping[str, Any]) -> str:
    """Say with the arithmetic why a gate cannot carry its cameras' periods. `gate`: as in the figures of a report."""
    return (
        f"{gate['name']}: its {gate['cameras']:,} cameras' periods ask for {gate['wanted']:,.1f}, {gate['key']} is "
        f"{gate['allowed']:g}"
    )


def find_bottlenecks(
    fleet: Fleet, settings: SchedulerSettings, world: World
) -> tuple[list[Bottleneck], npt.NDArray[Any]]:
    """Return all gates of which more is wanted than allowed, the worst first; and by camera, whether a gate of it is
    above USABLE_SHARE of its cap.
    """
    key_point = np.frombuffer(fleet.key_point, dtype=np.int8) > 0
    per_s = np.where(key_point, 1 / settings.key_period_s, 1 / settings.ordinary_period_s)
    connect_s = (world.connect_s_min + world.connect_s_max) / 2
    visits = per_s * (connect_s + np.frombuffer(fleet.wait_ns, dtype=np.int64) / 2 / NS_PER_S)
    hosts = np.array([settings.host_visits_max.get(name, settings.visits_per_host_max) for name in fleet.hosts])
    uplinks = np.full(len(fleet.uplinks), settings.visits_per_uplink_max)
    rates = np.full(len(fleet.hosts), settings.host_starts_per_s_max)
    bottlenecks: list[Bottleneck] = []
    is_crowded = np.zeros(len(fleet), dtype=bool)
    for column, names, demand, caps, key in (
        (fleet.uplink, fleet.uplinks, visits, uplinks, "visits_per_uplink_max"),
        (fleet.host, fleet.hosts, visits, hosts, "visits_per_host_max"),
        (fleet.host, fleet.hosts, per_s, rates, "host_starts_per_s_max"),
    ):
        if not names:
            continue
        gates, wanted, cameras = _sum_by_gate(column, demand, len(names))
        bottlenecks += _above_cap(names, wanted, caps, cameras, key, settings)
        is_crowded |= (gates >= 0) & (wanted > USABLE_SHARE * caps)[gates]
    return sorted(bottlenecks, key=lambda bottleneck: bottleneck.allowed / bottleneck.wanted), is_crowded


def _sum_by_gate(
    column: "array[int]", demand: _Numbers, count: int
) -> tuple[npt.NDArray[Any], _Numbers, npt.NDArray[Any]]:
    """Return the gate of each camera, and by gate the summed demand and the number of cameras."""
    gates = np.frombuffer(column, dtype=column.typecode)
    has_gate = gates >= 0
    wanted = np.bincount(gates[has_gate], weights=demand[has_gate], minlength=count).astype(np.float64)
    return gates, wanted, np.bincount(gates[has_gate], minlength=count)


def _above_cap(
    names: Sequence[str],
    wanted: _Numbers,
    caps: npt.NDArray[Any],
    cameras: npt.NDArray[Any],
    key: str,
    settings: SchedulerSettings,
) -> Iterator[Bottleneck]:
    for index in np.flatnonzero(wanted > caps).tolist():
        name = names[index]
        has_own_cap = key == "visits_per_host_max" and name in settings.host_visits_max
        path = f"host_visits_max.{name!r}" if has_own_cap else key
        yield Bottleneck(name, int(cameras[index]), float(wanted[index]), float(caps[index]), f"scheduler.{path}")
