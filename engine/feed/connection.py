"""Carries bytes between a transport and an RTSP session, within the budget of the visit."""

import asyncio
from collections.abc import Callable
from typing import Any

from engine.clock import thread_cpu_ns
from engine.feed.budget import SLICE_BYTES, TURN_CPU_NS, Budget
from engine.feed.rtsp.session import Session
from engine.feed.turns import Turns
from engine.model.visit import FailureReason

_READ_PAUSE_S = 0.1
"""Reading pauses this long between keyframes, so a keyframe may be noticed this much later."""
_LARGE_READ_BYTES = 65_536
_CLOSE_S = 0.5
"""A peer of TLS that does not answer the closing is dropped after this time."""


class Connection(asyncio.Protocol):
    """`over` is done when the session is; it raises what broke in the session.

    `heavy`: the server sends what costs much to read; what it sends is processed in turns of its own from then on.
    """

    def __init__(self, session: Session, budget: Budget, turns: Turns) -> None:
        self._session = session
        self._budget = budget
        self._turns = turns
        self._transport: Any = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heavy = False
        self._backlog = b""
        self._place = 0
        self._waiting = self._paused = self._lost = False
        self._pause: asyncio.Handle | None = None

    @property
    def address(self) -> str:
        """The peer's address; empty if there is no connection."""
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peer[0]) if peer else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = transport
        self._guarded(self._session.begin)

    def data_received(self, data: bytes) -> None:
        """Process bytes of the server, or keep them for this connection's next turn."""
        self._budget.received_bytes += len(data)
        if self._session.over or self.over.done():
            return  # it is about to be closed
        self._backlog = self._backlog[self._place :] + data if self._backlog else data
        self._place = 0
        if not self.heavy:
            self._process()
        if self._session.over or self.over.done():
            self._stop_reading()
        elif self._backlog and not self._waiting:
            self.heavy = self._waiting = True
            self._stop_reading()
            self._turns.wait(self._turn)
        elif len(data) >= _LARGE_READ_BYTES and self._pause is None:
            # uvloop would go on reading for as long as there is more: first the others have a turn.
            self._stop_reading()
            self._pause = asyncio.get_running_loop().call_soon(self._end_pause)

    def receive_datagram(self, data: bytes) -> None:
        """Process a datagram of the RTP port."""
        self._budget.received_bytes += len(data)
        self._guarded(lambda: self._session.receive_datagram(data))

    def connection_lost(self, error: Exception | None) -> None:
        """End the session: the server has closed or reset the connection. What it sent before counts."""
        del error
        self._lost = True
        if not self._waiting:
            self._guarded(self._session.connection_closed)

    def close(self) -> None:
        """Send TEARDOWN, so that the server need not keep the session, then close."""
        self._backlog = b""
        if self._pause is not None:
            self._pause.cancel()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            teardown = self._session.teardown()
            if teardown:
                transport.write(teardown)
        finally:
            transport.close()
            if transport.get_extra_info("sslcontext") is not None:
                asyncio.get_running_loop().call_later(_CLOSE_S, transport.abort)

    def _turn(self) -> int:
        self._waiting = False
        before_ns = self._budget.cpu_ns
        self._process()
        if self._backlog:
            self._waiting = True
            self._turns.wait(self._turn)
        elif self._lost:
            self._guarded(self._session.connection_closed)
        elif self._pause is None:
            self._resume_reading()
        return self._budget.cpu_ns - before_ns

    def _process(self) -> None:
        """Process the backlog until it is empty, the session is over, or this turn's time is used up."""
        self._guarded(self._process_slices)
        if self._session.over or self._place >= len(self._backlog):
            self._backlog, self._place = b"", 0
            if self._session.idle and not self._session.over and self._pause is None:
                # Between keyframes: let the kernel gather what nobody needs, and wake a third as often.
                self._stop_reading()
                self._pause = asyncio.get_running_loop().call_later(_READ_PAUSE_S, self._end_pause)

    def _process_slices(self) -> None:
        session, size = self._session, len(self._backlog)
        end_ns = thread_cpu_ns() + TURN_CPU_NS if size > SLICE_BYTES else 0
        while self._place < size and not session.over:
            start = self._place
            self._place = start + SLICE_BYTES
            session.receive(self._backlog[start : self._place])
            if self._place < size and thread_cpu_ns() > end_ns:
                return

    def _guarded(self, step: Callable[[], None]) -> None:
        """Run a step of the session, charge it to the budget, and send what the session wants to send."""
        began_ns = thread_cpu_ns()
        try:
            step()
            outgoing = self._session.drain_outgoing()
        except Exception as error:  # noqa: BLE001 (asyncio would log it and call the connection lost)
            if not self.over.done():
                self.over.set_exception(error)
            self._backlog = b""
            return
        self._budget.cpu_ns += thread_cpu_ns() - began_ns
        if outgoing and not self._transport.is_closing():
            self._transport.write(outgoing)
        excess = self._budget.excess()
        if excess is not None:
            self._session.fail(FailureReason.FLOOD, excess)
        if self._session.over and not self.over.done():
            self.over.set_result(None)

    def _stop_reading(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _end_pause(self) -> None:
        self._pause = None
        if not self._waiting:
            self._resume_reading()
