"""Carries bytes between a transport and an RTSP session, within the budget of the visit."""

import asyncio
from collections.abc import Callable
from typing import Any

from engine.clock import thread_cpu_ns
from engine.feed.budget import STEPS_MAX, TURN_CPU_NS, Budget
from engine.feed.gathering import Gatherer
from engine.feed.rtsp.session import Session
from engine.feed.shared_by_visits import SharedByVisits
from engine.model.visit import FailureReason

_CLOSE_S = 0.5
"""A peer of TLS that does not answer the closing is dropped after this time."""


class Connection(asyncio.BufferedProtocol):
    """`over` is done when the session is; it raises what broke in the session.

    `heavy`: the server sends what costs much to read; what it sends is processed in turns of its own from then on.
    """

    def __init__(self, session: Session, budget: Budget, shared: SharedByVisits) -> None:
        self._session = session
        self._budget = budget
        self._turns = shared.turns
        self._received = shared.received
        self._gathering = shared.gathering
        self._gatherer: Gatherer | None = None
        self._transport: Any = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heavy = False
        self._began_ns = 0
        self._more = self._waiting = self._paused = self._lost = False
        self._pause: asyncio.Handle | None = None

    @property
    def address(self) -> str:
        """The peer's address; empty if there is no connection."""
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peer[0]) if peer else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = transport
        self._gatherer = Gatherer(self._gathering, transport)
        self._guarded(self._session.begin)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go. All connections of a loop share it: what is in it is processed at once."""
        del sizehint
        return self._received.room

    def buffer_updated(self, nbytes: int) -> None:
        """Process bytes of the server, or keep them for this connection's next turn."""
        self._budget.received_bytes += nbytes
        if self._session.over or self.over.done():
            return  # it is about to be closed
        data = self._received.first(nbytes)
        if self.heavy:
            self._more = self._session.receive(data, 0)
        else:
            self._process(data)
        if self._session.over or self.over.done():
            self._stop_reading()
        elif self._more and not self._waiting:
            self.heavy = self._waiting = True
            self._stop_reading()
            self._turns.wait(self._turn)
        elif nbytes == len(self._received.room) and self._pause is None:
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
        self._more = False
        if self._gatherer is not None:
            self._gatherer.close()
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
        if not self._more:
            return 0  # closed meanwhile
        before_ns = self._budget.cpu_ns
        if self._process(b""):
            self._waiting = True
            self._turns.wait(self._turn)
        elif self._lost:
            self._guarded(self._session.connection_closed)
        elif self._pause is None:
            self._resume_reading()
        return self._budget.cpu_ns - before_ns

    def _process(self, data: bytes | memoryview) -> bool:
        """Process `data`, or what the session has kept. Returns whether it keeps more: this turn's time is used up."""
        self._more = False
        self._guarded(lambda: self._process_for_a_turn(data))
        self._more = self._more and not self._session.over
        self._gather(len(data))
        return self._more

    def _process_for_a_turn(self, data: bytes | memoryview) -> None:
        session, end_ns = self._session, self._began_ns + TURN_CPU_NS
        more = session.receive(data, STEPS_MAX)
        while more and thread_cpu_ns() < end_ns:
            more = session.receive(b"", STEPS_MAX)
        self._more = more

    def _guarded(self, step: Callable[[], None]) -> None:
        """Run a step of the session, charge it to the budget, and send what the session wants to send."""
        self._began_ns = thread_cpu_ns()
        try:
            step()
            outgoing = self._session.drain_outgoing()
        except Exception as error:  # noqa: BLE001 (asyncio would log it and call the connection lost)
            if not self.over.done():
                self.over.set_exception(error)
            self._more = False
            return
        self._budget.cpu_ns += thread_cpu_ns() - self._began_ns
        if outgoing and not self._transport.is_closing():
            self._transport.write(outgoing)
        excess = self._budget.excess()
        if excess is not None:
            self._session.fail(FailureReason.FLOOD, excess)
        if self._session.over and not self.over.done():
            self.over.set_result(None)

    def _gather(self, octets: int) -> None:
        """Have the kernel gather what comes while nobody needs it. `octets`: what was read just now."""
        if self._gatherer is None or self._session.over or self._transport.is_closing():
            return
        if self._session.idle:
            self._gatherer.gather(octets)
        else:
            self._gatherer.end()

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
