"""How far a visit through FFmpeg has come, and what it may still use: time, bytes and its connections.

The visiting thread uses it; the pool reads it, and stops the visit through it.
"""

import contextlib
import socket
import threading

from engine.clock import monotonic_ns, seconds
from engine.feed.dialogue.trace import DialogueTrace
from engine.model.keyframe import PAYLOAD_BYTES_MAX
from engine.model.visit import FailureReason, VisitTimings

HELD_BYTES_MAX = 2 * PAYLOAD_BYTES_MAX
"""Most bytes that FFmpeg may take before it gives one packet: it holds them in memory. A keyframe is half as large at
most; the rest is for sound, headers and pictures that are not whole."""
_MIB = 1 << 20


class SourceError(Exception):
    """Raised while a source is read, if the visit cannot go on. `reason` and `detail` as in VisitFailure."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Progress:
    """One visit. `deadline_ns`: time allowed from now. `bytes_max`: most bytes that it may receive.

    `connected_ns`: when the first connection was open; 0 before. `opened_ns`: when FFmpeg knew the streams; 0 before.
    `damaged`: keyframes that were not whole. `held_bytes`: received since FFmpeg gave the last packet. `trace`: records
    the dialogue; None: nobody asked for it.
    """

    def __init__(self, deadline_ns: int, bytes_max: int, trace: DialogueTrace | None = None) -> None:
        self.trace = trace
        self.began_ns = monotonic_ns()
        self.deadline_ns = self.began_ns + deadline_ns
        self.connected_ns = 0
        self.opened_ns = 0
        self.damaged = 0
        self.received_bytes = 0
        self.held_bytes = 0
        self._bytes_max = bytes_max
        self._stopped: SourceError | None = None
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def left_s(self) -> float:
        """Return the time that is left; 0 after the deadline."""
        return max(0.0, seconds(self.deadline_ns - monotonic_ns()))

    def waited_s(self) -> float:
        """Return the time since the visit began."""
        return seconds(monotonic_ns() - self.began_ns)

    def receive(self, size: int) -> None:
        """Count bytes that came. Raises SourceError (`flood`) if they are too many, or if the visit was stopped."""
        self.received_bytes += size
        self.held_bytes += size
        self.check()
        if self.received_bytes > self._bytes_max:
            detail = f"more than {self._bytes_max // _MIB} MiB came without a usable keyframe (feed.visit_bytes_max)"
            raise SourceError(FailureReason.FLOOD, detail)
        if self.held_bytes > HELD_BYTES_MAX:
            detail = f"more than {HELD_BYTES_MAX // _MIB} MiB came that are not one whole packet"
            raise SourceError(FailureReason.FLOOD, detail)

    def released(self) -> None:
        """FFmpeg gave a packet: what it holds counts from here."""
        self.held_bytes = 0

    def check(self) -> None:
        """Raise SourceError if the visit was stopped, or if its time is over."""
        if self._stopped is not None:
            raise self._stopped
        if monotonic_ns() > self.deadline_ns:
            raise self.late()

    def connecting(self, text: str) -> None:
        """Tell the trace, if there is one, that a connection begins."""
        if self.trace is not None:
            self.trace.connected(monotonic_ns(), text)

    def sent(self, data: bytes) -> None:
        """Tell the trace, if there is one, what is sent to the camera."""
        if self.trace is not None:
            self.trace.sent(monotonic_ns(), data)

    def heard(self, data: "bytes | memoryview | bytearray") -> None:
        """Tell the trace, if there is one, what the camera sent."""
        if self.trace is not None:
            self.trace.received(monotonic_ns(), bytes(data))

    def late(self) -> SourceError:
        """Return the failure of a visit that waited in vain: for a connection, or over one for a keyframe."""
        after = f"within {self.waited_s():.1f} s"
        if not self.connected_ns:
            return SourceError(FailureReason.TIMEOUT_CONNECT, f"no connection {after}")
        if self.opened_ns:
            return SourceError(FailureReason.TIMEOUT_KEYFRAME, f"no keyframe {after}")
        detail = f"the server takes the connection, but sent no video {after}"
        return SourceError(FailureReason.TIMEOUT_KEYFRAME, detail)

    def stop(self, failure: SourceError) -> None:
        """End the visit: its connections are shut down, and whoever reads from them raises `failure`. Any thread."""
        with self._lock:
            self._stopped = self._stopped or failure
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def own(self, connection: socket.socket) -> None:
        """Shut this connection down when the visit is stopped. Raises SourceError if it has been."""
        with self._lock:
            self._sockets.add(connection)
        self.check()

    def close(self, connection: socket.socket) -> None:
        """Close a connection."""
        with self._lock:
            self._sockets.discard(connection)
        with contextlib.suppress(OSError):
            connection.close()

    def timings(self, *, whole: bool) -> VisitTimings:
        """Return the timings so far. `whole`: a keyframe has come."""
        now_ns = monotonic_ns()
        connected_ns = self.connected_ns or self.opened_ns
        return VisitTimings(
            connect_ns=connected_ns - self.began_ns if connected_ns else 0,
            keyframe_ns=now_ns - connected_ns if connected_ns and whole else 0,
            total_ns=now_ns - self.began_ns,
            received_bytes=self.received_bytes,
        )
