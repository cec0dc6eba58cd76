"""Connections that gather: what wakes them, and in which order."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine.feed.gathering import LOW_WATER_BYTES, Gathering

uvloop = pytest.importorskip("uvloop")
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Waiting(asyncio.Protocol):
    """A connection that gathers from the beginning, and writes down what happens to it."""

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.events: list[str] = []
        self.received = 0
        self.happened = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.gathering.begin(transport, self.end)

    def end(self) -> None:
        self.gathering.end(self.transport, self.end)
        self.note("end")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.note("data")

    def connection_lost(self, error: Exception | None) -> None:
        self.note("lost")

    def note(self, event: str) -> None:
        self.events.append(event)
        self.happened.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.happened.clear()
                await self.happened.wait()


def play(new_loop: Any, act: Callable[[Waiting, asyncio.StreamWriter], Coroutine[Any, Any, None]]) -> None:
    """Connect a Waiting to a server, and have `act` act as the server."""

    async def run() -> None:
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        server = await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), "127.0.0.1", 0)
        gathering = Gathering()
        address = server.sockets[0].getsockname()
        loop = asyncio.get_running_loop()
        transport, waiting = await loop.create_connection(lambda: Waiting(gathering), *address)
        writer = await accepted.get()
        await act(waiting, writer)
        transport.close()
        writer.close()
        server.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_little_is_read_only_once_gathering_has_ended(new_loop: Any) -> None:
    async def act(waiting: Waiting, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(1000))
        await waiting.until(lambda: waiting.received == 1000)
        assert waiting.events == ["end", "data"]

    play(new_loop, act)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_as_much_as_a_keyframe_is_read_at_once(new_loop: Any) -> None:
    async def act(waiting: Waiting, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(2 * LOW_WATER_BYTES))
        await waiting.until(lambda: waiting.received >= LOW_WATER_BYTES)
        assert waiting.events[0] == "data"
        assert waiting.received >= LOW_WATER_BYTES

    play(new_loop, act)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_server_that_closes_is_noticed_at_once_with_what_it_sent_before(new_loop: Any) -> None:
    async def act(waiting: Waiting, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(1000))
        writer.close()
        await waiting.until(lambda: "lost" in waiting.events)
        assert waiting.events == ["data", "lost"]
        assert waiting.received == 1000

    play(new_loop, act)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_who_is_forgotten_is_not_called(new_loop: Any) -> None:
    async def act(waiting: Waiting, writer: asyncio.StreamWriter) -> None:
        del writer
        others: list[str] = []

        def forgotten() -> None:
            others.append("called")

        waiting.gathering.begin(waiting.transport, forgotten)
        waiting.gathering.forget(forgotten)
        await waiting.until(lambda: "end" in waiting.events)
        assert others == []

    play(new_loop, act)
