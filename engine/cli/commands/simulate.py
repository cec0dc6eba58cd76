"""`patrol simulate`: runs the scheduler under a configuration in virtual time."""

import gc
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from engine.cli import exit_codes
from engine.cli.commands.simulate_cluster import simulate_cluster
from engine.cli.options import ERR, OUT, ConfigOption, JsonOption, settings_of
from engine.cli.output_files import check_output
from engine.clock import NS_PER_S, ns, seconds
from engine.config import Settings, load
from engine.errors import ConfigError
from engine.terminal.progress import progress

if TYPE_CHECKING:
    from engine.simulation.faults import Faults
    from engine.simulation.fleet import Fleet
    from engine.simulation.simulation import Scenario
    from engine.simulation.world import World

_CAMERAS = 4096
_HOURS_MAX = 24 * 31
_GARBAGE_THRESHOLD = 100_000


def simulate(
    config: ConfigOption = None,
    cameras: Annotated[int | None, typer.Option(help=f"Cameras of a made-up province. Default: {_CAMERAS}.")] = None,
    registry: Annotated[Path | None, typer.Option(help="CSV of cameras to simulate instead.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=_HOURS_MAX, help="Hours of virtual time to simulate.")] = 24.0,
    cores: Annotated[
        int, typer.Option(min=0, max=4096, help="Cores that check keyframes; 0: as many as this machine has.")
    ] = 0,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Random seed; the same seed gives the same digest.")
    ] = 0,
    faults: Annotated[
        str,
        typer.Option(
            help="Faults to inject: none, offline, platform_restart, power_cut, storm, flapping, pictures, all; or a "
            "TOML file (see docs/scheduler.md)."
        ),
    ] = "none",
    world: Annotated[
        Path | None, typer.Option(help="TOML file that describes streams, intervals and hours (see docs/scheduler.md).")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Second configuration to simulate and show beside the first.")
    ] = None,
    nodes: Annotated[
        int, typer.Option(min=0, max=200, help="Machines of --cores cores each that share the cameras; 0: one engine.")
    ] = 0,
    lose_node: Annotated[
        list[str] | None,
        typer.Option(help="With --nodes: lose a machine at a time, as node-2@3h or node-2@90m; may be repeated."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Picture to write (.png, .svg, .pdf): load, connections, lag and coverage over time."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a configuration: run the engine's own scheduler in virtual time.

    Exit 1: a promise was broken, or nothing was due, so that nothing was shown.
    """
    from engine.simulation.faults import load_faults
    from engine.simulation.world import load_world

    if cameras is not None and registry is not None:
        raise ConfigError("--cameras and --registry: give one of them")
    if (lose_node and not nodes) or (nodes and against is not None):
        raise ConfigError("--lose-node goes with --nodes, and --against does not")
    if plot is not None:
        from engine.simulation.plot import ENDINGS

        check_output(plot, "--plot", ENDINGS)
    fault_model, world_model = load_faults(faults), load_world(world)
    plans = [(config.name if config else "defaults", settings_of(config))]
    if against is not None:
        plans.append((against.name, load(against)))
    # By default the garbage collector would scan a hundred thousand plans again and again, for nothing.
    gc.set_threshold(_GARBAGE_THRESHOLD, 50, 50)

    def scenario_of(settings: Settings) -> "Scenario":
        fleet = _fleet(settings, world_model, registry, cameras, seed)
        scenario = _scenario(settings, fleet, world_model, fault_model, (cores, hours, seed))
        gc.freeze()
        return scenario

    if nodes:
        held = simulate_cluster(scenario_of(plans[0][1]), nodes, lose_node or (), plot, as_json=as_json)
    else:
        held = _simulate_plans(plans, scenario_of, plot, as_json=as_json)
    raise typer.Exit(exit_codes.OK if held else exit_codes.NO)


def _simulate_plans(
    plans: Sequence[tuple[str, Settings]],
    scenario_of: "Callable[[Settings], Scenario]",
    plot: Path | None,
    *,
    as_json: bool,
) -> bool:
    """Simulate one plan, or two side by side, print and plot; return whether every promise held."""
    from engine.simulation.report import simulate
    from engine.simulation.tables import show

    reports = []
    for name, settings in plans:
        scenario = scenario_of(settings)
        with progress(ERR, f"simulating {name}, minutes", round(seconds(scenario.span_ns) / 60)) as done:
            reports.append(simulate(name, scenario, done))
    if as_json:
        trees = [report.json() for report in reports]
        OUT.out(json.dumps(trees if len(trees) > 1 else trees[0], ensure_ascii=False), highlight=False)
    else:
        show(OUT, reports)
    if plot is not None:
        from engine.simulation.plot import draw

        draw(reports, plot)
        ERR.out(f"drew {plot}", highlight=False)
    return all(report.promises_held for report in reports)


def _scenario(
    settings: Settings, fleet: "Fleet", world: "World", faults: "Faults", machine: tuple[int, float, int]
) -> "Scenario":
    """Return what is simulated. `machine`: cores (0: those of this machine), hours, seed."""
    from engine.config.calendar import load_calendar
    from engine.simulation.simulation import Scenario

    cores, hours, seed = machine
    calendar = load_calendar(settings.scheduler.calendar_file)
    start = world.start if world.start.tzinfo else world.start.replace(tzinfo=ZoneInfo(calendar.timezone))
    return Scenario(
        settings=settings,
        calendar=calendar,
        fleet=fleet,
        world=world,
        faults=faults,
        cores=cores or os.cpu_count() or 1,
        span_ns=ns(hours * 3600),
        seed=seed,
        wall_ns=round(start.timestamp()) * NS_PER_S,
    )


def _fleet(settings: Settings, world: "World", registry: Path | None, cameras: int | None, seed: int) -> "Fleet":
    """Return the cameras of `registry`, or a made-up province; reports bad rows of the registry on stderr."""
    from engine.simulation.fleet import fleet_from_registry, generate_fleet

    if registry is None:
        return generate_fleet(_CAMERAS if cameras is None else cameras, world, settings.scheduler, seed)
    from engine.batch.registry_files import read_registry

    rows, problems = read_registry(registry, settings)
    for problem in problems[:10]:
        ERR.out(f"line {problem.line}, {problem.column}: {problem.message}; the row is left out", highlight=False)
    return fleet_from_registry(rows, world, settings.scheduler, seed)
