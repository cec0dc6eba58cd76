"""`patrol cluster`: what an engine on several machines would run where."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import exit_codes
from engine.cli.commands.cluster_nodes import down, drain, join, status, up
from engine.cli.json_output import print_json
from engine.cli.options import ERR, OUT, ConfigOption, JsonOption, settings_of
from engine.config import Settings
from engine.errors import ConfigError
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.cluster.placement.shards import Division
    from engine.cluster.report import ClusterPlan

app = typer.Typer(no_args_is_help=True, help="Run the engine on several machines.")

_NODES_MAX = 1000
_SHARED_SHOWN = 20


for name, command in (("up", up), ("join", join), ("drain", drain), ("status", status), ("down", down)):
    app.command(name)(command)


@app.callback()
def cluster() -> None:
    """Run the engine on several machines."""


@app.command("plan")
def plan(
    config: ConfigOption = None,
    registry: Annotated[
        Path | None, typer.Option(help="CSV of cameras; default: the registry in the database.")
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option(help="A machine: NAME, NAME:CORES or NAME:CORES:LABEL=VALUE,...; repeat it."),
    ] = None,
    nodes: Annotated[
        int, typer.Option(min=0, max=_NODES_MAX, help="So many machines like this one, in place of --node.")
    ] = 0,
    lose: Annotated[str, typer.Option(help="Show what moves when this node is lost.")] = "",
    shards: Annotated[bool, typer.Option("--shards", help="List every shard with its counties.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how the counties would be divided into shards, and which node would run which; change nothing.

    Exit 1: a shard would run nowhere.
    """
    from engine.cluster.report import make_plan, parse_node

    cores = float(os.cpu_count() or 1)
    if bool(node) == bool(nodes):
        raise ConfigError("give the machines by --node, or how many by --nodes")
    asked = [parse_node(text, cores) for text in node or [f"node-{number}" for number in range(1, nodes + 1)]]
    if len({each.name for each in asked}) < len(asked):
        raise ConfigError("--node: two of them have the same name")
    settings = settings_of(config)
    division = _division(settings, registry)
    made = make_plan(division, asked, settings.cluster.bindings, lose)
    if as_json:
        print_json(made.json())
    else:
        _show(made, shards)
    raise typer.Exit(exit_codes.NO if made.unplaced() else exit_codes.OK)


@app.command("assign")
def assign(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Divide the counties of the registry into shards, and store which shard has which county.

    Counties stay with the shard that they have, as far as its size allows. Refused while an engine runs a shard whose
    counties would change.
    """
    from engine.cluster.assignment import assign_counties

    made = assign_counties(settings_of(config))
    if as_json:
        print_json({"shards": made.shards, "counties": made.counties, "changed": list(made.changed)})
    else:
        text = f"{made.shards:,} shards have {made.counties:,} counties; {len(made.changed):,} changed their shard"
        OUT.out(text, highlight=False)


def _division(settings: Settings, registry: Path | None) -> "Division":
    """Divide the cameras of a file, or those of the database; report bad rows of the file on stderr."""
    from engine.cluster.assignment import divide_counties

    if registry is None:
        from engine.cluster.registry_costs import read_groups

        return divide_counties(settings, read_groups(settings), {})
    from engine.batch.registry_files import read_registry
    from engine.cluster.placement.groups import camera_groups

    rows, problems = read_registry(registry, settings)
    for problem in problems[:10]:
        ERR.out(f"line {problem.line}, {problem.column}: {problem.message}; the row is left out", highlight=False)
    return divide_counties(settings, camera_groups(rows, settings.scheduler, lambda _: None), {})


def _show(made: "ClusterPlan", shards: bool) -> None:
    rows = [
        (
            load.node.name,
            f"{load.node.cores:g}",
            f"{load.shards:,}",
            f"{load.cameras:,}",
            f"{load.visits_per_s:,.2f}",
            f"{load.cores:.2f}",
            f"{load.share:.0%}",
        )
        for load in made.loads()
    ]
    show_table(OUT, ("node", "cores", "shards", "cameras", "visits/s", "cores needed", "of the node"), rows)
    if shards:
        node_of = (made.after or made.placement).node_of
        listed = [
            (
                str(shard.number),
                " ".join(shard.counties) or "(no region)",
                f"{shard.cameras:,}",
                f"{shard.cores:.3f}",
                node_of.get(shard.number, "nowhere"),
            )
            for shard in made.division.shards
        ]
        show_table(OUT, ("shard", "counties", "cameras", "cores needed", "node"), listed)
    if made.lost:
        text = f"without {made.lost}, {len(made.moves()):,} of {len(made.division.shards):,} shards move"
        OUT.out(text, highlight=False)
    shared = list(made.division.shared_hosts.items())
    for host, shares in shared[:_SHARED_SHOWN]:
        OUT.out(f"platform {host}: its caps are divided among {len(shares):,} shards", highlight=False)
    if len(shared) > _SHARED_SHOWN:
        OUT.out(f"and {len(shared) - _SHARED_SHOWN:,} more platforms like these", highlight=False)
    for number, why in made.unplaced().items():
        OUT.out(f"shard {number} runs nowhere: {why}", highlight=False)
