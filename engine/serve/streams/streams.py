"""Streams of replies under way, and the one look at all of them that ends those that may not go on.

One look a moment at all of them, instead of timers around every reply of each: two hundred watchers get hundreds of
replies a second, and hardly ever is one to be ended.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, cast

import grpc

from engine.errors import PatrolError, UnauthenticatedError
from engine.serve.status import TooSlowError

STALLED_S = 30.0
"""A caller that takes nothing for so long is cut."""
LOOK_S = 0.5
"""So often they are looked at."""

Context = grpc.aio.ServicerContext[Any, Any]


class Streams:
    """All of a server. `holds(digest)`: whether a caller with this token would still be heard."""

    def __init__(self, holds: Callable[[bytes], bool]) -> None:
        self._holds = holds
        self._open: set[_Stream] = set()

    async def write(self, replies: AsyncGenerator[Any, None], context: Context, digest: bytes) -> None:
        """Everything in `replies`, as fast as it is read. Raises what the stream was ended for."""
        now_s = asyncio.get_running_loop().time
        with self._under_way(digest) as stream:
            async with aclosing(replies):
                async for reply in replies:
                    if not self._holds(digest):
                        raise _revoked()
                    stream.writing_since_s = now_s()
                    await context.write(reply)
                    stream.writing_since_s = None

    def look(self) -> None:
        """End those whose token holds no longer, or whose caller does not read."""
        now_s = asyncio.get_running_loop().time()
        for stream in self._open:
            if stream.ended_for is not None:
                continue  # it is on its way out
            since_s = stream.writing_since_s
            if since_s is not None and now_s - since_s >= STALLED_S:
                stream.end(_stalled())
            elif not self._holds(stream.digest):
                stream.end(_revoked())

    async def keep_looking(self) -> None:
        """The task that does so."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    @contextmanager
    def _under_way(self, digest: bytes) -> "Iterator[_Stream]":
        stream = _Stream(cast("asyncio.Task[Any]", asyncio.current_task()), digest)
        self._open.add(stream)
        try:
            yield stream
        except asyncio.CancelledError:
            # Ours, unless the caller went away in the same moment: then nobody is left to be told the reason.
            if stream.ended_for is None or stream.task.uncancel():
                raise
            raise stream.ended_for from None
        finally:
            self._open.discard(stream)


class _Stream:
    """One of them, in a task of its own."""

    __slots__ = ("digest", "ended_for", "task", "writing_since_s")

    def __init__(self, task: "asyncio.Task[Any]", digest: bytes) -> None:
        self.task = task
        self.digest = digest
        self.writing_since_s: float | None = None
        self.ended_for: PatrolError | None = None

    def end(self, why: PatrolError) -> None:
        self.ended_for = why
        self.task.cancel()


def _revoked() -> PatrolError:
    return UnauthenticatedError("the token holds no longer; it was revoked, or has expired")


def _stalled() -> PatrolError:
    return TooSlowError(f"nothing was read for {STALLED_S:g} s; read faster, and go on with the last resume_token")
