"""Traces of visits: each in the sample ends once, with its parts in order; memory is bounded."""

from engine.clock import NS_PER_S
from engine.hub.visiting.visit_traces import VISITS_MAX, VisitTraces
from engine.model.camera import Camera
from engine.model.trace import Span
from engine.model.verdict import State, Verdict
from engine.model.visit import FeedKind, VisitOrder, VisitTimings

MS = 1_000_000
CAMERA = Camera("c1", "rtsp://admin:secret@10.0.0.1/1", region="130102")
TIMINGS = VisitTimings(connect_ns=30 * MS, keyframe_ns=60 * MS, total_ns=100 * MS, received_bytes=5000)


def order(visit_id: int) -> VisitOrder:
    return VisitOrder(visit_id, "c1", CAMERA.url, NS_PER_S, FeedKind.RTSP)


def verdict(visit_id: int, state: State = State.OK) -> Verdict:
    return Verdict("c1", visit_id, 0, state, announced=State.OK)


def test_a_visit_is_a_span_with_its_parts_one_after_the_other() -> None:
    spans: list[Span] = []
    traces = VisitTraces(1.0, spans.append)
    traces.ordered(order(7), CAMERA, 0)
    traces.visited(7, TIMINGS, "keyframe", 200 * MS)
    traces.scored(7, 20 * MS, 5 * MS, 250 * MS)
    traces.judged(verdict(7), 1 * MS, 260 * MS)
    traces.stored([6, 7, 8], 300 * MS)
    (visit,) = spans
    assert (visit.name, visit.start_wall_ns, visit.end_wall_ns, visit.error) == ("visit", 0, 300 * MS, "")
    assert [(part.name, part.start_wall_ns // MS, part.end_wall_ns // MS) for part in visit.children] == [
        ("connect", 100, 130), ("keyframe", 130, 190), ("score", 225, 250), ("judge", 259, 260), ("store", 260, 300),
    ]  # fmt: skip
    assert visit.attributes["patrol.camera_id"] == "c1"
    assert visit.attributes["patrol.state"] == "ok"
    assert visit.attributes["patrol.outcome"] == "keyframe"
    assert "secret" not in str(visit)
    traces.stored([7], 400 * MS)
    assert len(spans) == 1


def test_a_visit_that_fails_is_an_error_with_its_reason() -> None:
    spans: list[Span] = []
    traces = VisitTraces(1.0, spans.append)
    traces.ordered(order(1), CAMERA, 0)
    traces.visited(1, VisitTimings(total_ns=50 * MS), "refused", 60 * MS)
    traces.judged(verdict(1, State.OFFLINE), MS, 70 * MS)
    traces.stored([1], 80 * MS)
    traces.ordered(order(2), CAMERA, 0)
    traces.visited(2, VisitTimings(), "lost", 60 * MS)
    traces.ended(2, "lost", 60 * MS)
    assert [(span.error, [part.name for part in span.children]) for span in spans] == [
        ("refused", ["connect", "judge", "store"]),
        ("lost", []),
    ]


def test_the_sample_has_the_share_that_is_asked_for_and_none_for_zero() -> None:
    for ratio in (0.0, 0.01, 0.25, 1.0):
        spans: list[Span] = []
        traces = VisitTraces(ratio, spans.append)
        first = 1_795_956_726_427_474_376
        for visit_id in range(first, first + 20_000):
            traces.ordered(order(visit_id), CAMERA, 0)
            traces.ended(visit_id, "x", 1)
        assert abs(len(spans) / 20_000 - ratio) < 0.01
        assert not traces._visits


def test_visits_that_never_end_do_not_fill_the_memory() -> None:
    spans: list[Span] = []
    traces = VisitTraces(1.0, spans.append)
    for visit_id in range(1, 3 * VISITS_MAX + 1):
        traces.ordered(order(visit_id), CAMERA, 0)
    assert len(traces._visits) == VISITS_MAX
    assert {span.error for span in spans} == {"given_up"}
    assert spans[0].attributes["patrol.visit_id"] == 1
