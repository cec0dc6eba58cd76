"""Several machines in virtual time: a lost one's cameras are visited elsewhere, and no platform is visited too much."""

from collections import Counter

import pytest

from engine.clock import NS_PER_S, ns
from engine.cluster.placement.nodes import Node
from engine.cluster.placement.shards import ShardSize
from engine.config.schema import SchedulerSettings
from engine.errors import ConfigError
from engine.simulation.cluster import FAILOVER_S, ClusterSimulation, NodeLoss, own_caps, parse_loss
from engine.simulation.cluster_report import report
from engine.simulation.world import Pattern, World
from tests.support.scheduler.simulations import scenario, settings

ALWAYS = World(hours=(Pattern(hours="", share=1),))
ALONE = ShardSize(0.0, 0.0001)
"""Each county is a shard, and every platform is shared."""
NODES = [Node(f"node-{number}", 1.0) for number in (1, 2, 3)]


def run(losses: list[NodeLoss], hours: float = 1.5, size: ShardSize = ALONE, cameras: int = 7000) -> ClusterSimulation:
    made = ClusterSimulation(scenario(cameras, hours, world=ALWAYS), NODES, size, losses)
    made.run()
    return made


@pytest.fixture(scope="module")
def lost() -> ClusterSimulation:
    """Nine counties on three nodes; one node is lost after 40 minutes."""
    return run([NodeLoss("node-2", ns(2400))])


def test_cameras_of_a_lost_node_are_visited_elsewhere_and_all_seen_within_two_periods(lost: ClusterSimulation) -> None:
    (recovery,) = lost.recoveries
    assert recovery.cameras == sum(lost.runs[number].shard.cameras for number in recovery.shards) > 0
    assert recovery.first_visit_s == pytest.approx(FAILOVER_S, abs=1.1)
    assert recovery.all_seen_s is not None
    assert recovery.all_seen_s < 1800
    assert "node-2" not in lost.node_of.values()
    figures = report(lost)
    assert figures.promises_held, figures.figures["broken"]
    before, during = figures.figures["phases"][:2]
    assert (before["phase"], during["phase"]) == ("before", "node-2 lost")
    assert during["lag_s"]["key_point"]["p99"] > before["lag_s"]["key_point"]["p99"]


def test_only_the_shards_of_the_lost_node_stand_still(lost: ClusterSimulation) -> None:
    (recovery,) = lost.recoveries
    gone = {number for number, node in lost.first_placement.items() if node == "node-2"}
    assert set(recovery.shards) == gone
    assert lost.moves >= len(gone)
    minute = next(row for row in lost.rows if row.at_s == 2400)
    assert minute.visits["node-1"] > 0
    assert minute.visits["node-3"] > 0
    later = [row for row in lost.rows if row.at_s >= 2460]
    assert sum(row.visits["node-2"] for row in later) == 0
    assert all(row.core_share["node-2"] == 0 for row in later)


def test_the_same_seed_gives_the_same_figures() -> None:
    losses = [NodeLoss("node-1", ns(600))]
    assert report(run(losses, 0.4, cameras=3000)).json() == report(run(losses, 0.4, cameras=3000)).json()


def test_a_platform_of_several_shards_never_gets_more_than_its_cap() -> None:
    tight = scenario(7000, 0.5, world=ALWAYS, plan=settings(visits_per_host_max=12))
    made = ClusterSimulation(tight, NODES, ALONE, [])
    assert made.division.shared_hosts
    most: Counter[str] = Counter()
    for now_ns in range(0, tight.span_ns // 4, NS_PER_S // 10):
        flights: Counter[str] = Counter()
        for each in made.runs.values():
            each.simulation.advance(now_ns)
            fleet = each.simulation.scenario.fleet
            flights.update(fleet.hosts[fleet.host[camera]] for camera in each.simulation.oracle.flights.values())
        most |= flights
    assert 6 <= max(most.values()) <= 12


def test_a_cap_is_divided_by_expected_visits_and_never_to_nothing() -> None:
    plan = SchedulerSettings(visits_per_host_max=10, host_visits_max={"other": 3, "large": 100})
    shares = {"p": {1: 0.35, 2: 0.65}, "large": {1: 0.5, 2: 0.5}, "small": {1: 0.01, 2: 0.99}, "not": {2: 0.4, 3: 0.6}}
    assert own_caps(plan, shares, 1) == {"other": 3, "large": 50, "p": 4, "small": 1}
    assert own_caps(plan, shares, 2) == {"other": 3, "large": 50, "p": 6, "small": 9, "not": 4}
    assert own_caps(plan, {}, 1) == plan.host_visits_max


@pytest.mark.parametrize(("text", "at_s"), [("node-2@3h", 10_800), ("node-2@90m", 5400), ("node-2@1.5s", 1.5)])
def test_a_loss_is_read(text: str, at_s: float) -> None:
    assert parse_loss(text, 4) == NodeLoss("node-2", ns(at_s))


@pytest.mark.parametrize("text", ["node-2", "@3h", "node-2@3", "node-2@xh", "node-2@5h", "node-2@-1h", "node-2@0s"])
def test_a_loss_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="give NODE@TIME within the 4 hours"):
        parse_loss(text, 4)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([NodeLoss("node-9", 1)], "there is no such node; allowed: node-1, node-2, node-3"),
        ([NodeLoss(node.name, 1) for node in NODES], "all nodes would be lost"),
        ([NodeLoss("node-1", ns(7200))], "comes after the end"),
    ],
)
def test_losses_have_to_fit_the_nodes(losses: list[NodeLoss], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ClusterSimulation(scenario(600, 1), NODES, ALONE, losses)
