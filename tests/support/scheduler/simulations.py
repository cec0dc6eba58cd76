"""Builds and runs short simulations: an invented fleet, a few hours from 07:00."""

from collections.abc import Sequence
from typing import Any

from engine.clock import ns
from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings, Settings
from engine.model.camera import Camera
from engine.model.keyframe import Codec
from engine.scheduler.core import Scheduler
from engine.scheduler.events import CamerasUpserted
from engine.simulation.camera_model import CameraModel
from engine.simulation.faults import PRESETS, Faults
from engine.simulation.fleet import Fleet, fleet_from_registry, generate_fleet
from engine.simulation.report import Report, simulate
from engine.simulation.simulation import Scenario, Simulation
from engine.simulation.world import Interval, Pattern, Stream, World
from tests.support.scheduler.scheduling import SECOND, wall_ns

BEGIN = "2026-11-23T07:00"
PLAIN = World(
    connect_s_min=0.5,
    connect_s_max=0.5,
    streams=(Stream(name="plain", codec=Codec.H264, kbit_s=2000, cpu_ms=10, share=1),),
    intervals=(Interval(seconds=2, share=1),),
    hours=(Pattern(hours="", share=1),),
)
"""Every visit connects in half a second and waits for its keyframe up to two; every check costs 10 ms; always open."""


def settings(**scheduler: Any) -> Settings:
    return Settings(scheduler=SchedulerSettings(**scheduler))


def scenario(
    cameras: int | Sequence[Camera] = 1000,
    hours: float = 2.0,
    *,
    plan: Settings | None = None,
    faults: str | Faults = "none",
    world: World | None = None,
    cores: int = 2,
    seed: int = 1,
    began: str = BEGIN,
) -> Scenario:
    plan, world = plan or Settings(), world or World()
    if isinstance(cameras, int):
        fleet = generate_fleet(cameras, world, plan.scheduler, seed)
    else:
        fleet = fleet_from_registry(cameras, world, plan.scheduler, seed)
    return Scenario(
        settings=plan,
        calendar=Calendar(),
        fleet=fleet,
        world=world,
        faults=PRESETS[faults] if isinstance(faults, str) else faults,
        cores=cores,
        span_ns=ns(hours * 3600),
        seed=seed,
        wall_ns=wall_ns(began),
    )


def report(cameras: int | Sequence[Camera] = 1000, hours: float = 2.0, **chosen: Any) -> Report:
    return simulate("plan", scenario(cameras, hours, **chosen))


def run_simulation(cameras: int | Sequence[Camera] = 1000, hours: float = 2.0, **chosen: Any) -> Simulation:
    simulation = Simulation(scenario(cameras, hours, **chosen))
    simulation.run()
    return simulation


def camera_model(fleet: Fleet, faults: Faults, hours: float = 1.0, *, plan: Settings | None = None) -> CameraModel:
    return CameraModel(fleet, PLAIN, faults, (plan or Settings()).feed, ns(hours * 3600), seed=3)


def scheduler_of(fleet: Fleet, plan: SchedulerSettings) -> Scheduler:
    """Return a scheduler that holds the cameras of the fleet."""
    scheduler = Scheduler(plan, wall_offset_ns=wall_ns(BEGIN))
    scheduler.handle(CamerasUpserted(fleet.plans), 0)
    return scheduler


def at_ns(seconds: float) -> int:
    return round(seconds * SECOND)
