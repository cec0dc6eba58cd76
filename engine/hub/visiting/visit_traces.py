"""Makes a trace of a sample of the visits, from the order to the stored verdict. Pure; `now_wall_ns` is wall time.

Every method but `ordered` may be called for any visit, and does nothing for one that is not in the sample.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from engine.model.camera import Camera
from engine.model.trace import Span
from engine.model.verdict import Verdict
from engine.model.visit import VisitOrder, VisitTimings

VISITS_MAX = 4096
"""Visits in the sample at once; beyond it the oldest is given up."""
_MIX = 0x9E3779B97F4A7C15
"""Spreads the ids of visits, which follow one another, over 64 bits."""
_SPREAD = 1 << 64


@dataclass(slots=True)
class _Visit:
    start_wall_ns: int
    attributes: dict[str, str | int | float]
    spans: list[Span] = field(default_factory=list)
    judged_wall_ns: int = 0
    error: str = ""


class VisitTraces:
    """Collects spans by visit. `emit(span)`: is given the span of each visit that ended, with those of its parts.

    `stored` is for the writer's thread, everything else for the hub's.
    """

    def __init__(self, ratio: float, emit: Callable[[Span], None]) -> None:
        self._below = int(ratio * _SPREAD)
        self._emit = emit
        self._visits: dict[int, _Visit] = {}  # both threads use it, by single operations that are atomic

    def ordered(self, order: VisitOrder, camera: Camera, now_wall_ns: int) -> None:
        """Begin the trace of a visit, if it is in the sample."""
        if order.visit_id * _MIX % _SPREAD >= self._below:
            return
        facts = {
            "camera_id": camera.camera_id,
            "region": camera.region,
            "via": order.via.value,
            "stream": order.stream.value,
        }
        attributes = {f"patrol.{name}": value for name, value in facts.items()}
        self._visits[order.visit_id] = _Visit(now_wall_ns, {"patrol.visit_id": order.visit_id, **attributes})
        if len(self._visits) > VISITS_MAX:
            self.ended(list(self._visits)[0], "given_up", now_wall_ns)  # noqa: RUF015 (an iterator is not atomic)

    def visited(self, visit_id: int, timings: VisitTimings, outcome: str, now_wall_ns: int) -> None:
        """Note what a visit brought: keyframe, or why there is none."""
        visit = self._visits.get(visit_id)
        if visit is None:
            return
        visit.attributes |= {"patrol.outcome": str(outcome), "patrol.received_bytes": timings.received_bytes}
        if outcome != "keyframe":
            visit.error = str(outcome)
        if timings.total_ns:
            began_ns = now_wall_ns - timings.total_ns
            connected_ns = began_ns + timings.connect_ns
            visit.spans.append(Span("connect", began_ns, connected_ns if timings.connect_ns else now_wall_ns))
            if timings.keyframe_ns:
                visit.spans.append(Span("keyframe", connected_ns, connected_ns + timings.keyframe_ns))

    def scored(self, visit_id: int, decode_ns: int, kernels_ns: int, now_wall_ns: int) -> None:
        """Note that a worker has decoded and measured the keyframe."""
        visit = self._visits.get(visit_id)
        if visit is not None:
            facts = {"patrol.decode_ms": decode_ns / 1e6, "patrol.kernels_ms": kernels_ns / 1e6}
            visit.spans.append(Span("score", now_wall_ns - decode_ns - kernels_ns, now_wall_ns, facts))

    def judged(self, verdict: Verdict, took_ns: int, now_wall_ns: int) -> None:
        """Note the verdict."""
        visit = self._visits.get(verdict.visit_id)
        if visit is not None:
            visit.attributes |= {"patrol.state": verdict.state.value, "patrol.announced": verdict.announced.value}
            if verdict.reason:
                visit.attributes["patrol.reason"] = str(verdict.reason)
            visit.spans.append(Span("judge", now_wall_ns - took_ns, now_wall_ns))
            visit.judged_wall_ns = now_wall_ns

    def stored(self, visit_ids: Iterable[int], now_wall_ns: int) -> None:
        """End the traces of visits whose verdict is committed."""
        for visit_id in visit_ids:
            visit = self._visits.get(visit_id)
            if visit is not None and visit.judged_wall_ns:
                visit.spans.append(Span("store", visit.judged_wall_ns, now_wall_ns))
                self._end(visit_id, now_wall_ns)

    def ended(self, visit_id: int, reason: str, now_wall_ns: int) -> None:
        """End the trace of a visit that gets no verdict; `reason`: why."""
        visit = self._visits.get(visit_id)
        if visit is not None:
            visit.error = reason
            self._end(visit_id, now_wall_ns)

    def _end(self, visit_id: int, now_wall_ns: int) -> None:
        visit = self._visits.pop(visit_id, None)
        if visit is not None:
            parts = tuple(visit.spans)
            self._emit(Span("visit", visit.start_wall_ns, now_wall_ns, visit.attributes, visit.error, parts))
