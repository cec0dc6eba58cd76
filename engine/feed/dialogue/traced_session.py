"""An RTSP session that records its dialogue. A session without a trace does not pay for it."""

from engine.clock import monotonic_ns
from engine.feed.dialogue.trace import DialogueTrace
from engine.feed.rtsp.packet_runs import PacketRuns
from engine.feed.rtsp.session import Session


class TracedSession(Session):
    """As Session; what it sends and receives goes into `trace` as well."""

    def __init__(
        self,
        url: str,
        client_nonce: str,
        client_ports: tuple[int, int] | None,
        runs: PacketRuns | None,
        trace: DialogueTrace,
    ) -> None:
        super().__init__(url, client_nonce, client_ports, runs)
        self._trace = trace

    def drain_outgoing(self) -> bytes:
        """Return and forget the bytes to send now."""
        outgoing = super().drain_outgoing()
        if outgoing:
            self._trace.sent(monotonic_ns(), outgoing)
        return outgoing

    def receive(self, data: bytes | memoryview, steps_max: int | None = None) -> bool:
        """Process bytes of the connection."""
        self._trace.received(monotonic_ns(), bytes(data))
        return super().receive(data, steps_max)

    def receive_datagram(self, data: bytes) -> None:
        """Process a datagram of the RTP port."""
        self._trace.datagram(monotonic_ns(), len(data))
        super().receive_datagram(data)
