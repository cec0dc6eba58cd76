"""Makes calls idempotent (AIP-155): a retry with the same request_id gets the reply of the first call."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from engine.errors import ErrorReason, InvalidArgumentError

KEPT_S = 3600.0
KEPT_MAX = 10_000
"""Replies that are kept; beyond this number the oldest are dropped."""


class ReplyCache:
    """Replies by caller, method and request_id. Calls that failed are not kept, so that they can be retried."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._kept: OrderedDict[tuple[str, str, str], tuple[float, bytes, asyncio.Future[Any]]] = OrderedDict()

    async def reply(self, caller: str, method: str, request: Any, serve: Callable[[], Awaitable[Any]]) -> Any:
        """Return the reply of the first call with this request_id; `serve` makes it if there was none yet.

        Raises InvalidArgumentError if the first call's request differs from this one.
        """
        self._drop_old()
        key, digest = (caller, method, request.request_id), _digest(request)
        first = self._kept.get(key)
        if first is not None:
            if first[1] != digest:
                raise InvalidArgumentError(
                    "request_id",
                    "was sent with another request; give each request its own",
                    reason=ErrorReason.REQUEST_ID_REUSED,
                    metadata={"request_id": request.request_id},
                )
            return await asyncio.shield(first[2])
        reply: asyncio.Future[Any] = asyncio.ensure_future(serve())
        self._kept[key] = (self._now_s(), digest, reply)

        def ended(done: asyncio.Future[Any]) -> None:
            if done.cancelled() or done.exception() is not None:
                self._kept.pop(key, None)

        reply.add_done_callback(ended)
        # The first caller may go away; the call it began goes on, for its retry.
        return await asyncio.shield(reply)

    def _drop_old(self) -> None:
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) < KEPT_MAX and self._now_s() - self._kept[oldest][0] < KEPT_S:
                return
            del self._kept[oldest]


def _digest(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
