"""The scheduler against small worlds in virtual time, seeded; its own invariants and an auditor look at every event."""

import pytest

from tests.support.scheduler.worlds import WORLDS, World, WorldPlan


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("plan", WORLDS, ids=lambda plan: plan.name)
def test_every_promise_is_kept_after_every_event_and_a_replay_gives_the_same_actions(
    plan: WorldPlan, seed: int
) -> None:
    world = World(plan, seed).run()
    assert len(world.patrol.starts) > 60
    world.replay()
