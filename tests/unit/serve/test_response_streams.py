"""Streams of replies: those that may not go on are ended, with the reason, and no others."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from engine.errors import UnauthenticatedError
from engine.serve.status import TooSlowError
from engine.serve.streams import response_streams
from engine.serve.streams.response_streams import ResponseStreams


class Caller:
    """Reads what is written while `reads`."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def write(self, reply: Any) -> None:
        await self.reads.wait()
        self.heard.append(reply)


class Story:
    """One stream: its replies are put in `coming`."""

    def __init__(self) -> None:
        self.held = {b"t"}
        self.streams = ResponseStreams(lambda digest: digest in self.held)
        self.caller = Caller()
        self.coming: asyncio.Queue[int] = asyncio.Queue()
        self.closed = False
        self.task = asyncio.create_task(self._run())

    async def _replies(self) -> AsyncGenerator[int, None]:
        try:
            while True:
                yield await self.coming.get()
        finally:
            self.closed = True

    async def _run(self) -> str:
        """As the interceptor does: what ends a stream becomes a status, in the same task."""
        try:
            await self.streams.write(self._replies(), self.caller, b"t")  # type: ignore[arg-type]
        except (TooSlowError, UnauthenticatedError) as error:
            await asyncio.sleep(0)  # a task that were still cancelled would end here
            return f"{type(error).__name__}: {error}"
        return "ended by itself"

    async def put(self, *replies: int) -> None:
        for reply in replies:
            self.coming.put_nowait(reply)
        for _ in range(10):
            await asyncio.sleep(0)

    async def end(self) -> str:
        async with asyncio.timeout(5):
            return await self.task


def told(act: Callable[[Story], Any]) -> tuple[str, list[int], bool]:
    """How a stream ends to which this happens."""

    async def whole() -> tuple[str, list[int], bool]:
        story = Story()
        await story.put(1, 2)
        await act(story)
        return await story.end(), story.caller.heard, story.closed

    return asyncio.run(whole())


def test_a_stream_whose_token_is_revoked_ends_though_nothing_is_told() -> None:
    async def act(story: Story) -> None:
        story.streams.check()
        await story.put(3)
        story.held.clear()
        story.streams.check()
        story.streams.check()  # it is ended once

    said = "UnauthenticatedError: the token is no longer valid; it was revoked or has expired"
    assert told(act) == (said, [1, 2, 3], True)


def test_nothing_is_told_with_a_token_that_was_revoked_since() -> None:
    async def act(story: Story) -> None:
        story.held.clear()
        await story.put(3)

    said, heard, _ = told(act)
    assert (said.partition(":")[0], heard) == ("UnauthenticatedError", [1, 2])


def test_a_caller_who_does_not_read_is_cut_and_one_who_hears_nothing_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_streams, "STALLED_S", 0.05)

    async def act(story: Story) -> None:
        await asyncio.sleep(0.06)
        story.streams.check()  # nothing was written for long, which is no stall
        await story.put(3)
        story.caller.reads.clear()
        await story.put(4)
        story.streams.check()  # it has just begun
        await asyncio.sleep(0)
        assert not story.task.done()
        await asyncio.sleep(0.06)
        story.streams.check()

    said = "TooSlowError: nothing was read for 0.05 s; read faster, and resume with the last resume_token"
    assert told(act) == (said, [1, 2, 3], True)


def test_a_caller_who_goes_away_is_no_reason_even_in_the_moment_of_one() -> None:
    async def gone(revoked: bool) -> None:
        story = Story()
        await story.put(1)
        if revoked:
            story.held.clear()
            story.streams.check()
        story.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await story.end()
        assert story.closed
        assert not story.streams._open

    for revoked in (False, True):
        asyncio.run(gone(revoked))


def test_they_are_looked_at_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_streams, "CHECK_S", 0.01)

    async def act(story: Story) -> None:
        keeper = asyncio.create_task(story.streams.keep_checking())
        story.held.clear()
        await asyncio.wait({story.task}, timeout=5)
        keeper.cancel()

    assert told(act)[0].startswith("UnauthenticatedError")
