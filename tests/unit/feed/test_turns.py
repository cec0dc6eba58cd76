"""Connections with much to process get turns one after the other, and leave the loop to the others in between."""

import asyncio
import itertools

from engine.feed.turns import Turns


def test_all_who_wait_get_turns_in_their_order_and_again_if_they_ask() -> None:
    async def run() -> list[str]:
        turns, order = Turns(), []

        def turn(name: str, times: int) -> int:
            order.append(name)
            if times > 1:
                turns.wait(lambda: turn(name, times - 1))
            return 1_000

        for name in "abc":
            turns.wait(lambda name=name: turn(name, 3))  # type: ignore[misc]
        async with asyncio.timeout(10):
            while len(order) < 9:
                await asyncio.sleep(0.01)
        turns.wait(lambda: turn("later", 1))
        async with asyncio.timeout(10):
            while len(order) < 10:
                await asyncio.sleep(0.01)
        return order

    assert asyncio.run(run()) == [*"abc" * 3, "later"]


def test_between_two_turns_the_loop_is_free_for_three_times_as_long() -> None:
    async def run() -> list[float]:
        turns, starts = Turns(), []
        loop = asyncio.get_running_loop()

        def turn() -> int:
            starts.append(loop.time())
            turns.wait(turn)
            return 30_000_000

        turns.wait(turn)
        async with asyncio.timeout(10):
            while len(starts) < 4:
                await asyncio.sleep(0.01)
        return starts

    starts = asyncio.run(run())
    assert all(later - earlier >= 0.09 for earlier, later in itertools.pairwise(starts))
