"""Takes what gateways pushed to a front: it goes the way of a keyframe that was pushed to this engine."""

import asyncio
from collections.abc import Callable, Sequence

from engine.clock import monotonic_ns
from engine.errors import ErrorReason, InvalidArgumentError, WireError
from engine.feed import passed_on
from engine.feed.passed_on import Kept, PassedOn
from engine.hub.keyframes.gateways import Gateways
from engine.hub.thread_calls import ThreadCalls
from engine.model.keyframe import Keyframe


class FrontPushes:
    """Implements engine.serve.port.PushPort. `arrived(keyframe, now_ns)` and `has_room()`, of the intake, are called in
    the hub's thread."""

    def __init__(
        self,
        gateways: Gateways,
        calls: ThreadCalls,
        arrived: Callable[[Keyframe, int], None],
        has_room: Callable[[], bool],
    ) -> None:
        self._gateways = gateways
        self._calls = calls
        self._arrived = arrived
        self._has_room = has_room

    async def take(self, raw: bytes) -> bytes:
        """Take keyframes; return which of them the front keeps. Raises InvalidArgumentError if the bytes are none."""
        try:
            items = passed_on.unpack(raw)
        except WireError as error:
            raise InvalidArgumentError("", str(error), reason=ErrorReason.REQUEST_MALFORMED) from error
        kept = await asyncio.wrap_future(self._calls.ask(lambda: self._take(items)))
        return passed_on.pack_kept(kept)

    def _take(self, items: Sequence[PassedOn]) -> Kept:
        unknown: list[int] = []
        for position, item in enumerate(items):
            if not self._has_room():
                return Kept(tuple(unknown), len(items) - position)
            try:
                keyframe = self._gateways.receive_passed_on(item)
            except KeyError:
                unknown.append(position)
                continue
            if keyframe is not None:
                self._arrived(keyframe, monotonic_ns())
        return Kept(tuple(unknown))
