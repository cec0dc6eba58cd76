"""Thumbnails wait their turn, and the patrol comes first."""

import asyncio
from collections.abc import Callable

import pytest

from engine.errors import UnavailableError
from engine.hub.services import render_gate
from engine.hub.services.render_gate import RenderGate
from tests.support.waiting import wait_until


class Door:
    """A gate, and what is inside of it."""

    def __init__(self, workers: int = 1, behind: bool = False) -> None:
        self.behind = behind
        self.inside = self.most = self.done = 0
        self.open = asyncio.Event()
        self.gate = RenderGate(lambda: workers, lambda: self.behind)

    async def render(self) -> None:
        async with self.gate.place():
            self.inside += 1
            self.most = max(self.most, self.inside)
            await self.open.wait()
            self.inside -= 1
        self.done += 1


async def settled(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition, 5)


@pytest.mark.parametrize(("workers", "behind", "most"), [(0, False, 2), (1, False, 2), (3, False, 6), (8, True, 1)])
def test_two_renders_a_worker_are_under_way_and_one_while_keyframes_wait(workers: int, behind: bool, most: int) -> None:
    async def story() -> None:
        door = Door(workers, behind)
        tasks = [asyncio.create_task(door.render()) for _ in range(9)]
        await settled(lambda: door.inside == most)
        door.open.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
        assert (door.most, door.done) == (most, 9)

    asyncio.run(story())


def test_while_keyframes_wait_a_place_rests_longer_than_its_render_took() -> None:
    async def story() -> None:
        door = Door(behind=True)
        first = asyncio.create_task(door.render())
        await settled(lambda: door.inside == 1)
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        await asyncio.sleep(0.1)  # what the render takes
        door.open.set()
        await first
        took_s = now_s() - began_s
        await asyncio.wait_for(door.render(), 5)
        assert now_s() - began_s >= 4 * took_s

    asyncio.run(story())


def test_who_would_wait_too_long_or_behind_too_many_may_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_gate, "WAITING_MAX", 2)
    monkeypatch.setattr(render_gate, "WAIT_S_MAX", 0.2)

    async def story() -> None:
        door = Door()
        inside = [asyncio.create_task(door.render()) for _ in range(2)]
        await settled(lambda: door.inside == 2)
        late = [asyncio.create_task(door.render()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="2 thumbnails wait"):
            await door.render()
        for task in late:
            with pytest.raises(UnavailableError, match="busy with the patrol"):
                await task
        door.open.set()
        await asyncio.gather(*inside)
        await asyncio.wait_for(door.render(), 5)  # nobody's place is lost

    asyncio.run(story())


def test_a_caller_that_leaves_leaves_its_place() -> None:
    async def story() -> None:
        door = Door()
        tasks = [asyncio.create_task(door.render()) for _ in range(6)]
        await settled(lambda: door.inside == 2)
        for task in tasks[:4]:
            task.cancel()
        await asyncio.gather(*tasks[:4], return_exceptions=True)
        door.open.set()
        await asyncio.wait_for(asyncio.gather(*tasks[4:]), 5)
        await asyncio.wait_for(door.render(), 5)

    asyncio.run(story())
