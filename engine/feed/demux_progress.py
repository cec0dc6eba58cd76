"""How far a visit through FFmpeg has come. The visiting thread writes it, the pool reads it at the deadline."""

from engine.clock import monotonic_ns
from engine.model.visit import VisitTimings


class Progress:
    """`opened_ns`: when FFmpeg knew the streams; 0 before. `damaged`: keyframes that were not whole."""

    def __init__(self) -> None:
        self.began_ns = monotonic_ns()
        self.opened_ns = 0
        self.damaged = 0
        self.received_bytes = 0

    def timings(self, *, whole: bool) -> VisitTimings:
        """Return the timings so far. `whole`: a keyframe has come."""
        now_ns = monotonic_ns()
        opened_ns = self.opened_ns
        return VisitTimings(
            connect_ns=opened_ns - self.began_ns if opened_ns else 0,
            keyframe_ns=now_ns - opened_ns if opened_ns and whole else 0,
            total_ns=now_ns - self.began_ns,
            received_bytes=self.received_bytes,
        )
