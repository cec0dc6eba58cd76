"""Who has a finding open: in the order of their marks, forgotten in time, and never more than the bounds."""

import pytest

from engine.clock import NS_PER_S
from engine.hub.services import viewers as module
from engine.hub.services.viewers import FORGET_S, VIEWERS_MAX, Viewers
from engine.model.viewing import Viewer


class World:
    """Viewers, and their clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.viewers = Viewers(lambda: round(self.now_s * NS_PER_S), lambda: 7)

    def names(self, finding_id: int = 1) -> list[str]:
        return [viewer.name for viewer in self.viewers.of([finding_id])[finding_id]]


@pytest.fixture
def world() -> World:
    return World()


def test_viewers_are_told_of_each_other_in_the_order_of_their_marks(world: World) -> None:
    assert world.viewers.mark(1, "wang", True) == (Viewer("wang", 7),)
    world.viewers.mark(1, "li", True)
    assert [viewer.name for viewer in world.viewers.mark(1, "wang", True)] == ["li", "wang"]
    assert (world.names(1), world.names(2)) == (["li", "wang"], [])


def test_who_leaves_is_gone_at_once_and_may_leave_twice(world: World) -> None:
    world.viewers.mark(1, "wang", True)
    assert world.viewers.mark(1, "wang", False) == ()
    assert world.viewers.mark(1, "wang", False) == ()
    assert len(world.viewers) == 0


def test_a_mark_ends_by_itself_unless_it_is_made_again(world: World) -> None:
    world.viewers.mark(1, "wang", True)
    world.viewers.mark(1, "li", True)
    world.now_s = FORGET_S - 1
    world.viewers.mark(1, "li", True)
    world.now_s = FORGET_S
    assert world.names() == ["li"]
    world.now_s = 2 * FORGET_S
    assert world.names() == []
    world.viewers.mark(2, "li", True)
    assert len(world.viewers) == 1, "what nobody has open takes no memory"


def test_the_ninth_viewer_takes_the_place_of_who_marked_longest_ago(world: World) -> None:
    for number in range(VIEWERS_MAX + 1):
        world.viewers.mark(1, f"v{number}", True)
    assert world.names() == [f"v{number}" for number in range(1, VIEWERS_MAX + 1)]


def test_findings_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FINDINGS_MAX", 3)
    for number in range(1, 5):
        world.viewers.mark(number, "wang", True)
    assert len(world.viewers) == 3
    assert [number for number in range(1, 5) if world.names(number)] == [2, 3, 4]
