"""`patrol simulate --nodes`: several machines in virtual time."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.json_output import print_json
from engine.cli.options import ERR, OUT
from engine.clock import seconds
from engine.terminal.progress import progress

if TYPE_CHECKING:
    from engine.simulation.simulation import Scenario


def simulate_cluster(
    scenario: "Scenario", nodes: int, lose_node: Sequence[str], plot: Path | None, *, as_json: bool
) -> bool:
    """Simulate so many machines of the scenario's cores, print and plot; return whether every promise held.

    Raises ConfigError for a loss that cannot be.
    """
    from engine.cluster.placement.nodes import Node
    from engine.cluster.placement.shards import ShardSize
    from engine.simulation.cluster import ClusterSimulation, parse_loss
    from engine.simulation.cluster_report import report, show

    hours = seconds(scenario.span_ns) / 3600
    losses = [parse_loss(text, hours) for text in lose_node]
    cluster = scenario.settings.cluster
    with progress(ERR, f"simulating {nodes} nodes, minutes", round(60 * hours)) as done:
        simulation = ClusterSimulation(
            scenario,
            [Node(f"node-{number}", scenario.cores) for number in range(1, nodes + 1)],
            ShardSize(cluster.shard_cores_min, cluster.shard_cores_max),
            losses,
            done,
        )
        simulation.run()
    made = report(simulation)
    if as_json:
        print_json(made.json())
    else:
        show(OUT, made)
    if plot is not None:
        from engine.simulation.cluster_plot import draw

        draw(made, plot)
        ERR.out(f"drew {plot}", highlight=False)
    return made.promises_held
