"""MarkViewing and ListViewers over gRPC: inspectors see each other within their region, and nothing is logged."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.model.access import AuditQuery, Role, TokenOrder
from engine.model.camera import Camera
from engine.storage.db.store import Store
from tests.support.serve.served import FakeHub, RunningServer, serving

HERE, THERE = "130102", "130103"
TOKENS = {"wang": HERE, "li": HERE, "zhao": THERE, "province": ""}


class World:
    def __init__(self, served: RunningServer, store: Store, secrets: dict[str, str]) -> None:
        self.served, self.store, self.secrets = served, store, secrets

    def client(self, name: str) -> PatrolClient:
        return PatrolClient(self.served.address, token=self.secrets[name])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Finding 1 is here, finding 2 there."""
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    secrets = {
        name: store.access.create_token(TokenOrder(name, Role.VIEWER, region), "test", wall_ns())[1]
        for name, region in TOKENS.items()
    }
    hub = FakeHub(store)
    for number, region in enumerate((HERE, THERE), 1):
        camera = Camera(f"c{number}", "rtsp://h/1", region=region)
        hub.put(camera)
        hub.ledger.open(camera)
    with serving(tmp_path, hub=hub) as served:
        yield World(served, store, secrets)
    store.close()


def test_several_see_each_other_by_the_names_of_their_tokens(world: World) -> None:
    with world.client("wang") as wang, world.client("li") as li, world.client("province") as province:
        (mine,) = wang.findings.mark_viewing(1)
        assert (mine.name, abs(mine.marked_wall_ns - wall_ns()) < 60 * 10**9) == ("wang", True)
        assert [viewer.name for viewer in li.findings.mark_viewing(1)] == ["wang", "li"]
        assert [viewer.name for viewer in province.findings.viewers([1, 2])[1]] == ["wang", "li"]
        wang.findings.mark_viewing(1, viewing=False)
        assert [viewer.name for viewer in li.findings.viewers([1])[1]] == ["li"]
    assert world.store.access.entries(AuditQuery()) == ()


def test_findings_of_other_regions_have_no_viewers_and_cannot_be_marked(world: World) -> None:
    with world.client("zhao") as zhao, world.client("wang") as wang:
        zhao.findings.mark_viewing(2)
        assert wang.findings.viewers([1, 2, 99]) == {1: (), 2: (), 99: ()}
        for finding_id in (2, 99):
            with pytest.raises(CallError) as caught:
                wang.findings.mark_viewing(finding_id)
            assert caught.value.status == "NOT_FOUND"
        assert [viewer.name for viewer in zhao.findings.viewers([2])[2]] == ["zhao"]


def test_at_most_a_hundred_are_listed_at_once(world: World) -> None:
    with world.client("wang") as wang:
        assert len(wang.findings.viewers(range(1, 101))) == 100
        for wrong in (range(1, 102), range(0)):
            with pytest.raises(CallError) as caught:
                wang.findings.viewers(wrong)
            assert caught.value.violations[0][0] == "names"
