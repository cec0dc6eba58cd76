"""Bounds the connections of the gateway: how many there are, and how long each may take to send a request.

uvicorn waits for the first request of a connection, and for the rest of a slow one, without end.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.runtime.acceptor import Acceptor

HEAD_S = 10.0
"""Longest time from a connection's begin, or from a request's first byte, until the request's head is complete."""
_REFUSED_AT_ONCE_MAX = 16
"""Connections beyond the most that are kept to be told so; more are closed without a word."""


class BoundedProtocol(H11Protocol):
    """One connection. `waiting`: the connections of the server that are not in a request, the oldest first.

    At `connections_max` the one that has waited longest makes room. `closed()` counts those that are closed for that.
    """

    def __init__(
        self,
        waiting: "dict[BoundedProtocol, None]",
        connections_max: int,
        closed: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._waiting = waiting
        self._connections_max = connections_max
        self._closed = closed
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room for the connection, and wait for its request."""
        super().connection_made(transport)
        while len(self.connections) >= self._connections_max and self._waiting:
            oldest = next(iter(self._waiting))
            oldest.give_up()
            self.connections.discard(oldest)  # uvicorn does so when it is told, a moment later
        if len(self.connections) > self._connections_max + _REFUSED_AT_ONCE_MAX:
            self.give_up()
            return
        self._wait()
        self._begin_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; while they are no whole head of a request, the time for it runs."""
        super().data_received(data)
        if self._in_request:
            self._end_wait()
        elif not self.transport.is_closing():
            self._begin_timer()

    def on_response_complete(self) -> None:
        """Wait for the next request; uvicorn's own timer closes the connection if none begins."""
        self._wait()
        super().on_response_complete()
        if self._in_request:  # it was sent ahead
            self._end_wait()

    def give_up(self) -> None:
        """Close the connection, because there are too many."""
        self._end_wait()
        self._closed()
        self.transport.abort()

    @property
    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._waiting[self] = None

    def _begin_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _end_wait(self) -> None:
        self._waiting.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose TLS servers bound their handshakes and tell of those that fail; uvicorn cannot be told so."""

    handshakes_max = 64
    handshake_failed: Callable[[str], None] = staticmethod(lambda _: None)

    async def create_server(self, protocol_factory: Any, *arguments: Any, **options: Any) -> Any:
        """Create a server as asyncio does, or with TLS one that behaves alike."""
        context, listener = options.get("ssl"), options.get("sock")
        if context is None or listener is None:
            return await super().create_server(protocol_factory, *arguments, **options)
        return Acceptor(listener, protocol_factory, context, self.handshakes_max, self.handshake_failed)
