"""Requests that were made once (AIP-155): the same request_id again is the same call, with the same reply."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from engine.errors import InvalidArgumentError

KEPT_S = 3600.0
KEPT_MAX = 10_000
"""Beyond it the oldest is forgotten."""


class Requests:
    """Replies by caller, method and request_id. Those of a call that failed are not kept: it may be tried again."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._kept: OrderedDict[tuple[str, str, str], tuple[float, bytes, asyncio.Future[Any]]] = OrderedDict()

    async def once(self, caller: str, method: str, request: Any, serve: Callable[[], Awaitable[Any]]) -> Any:
        """The reply of `serve`, or of the call before. InvalidArgumentError if that asked for something else."""
        self._forget()
        key, digest = (caller, method, request.request_id), _digest(request)
        known = self._kept.get(key)
        if known is not None:
            if known[1] != digest:
                raise InvalidArgumentError("request_id", "was sent with another request; give each request its own")
            return await asyncio.shield(known[2])
        reply: asyncio.Future[Any] = asyncio.ensure_future(serve())
        self._kept[key] = (self._now_s(), digest, reply)

        def ended(done: asyncio.Future[Any]) -> None:
            if done.cancelled() or done.exception() is not None:
                self._kept.pop(key, None)

        reply.add_done_callback(ended)
        # The first caller may go away; what it began ends for the one that asks again.
        return await asyncio.shield(reply)

    def _forget(self) -> None:
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) < KEPT_MAX and self._now_s() - self._kept[oldest][0] < KEPT_S:
                return
            del self._kept[oldest]


def _digest(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
