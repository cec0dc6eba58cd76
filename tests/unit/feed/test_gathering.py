"""Connections that gather: what wakes them, and in which order."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine.feed.gathering import GATHER_NS, Gatherer, Gathering, low_water

uvloop = pytest.importorskip("uvloop")
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Noted(Gatherer):
    """A gatherer that writes down when it ends."""

    def __init__(self, gathering: Gathering, transport: Any, note: Callable[[str], None]) -> None:
        super().__init__(gathering, transport)
        self.note = note

    def end(self) -> None:
        super().end()
        self.note("end")


class Waiting(asyncio.Protocol):
    """A connection that gathers from the beginning, and writes down what happens to it."""

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.events: list[str] = []
        self.received = 0
        self.happened = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.gatherer = Noted(self.gathering, transport, self.note)
        self.gatherer.gather(0)

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
        writer.write(bytes(100_000))
        await waiting.until(lambda: waiting.received > 0)
        assert waiting.events == ["data"]

    play(new_loop, act)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_after_the_end_every_byte_is_read_at_once(new_loop: Any) -> None:
    async def act(waiting: Waiting, writer: asyncio.StreamWriter) -> None:
        waiting.gatherer.end()
        for number in range(1, 4):
            writer.write(b"x")
            await waiting.until(lambda expected=number: waiting.received == expected)  # type: ignore[misc]
        assert waiting.events == ["end", "data", "data", "data"]

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
def test_a_connection_that_is_closed_is_not_ended_later(new_loop: Any) -> None:
    async def act(waiting: Waiting, writer: asyncio.StreamWriter) -> None:
        del writer
        closed: list[str] = []
        other = Noted(waiting.gathering, waiting.transport, closed.append)
        other.gather(0)
        other.close()
        await waiting.until(lambda: "end" in waiting.events)
        assert closed == []

    play(new_loop, act)


@pytest.mark.parametrize(
    ("octets", "elapsed_ns", "expected"),
    [
        (50_000, GATHER_NS, 50_000),
        (50_000, GATHER_NS // 2, 100_000),
        (50_000, 2 * GATHER_NS, 25_000),
        (0, GATHER_NS, 2_048),
        (10, 0, 131_072),
        (10_000_000, GATHER_NS, 131_072),
    ],
)
def test_it_waits_for_what_came_in_as_long_before(octets: int, elapsed_ns: int, expected: int) -> None:
    assert low_water(octets, elapsed_ns) == expected
