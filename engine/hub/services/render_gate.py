"""Lets thumbnails be rendered a few at a time, so that the workers go on with the patrol."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from engine.errors import UnavailableError

WAITING_MAX = 256
"""Thumbnails that may wait to be rendered; two full batches, and some."""
WAIT_S_MAX = 10.0
_RENDERS_A_WORKER = 2
"""One is on its way while the other is rendered."""
_REST = 4.0
"""While keyframes wait long, a place rests so many times as long as its render took."""


class RenderGate:
    """The places of thumbnails that are being rendered. For one event loop.

    `workers`: how many are ready. `is_behind`: whether keyframes have waited long for a worker. While none has, there
    are two places for each worker. Else there is one place, which rests after each render: thumbnails then take at most
    a fifth of one worker.
    """

    def __init__(self, workers: Callable[[], int], is_behind: Callable[[], bool]) -> None:
        self._workers = workers
        self._is_behind = is_behind
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, and leave it at the end. Raises UnavailableError if too many wait, or it takes too long."""
        await self._enter()
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        try:
            yield
        finally:
            if self._is_behind():
                asyncio.get_running_loop().call_later(_REST * (now_s() - began_s), self._leave)
            else:
                self._leave()

    async def _enter(self) -> None:
        if not self._waiting and self._taken < self._places():
            self._taken += 1
            return
        if len(self._waiting) >= WAITING_MAX:
            raise UnavailableError(f"{WAITING_MAX} thumbnails wait to be rendered; ask again in a second")
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._leave()  # the place came as the caller went
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise UnavailableError("the workers are busy with the patrol; ask again in a second") from None
            raise

    def _leave(self) -> None:
        self._taken -= 1
        while self._waiting and self._taken < self._places():
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)

    def _places(self) -> int:
        return 1 if self._is_behind() else _RENDERS_A_WORKER * max(1, self._workers())
