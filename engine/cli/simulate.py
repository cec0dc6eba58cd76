"""`patrol simulate`: a plan rehearsed in virtual time."""

import gc
import json
import os
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from engine.cli.options import ERR, OUT, ConfigOption, JsonOption, settings_of
from engine.clock import NS_PER_S, ns
from engine.config import Settings, load
from engine.errors import ConfigError
from engine.terminal.progress import progress

_CAMERAS = 4096
_HOURS_MAX = 24 * 31
_GARBAGE_THRESHOLD = 100_000


def simulate(
    config: ConfigOption = None,
    cameras: Annotated[
        int | None, typer.Option(help=f"A made-up province of so many cameras; default {_CAMERAS}.")
    ] = None,
    registry: Annotated[Path | None, typer.Option(help="The cameras of this CSV instead.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=_HOURS_MAX, help="Hours of virtual time.")] = 24.0,
    cores: Annotated[int, typer.Option(min=0, max=4096, help="Cores that check keyframes; 0: as this machine.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same digest.")] = 0,
    faults: Annotated[
        str,
        typer.Option(
            help="none, offline, platform_restart, power_cut, storm, flapping, pictures, all; or a TOML file, see "
            "docs/scheduler.md."
        ),
    ] = "none",
    world: Annotated[Path | None, typer.Option(help="TOML file: streams, intervals, hours.")] = None,
    against: Annotated[Path | None, typer.Option(help="A second configuration, beside the first.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the course: load, connections, lag, coverage.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Rehearse a configuration: the very same scheduler in virtual time. Exit 1 if a promise was broken."""
    from engine.config.calendar import load_calendar
    from engine.simulation.faults import load_faults
    from engine.simulation.fleet import Fleet, fleet_from_registry, generate_fleet
    from engine.simulation.report import simulate
    from engine.simulation.simulation import Scenario
    from engine.simulation.tables import show
    from engine.simulation.world import load_world

    if cameras is not None and registry is not None:
        raise ConfigError("--cameras and --registry: give one of them")
    if plot is not None:
        _drawable(plot)
    chosen_faults, model = load_faults(faults), load_world(world)
    plans = [(config.name if config else "defaults", settings_of(config))]
    if against is not None:
        plans.append((against.name, load(against)))

    def fleet_of(settings: Settings) -> Fleet:
        if registry is None:
            return generate_fleet(_CAMERAS if cameras is None else cameras, model, settings.scheduler, seed)
        from engine.batch.registry_files import read_registry

        known, problems = read_registry(registry, settings)
        for problem in problems[:10]:
            ERR.out(f"line {problem.line}, {problem.column}: {problem.message}; the row is left out", highlight=False)
        return fleet_from_registry(known, model, settings.scheduler, seed)

    # The collector of garbage would walk a hundred thousand plans for nothing, again and again.
    gc.set_threshold(_GARBAGE_THRESHOLD, 50, 50)
    reports = []
    for name, settings in plans:
        calendar = load_calendar(settings.scheduler.calendar_file)
        begins = model.start if model.start.tzinfo else model.start.replace(tzinfo=ZoneInfo(calendar.timezone))
        scenario = Scenario(
            settings=settings,
            calendar=calendar,
            fleet=fleet_of(settings),
            world=model,
            faults=chosen_faults,
            cores=cores or os.cpu_count() or 1,
            span_ns=ns(hours * 3600),
            seed=seed,
            wall_ns=round(begins.timestamp()) * NS_PER_S,
        )
        gc.freeze()
        with progress(ERR, f"rehearsing {name}, minutes", round(60 * hours)) as done:
            reports.append(simulate(name, scenario, done))
    if as_json:
        answer = [report.json() for report in reports]
        OUT.out(json.dumps(answer[0] if against is None else answer, ensure_ascii=False), highlight=False)
    else:
        show(OUT, reports)
    if plot is not None:
        from engine.simulation.plot import draw

        draw(reports, plot)
        ERR.out(f"drew {plot}", highlight=False)
    raise typer.Exit(0 if all(report.promises_held for report in reports) else 1)


def _drawable(plot: Path) -> None:
    """Better said before the rehearsal than after it."""
    from engine.simulation.plot import ENDINGS

    if plot.suffix.lower() not in ENDINGS:
        raise ConfigError(f"--plot {plot}: its ending is not known; allowed: {', '.join(ENDINGS)}")
    if not plot.parent.is_dir():
        raise ConfigError(f"--plot {plot}: there is no folder {plot.parent}; make it, or name another")
