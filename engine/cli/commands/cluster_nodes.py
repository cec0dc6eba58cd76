"""`patrol cluster up`, `join`, `drain` and `status`: the machines of a cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.json_output import print_json
from engine.cli.options import OUT, JsonOption, settings_of, stop_on_signals
from engine.config import Settings
from engine.errors import ConfigError, PatrolError
from engine.terminal.tables import show_table

_UMASK = 0o077
_POLL_S = 0.5
FileOption = Annotated[Path, typer.Option("--config", "-c", help="TOML file of this machine.")]
HeadOption = Annotated[
    str, typer.Option("--head", help="HOST:PORT of Ray's head. Default: cluster.listen and cluster.port.")
]


def up(
    config: FileOption,
    on: Annotated[
        str, typer.Option(help="HOST:PORT of a Ray cluster that runs already; only place shards on it.")
    ] = "",
    cores: Annotated[float, typer.Option(min=0, help="Cores that shards may use here; 0: all.")] = 0,
) -> None:
    """Begin a cluster on this machine, and place the shards, until SIGINT or SIGTERM."""
    stop = stop_on_signals()
    with _prepared(config) as settings:
        from engine.cluster.ray_runtime import RayNode, make_token, node_name, token_file
        from engine.runtime.log import logger

        make_token(token_file(settings.cluster, config))
        _assign_first(settings)
        _enter(settings, config)
        from engine.cluster.session import connected, readmit, start_keeper

        if on:
            with connected(on, settings.cluster.listen):
                start_keeper()
            logger().info("the keeper places shards", head=on)
            return
        node = RayNode(settings.cluster, config, _folder(settings), _cores(cores))
        try:
            node.wait()
            with connected(node.address, settings.cluster.listen):
                start_keeper()
                readmit(node_name(settings.cluster))
            logger().info("ready", head=node.address)
            _while_running(node, stop)
            _leave(node, settings)
        finally:
            node.close()
        logger().info("stopped")


def join(
    config: FileOption,
    head: Annotated[str, typer.Argument(help="HOST:PORT of Ray's head, as `patrol cluster up` says.")],
    cores: Annotated[float, typer.Option(min=0, help="Cores that shards may use here; 0: all.")] = 0,
) -> None:
    """Run shards on this machine too, until SIGINT or SIGTERM."""
    stop = stop_on_signals()
    with _prepared(config) as settings:
        from engine.cluster.ray_runtime import RayNode, node_name
        from engine.runtime.log import logger

        _enter(settings, config)
        from engine.cluster.session import connected, readmit, wait_for_node

        node = RayNode(settings.cluster, config, _folder(settings), _cores(cores), head)
        try:
            node.wait()
            with connected(head, settings.cluster.listen):
                wait_for_node(node_name(settings.cluster), lambda: node.running)
                readmit(node_name(settings.cluster))
            logger().info("ready", head=head)
            _while_running(node, stop)
            _leave(node, settings)
        finally:
            node.close()
        logger().info("stopped")


def drain(
    config: FileOption,
    node: Annotated[str, typer.Argument(help="Name of the machine.")],
    back: Annotated[bool, typer.Option("--back", help="Place shards on it again.")] = False,
    head: HeadOption = "",
) -> None:
    """Have the shards of a machine run elsewhere, so that it can be stopped."""
    with _prepared(config) as settings:
        _enter(settings, config)
        from engine.cluster import session

        with session.connected(head or _head(settings), settings.cluster.listen):
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
    """Show the machines and their shards. What Ray does not know is read from the database alone."""
    from engine.cluster.status_rows import node_rows, shard_rows
    from engine.storage.db.database import connect, parse_url
    from engine.storage.db.shards.leases import Leases

    with _prepared(config) as settings:
        leases = Leases(connect(parse_url(settings.record.url)))
        try:
            rows = leases.all()
        finally:
            leases.close()
        state: dict[str, Any] = {}
        try:
            _enter(settings, config)
            from engine.cluster import session

            with session.connected(head or _head(settings), settings.cluster.listen):
                state = session.keeper_state()
        except PatrolError as error:
            typer.echo(f"{error}; what follows is what the database says", err=True)
        cameras = _cameras_by_county(settings)
        if as_json:
            print_json({"nodes": node_rows(rows, state, cameras), "shards": shard_rows(rows, state, cameras)})
            return
        nodes = node_rows(rows, state, cameras)
        of_node = ("node", "state", "cores", "labels", "shards", "cameras")
        show_table(OUT, of_node, [tuple(str(row[name]) for name in of_node) for row in nodes])
        of_shard = ("shard", "counties", "cameras", "node", "answers at", "lease s", "why")
        shown = [
            (
                str(row["shard"]),
                " ".join(row["counties"]),
                f"{row['cameras']:,}",
                row["node"] or "nowhere",
                row["address"],
                f"{row['leaseS']:.1f}" if row["held"] else "-",
                row["why"],
            )
            for row in shard_rows(rows, state, cameras)
        ]
        show_table(OUT, of_shard, shown)


@contextmanager
def _prepared(config: Path) -> Iterator[Settings]:
    os.umask(_UMASK)
    from engine.cluster.ray_runtime import require_ray
    from engine.runtime.log import configure_logging

    require_ray()
    settings = settings_of(config)
    configure_logging(settings.log.level, settings.log.format, process="cluster")
    yield settings


def _enter(settings: Settings, config: Path) -> None:
    """Set Ray's variables, which it reads when it is imported. Raises ConfigError if there is no token."""
    from engine.cluster.ray_runtime import environment

    os.environ.update(environment(settings.cluster, config))


def _assign_first(settings: Settings) -> None:
    """Divide the registry into shards if that was never done."""
    from engine.cli.commands.cluster import assign_counties
    from engine.storage.db.database import connect, parse_url
    from engine.storage.db.shards.leases import Leases

    leases = Leases(connect(parse_url(settings.record.url)))
    try:
        known = leases.all()
    finally:
        leases.close()
    if not known:
        assign_counties(settings)


def _cameras_by_county(settings: Settings) -> dict[str, int]:
    from collections import Counter

    from engine.cli.database import open_to_read

    with open_to_read(settings) as store:
        return Counter(camera.region for camera in store.registry.cameras())


def _folder(settings: Settings) -> Path:
    """Return the folder of Ray's logs and sockets; short, since a socket's path may have 107 characters."""
    from engine.cluster.ray_runtime import node_name

    return Path("/tmp") / f"patrol-ray-{os.getuid()}-{node_name(settings.cluster)}"  # noqa: S108 (this user's own)


def _cores(given: float) -> float:
    return given or float(os.cpu_count() or 1)


def _head(settings: Settings) -> str:
    return f"{settings.cluster.listen}:{settings.cluster.port}"


def _while_running(node: Any, stop: Any) -> None:
    while not stop.wait(_POLL_S):
        if not node.running:
            raise PatrolError("Ray's processes ended; ray.log in its folder says why")


def _leave(node: Any, settings: Settings) -> None:
    """Give the shards of this machine to others before its processes end."""
    from engine.cluster.ray_runtime import node_name
    from engine.cluster.session import connected, leave
    from engine.runtime.log import logger

    try:
        with connected(node.address, settings.cluster.listen):
            leave(node_name(settings.cluster))
    except PatrolError as error:
        logger().warning("the shards of this machine end with it", detail=str(error))
