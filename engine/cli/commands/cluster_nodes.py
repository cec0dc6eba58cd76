"""`patrol cluster up`, `join`, `drain` and `status`: the machines of a cluster."""

import os
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import exit_codes
from engine.cli.database import open_to_read
from engine.cli.json_output import print_json
from engine.cli.options import OUT, JsonOption, settings_of, stop_on_signals
from engine.config import Settings
from engine.errors import ConfigError, PatrolError
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.cluster.ray_runtime import RayNode

_UMASK = 0o077
_POLL_S = 0.5
FileOption = Annotated[Path, typer.Option("--config", "-c", help="TOML file of this machine.")]
HeadOption = Annotated[
    str,
    typer.Option(
        "--head",
        help="HOST:PORT of Ray's head, or ray://HOST:PORT of its server for clients. Default: cluster.listen and "
        "cluster.port.",
    ),
]
ExistingOption = Annotated[
    str,
    typer.Option(
        "--existing",
        metavar="HOST:PORT",
        help="Head of a cluster of Ray that runs already, if this machine is one of it; else ray://HOST:PORT, the "
        "head's server for clients.",
    ),
]
CoresOption = Annotated[float, typer.Option(min=0, help="Cores that shards may use here; 0: all.")]


def up(config: FileOption, cores: CoresOption = 0, existing: ExistingOption = "") -> None:
    """Begin a cluster on this machine, and place the shards, until SIGINT or SIGTERM. With --existing: place them on a
    cluster of Ray that runs already, and return once they run there.

    Exit 1 with --existing: some shards do not run.
    """
    stop = stop_on_signals()
    settings = _prepared(config)
    from engine.cluster.assignment import assign_counties, is_assigned
    from engine.cluster.ray_runtime import make_token, token_file

    if existing and cores:
        raise ConfigError("--cores: the machines of --existing have those that Ray was started with")
    if not existing:
        make_token(token_file(settings.cluster, config))
    if not is_assigned(settings):
        assign_counties(settings)
    if existing:
        _place_on(settings, config, existing)
    else:
        _run_node(settings, config, cores, "", stop)


def join(
    config: FileOption,
    head: Annotated[str, typer.Argument(help="HOST:PORT of Ray's head, as `patrol cluster up` says.")],
    cores: CoresOption = 0,
) -> None:
    """Run shards on this machine too, until SIGINT or SIGTERM."""
    stop = stop_on_signals()
    _run_node(_prepared(config), config, cores, head, stop)


def down(config: FileOption, head: HeadOption = "") -> None:
    """End all engines of the cluster, which give their shards back, and place none any more. Ray's processes go on."""
    settings = _prepared(config)
    _enter(settings, config, head)
    from engine.cluster import session

    with session.connected(head or _head(settings), _own_address(settings, head)):
        shards = session.end_keeper()
    in_order = sum(shards.values())
    OUT.out(f"{in_order:,} shards were given back; `patrol cluster up` places them again", highlight=False)
    if in_order < len(shards):
        text = (
            f"{len(shards) - in_order:,} engines did not end in time, and were killed: their leases end by themselves"
        )
        OUT.out(text, highlight=False)


def drain(
    config: FileOption,
    node: Annotated[str, typer.Argument(help="Name of the machine.")],
    back: Annotated[bool, typer.Option("--back", help="Place shards on it again.")] = False,
    head: HeadOption = "",
) -> None:
    """Have the shards of a machine run elsewhere, so that it can be stopped."""
    settings = _prepared(config)
    _enter(settings, config, head)
    from engine.cluster import session

    with session.connected(head or _head(settings), _own_address(settings, head)):
        names = {row["name"] for row in session.keeper_state()["nodes"]}
        if node not in names:
            raise ConfigError(f"{node!r} is no machine of this cluster; there are {', '.join(sorted(names))}")
        if back:
            session.readmit(node)
            OUT.out(f"shards are placed on {node} again", highlight=False)
        else:
            shards = session.drain(node)
            OUT.out(f"{len(shards):,} shards leave {node}; `patrol cluster status` shows how far", highlight=False)


def status(config: FileOption, head: HeadOption = "", as_json: JsonOption = False) -> None:
    """Show the machines and their shards, and what these have of platforms that several visit. Where Ray does not
    answer, what the database says."""
    settings = settings_of(config)
    with open_to_read(settings) as store:
        cameras = Counter(camera.region for camera in store.registry.cameras())
    from engine.cluster.status_rows import node_rows, platform_rows, shard_rows
    from engine.storage.db.database import connect, parse_url
    from engine.storage.db.shards.host_grants import all_grants
    from engine.storage.db.shards.leases import Leases

    database = connect(parse_url(settings.record.url))
    leases = Leases(database)
    try:
        rows, platforms = leases.all(), platform_rows(all_grants(database))
    finally:
        leases.close()
    state = _keeper_state(settings, config, head)
    nodes, shards = node_rows(rows, state, cameras), shard_rows(rows, state, cameras)
    if as_json:
        print_json({"nodes": nodes, "shards": shards, "platforms": platforms})
    else:
        _show(nodes, shards, platforms)


def _keeper_state(settings: Settings, config: Path, head: str) -> dict[str, Any]:
    """Return what the keeper knows; empty if it does not answer, which is said on stderr."""
    try:
        _prepared(config)
        _enter(settings, config, head)
        from engine.cluster import session

        with session.connected(head or _head(settings), _own_address(settings, head)):
            return session.keeper_state()
    except PatrolError as error:
        typer.echo(f"{error}; what follows is what the database says", err=True)
        return {}


def _show(nodes: list[dict[str, Any]], shards: list[dict[str, Any]], platforms: list[dict[str, Any]]) -> None:
    of_node = ("node", "state", "cores", "labels", "shards")
    machines = [
        (
            *(str(row[name]) for name in of_node),
            f"{row['cameras']:,}",
            f"{row['checksPerS']:,.1f}",
            f"{row['lagS']:.0f}",
        )
        for row in nodes
    ]
    show_table(OUT, (*of_node, "cameras", "checks/s", "lag s"), machines)
    rows = [
        (
            str(row["shard"]),
            " ".join(row["counties"]),
            f"{row['cameras']:,}",
            row["node"] or "nowhere",
            row["address"],
            f"{row['checksPerS']:,.1f}" if row["held"] else "-",
            f"{row['lagS']:.0f}" if row["held"] else "-",
            f"{row['leaseS']:.1f}" if row["held"] else "-",
            row["why"],
        )
        for row in shards
    ]
    show_table(OUT, ("shard", "counties", "cameras", "node", "answers at", "checks/s", "lag s", "lease s", "why"), rows)
    if platforms:
        visits = [
            (row["platform"], str(row["shard"]), f"{row['share']:.0%}", "-" if had is None else str(had))
            for row in platforms
            for had in [row["visits"]]
        ]
        show_table(OUT, ("shared platform", "shard", "share", "visits at once"), visits)


def _prepared(config: Path) -> Settings:
    """Return the settings of a command that needs Ray. Raises ConfigError if it is not installed, or too old."""
    os.umask(_UMASK)
    from engine.cluster.ray_runtime import require_ray
    from engine.runtime.log import configure_logging

    require_ray()
    settings = settings_of(config)
    configure_logging(settings.log.level, settings.log.format, process="cluster")
    return settings


def _enter(settings: Settings, config: Path, head: str) -> None:
    """Set Ray's variables, which it reads when it is imported. Raises ConfigError if there is no token."""
    from engine.cluster.ray_runtime import environment

    os.environ.update(environment(settings.cluster, config, head))


def _own_address(settings: Settings, head: str) -> str:
    """Return this machine's address in the cluster; empty if only Ray knows it, since the file has none."""
    cluster = settings.cluster
    return "" if head and "listen" not in cluster.model_fields_set else cluster.listen


def _place_on(settings: Settings, config: Path, existing: str) -> None:
    """Place the shards on a cluster that runs already, and wait until they run. Raises Exit if some do not."""
    _enter(settings, config, existing)
    from engine.cluster import session
    from engine.cluster.arrival import wait_for_shards

    with session.connected(existing, _own_address(settings, existing)):
        session.require_token()
        session.start_keeper(config)
        runs, missing = wait_for_shards(settings, session.keeper_state)
    OUT.out(f"{len(runs):,} shards run on {len(set(runs.values())):,} machines", highlight=False)
    for number, why in missing.items():
        OUT.out(f"shard {number} does not run: {why}", highlight=False)
    raise typer.Exit(exit_codes.NO if missing else exit_codes.OK)


def _run_node(settings: Settings, config: Path, cores: float, head: str, stop: threading.Event) -> None:
    """Run Ray's processes on this machine until `stop`. `head`: of the cluster to join; empty: this machine is it."""
    _enter(settings, config, head)
    from engine.cluster.compiling import compile_code
    from engine.cluster.ray_runtime import RayNode, node_name
    from engine.cluster.session import connected, readmit, start_keeper, wait_for_node
    from engine.runtime.log import logger

    name, listen = node_name(settings.cluster), settings.cluster.listen
    compile_code()
    node = RayNode(settings.cluster, config, cores or float(os.cpu_count() or 1), head)
    try:
        node.wait()
        with connected(node.address, listen, lambda: node.running):
            if not head:
                start_keeper(config)
            wait_for_node(name, lambda: node.running)
            readmit(name)
        logger().info("ready", head=node.address)
        while not stop.wait(_POLL_S):
            if not node.running:
                raise PatrolError(node.why_ended())
        _leave(node, name, listen)
    finally:
        node.close()
    logger().info("stopped")


def _leave(node: "RayNode", name: str, listen: str) -> None:
    """Give the shards of this machine to others before its processes end."""
    from engine.cluster.session import connected, leave
    from engine.runtime.log import logger

    try:
        if not node.head_answers:
            raise PatrolError(f"Ray's head at {node.address} does not answer")
        with connected(node.address, listen):
            leave(name)
    except PatrolError as error:
        logger().warning("the shards of this machine end with it", detail=str(error))


def _head(settings: Settings) -> str:
    return f"{settings.cluster.listen}:{settings.cluster.port}"
