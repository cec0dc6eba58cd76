"""Writes streams of replies, and ends those whose token became invalid or whose caller does not read.

One periodic check covers all open streams, instead of a timer around every reply: two hundred watchers receive hundreds
of replies a second, and hardly ever must one stream be ended.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, cast

import grpc

from engine.errors import ErrorReason, PatrolError, UnauthenticatedError
from engine.serve.status import TooSlowError

STALLED_S = 30.0
"""A stream whose caller reads nothing for so long is ended."""
CHECK_S = 0.5
"""How often the open streams are checked."""

Context = grpc.aio.ServicerContext[Any, Any]


class ResponseStreams:
    """All open streams of a server. `is_valid(digest)`: whether calls with this token are still accepted."""

    def __init__(self, is_valid: Callable[[bytes], bool]) -> None:
        self._is_valid = is_valid
        self._open: set[_Stream] = set()

    async def write(self, replies: AsyncGenerator[Any, None], context: Context, digest: bytes) -> None:
        """Write all `replies`, as fast as the caller reads them.

        Raises UnauthenticatedError if the token becomes invalid, TooSlowError if the caller does not read.
        """
        now_s = asyncio.get_running_loop().time
        with self._registered(digest) as stream:
            async with aclosing(replies):
                async for reply in replies:
                    if not self._is_valid(digest):
                        raise _revoked()
                    stream.writing_since_s = now_s()
                    await context.write(reply)
                    stream.writing_since_s = None

    def check(self) -> None:
        """End the streams whose token became invalid, or whose caller does not read."""
        now_s = asyncio.get_running_loop().time()
        for stream in self._open:
            if stream.error is not None:
                continue  # it is ending already
            since_s = stream.writing_since_s
            if since_s is not None and now_s - since_s >= STALLED_S:
                stream.end(_stalled())
            elif not self._is_valid(stream.digest):
                stream.end(_revoked())

    async def keep_checking(self) -> None:
        """Check every CHECK_S, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            self.check()

    @contextmanager
    def _registered(self, digest: bytes) -> "Iterator[_Stream]":
        stream = _Stream(cast("asyncio.Task[Any]", asyncio.current_task()), digest)
        self._open.add(stream)
        try:
            yield stream
        except asyncio.CancelledError:
            # `end` cancelled the task, unless the caller went away at the same moment: then nobody is left to be told.
            if stream.error is None or stream.task.uncancel():
                raise
            raise stream.error from None
        finally:
            self._open.discard(stream)


class _Stream:
    """One open stream. `error`: why `end` ended it; None while it goes on."""

    __slots__ = ("digest", "error", "task", "writing_since_s")

    def __init__(self, task: "asyncio.Task[Any]", digest: bytes) -> None:
        self.task = task
        self.digest = digest
        self.writing_since_s: float | None = None
        self.error: PatrolError | None = None

    def end(self, error: PatrolError) -> None:
        """Cancel the task that writes the stream; `_registered` raises the error there."""
        self.error = error
        self.task.cancel()


def _revoked() -> PatrolError:
    return UnauthenticatedError(
        "the token is no longer valid; it was revoked or has expired", reason=ErrorReason.TOKEN_ENDED
    )


def _stalled() -> PatrolError:
    return TooSlowError(f"nothing was read for {STALLED_S:g} s; read faster, and resume with the last resume_token")
