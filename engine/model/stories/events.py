"""Makes the events of a story from what visits, keyframes, verdicts and findings hold already. Pure."""

from collections.abc import Iterator, Sequence

from engine.model.findings import LedgerEvent, Step
from engine.model.keyframe import DropReason, Keyframe
from engine.model.measurement import Scores
from engine.model.notice import DeliveryState, Notice
from engine.model.stories.story import StoryEvent, StoryStep
from engine.model.verdict import LoggedVerdict, State, Verdict
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitTimings
from engine.printable import printable

_NS_PER_MS = 1_000_000
_VIA = {FeedKind.RTSP: "RTSP", FeedKind.DEMUX: "FFmpeg"}
EXPIRED = "expired"
"""Reason of a visit that no feeder answered within its deadline."""
_UNJUDGED = {
    FailureReason.LOST: "the visit ended with its feeder, or no feeder took the order; the camera is visited again",
    FailureReason.EXHAUSTED: "the engine had no place, descriptor or memory for the visit; the camera is visited again",
    EXPIRED: "no feeder answered within the deadline; the camera is visited again",
}
_DROPPED = {
    DropReason.SUPERSEDED: "a newer keyframe of the camera took its place",
    DropReason.QUEUE_FULL: "the intake was full",
    DropReason.STALE: "it waited too long for a worker",
    DropReason.QUARANTINED: "two workers died over it",
    DropReason.TOO_COSTLY: "decoding it takes too much CPU time",
    DropReason.SHUTDOWN: "the engine stopped",
}


_DELIVERY = {DeliveryState.WAITING: "; it is tried again", DeliveryState.DEAD: "; it is given up"}


def ordered(visit_id: int, at_wall_ns: int, via: FeedKind, class_name: str = "") -> StoryEvent:
    """Return the event that a visit was ordered. `class_name`: of the scheduler's class; empty if not known."""
    of_class = f", class {class_name.replace('_', ' ')}" if class_name else ""
    return StoryEvent(StoryStep.ORDERED, at_wall_ns, visit_id, reason=via, detail=f"by {_VIA.get(via, via)}{of_class}")


def begun(
    visit_id: int, timings: VisitTimings, ended_wall_ns: int, via: FeedKind | None = None
) -> Iterator[StoryEvent]:
    """Yield the order of a visit that nobody noted when it was given, by how long the visit took; nothing for a push.

    `ended_wall_ns`: when the visit ended. `via`: None if that is not known any more.
    """
    if timings.total_ns:
        at_wall_ns = ended_wall_ns - timings.total_ns
        yield StoryEvent(StoryStep.ORDERED, at_wall_ns, visit_id) if via is None else ordered(visit_id, at_wall_ns, via)


def connected(visit_id: int, timings: VisitTimings, ended_wall_ns: int) -> StoryEvent | None:
    """Return the event that the connection was open; None if it never was. `ended_wall_ns`: when the visit ended."""
    if not timings.connect_ns:
        return None
    at_wall_ns = ended_wall_ns - max(0, timings.total_ns - timings.connect_ns)
    return StoryEvent(StoryStep.CONNECTED, at_wall_ns, visit_id, detail=f"after {_ms(timings.connect_ns)}")


def keyframe(fetched: Keyframe) -> StoryEvent:
    """Return the event that a keyframe came."""
    detail = f"{len(fetched.payload):,} bytes"
    if fetched.source is FeedKind.GATEWAY:
        detail += ", pushed by a gateway"
    elif fetched.timings.keyframe_ns:
        detail += f", {_ms(fetched.timings.keyframe_ns)} after the connection"
    return StoryEvent(
        StoryStep.KEYFRAME, fetched.arrival_wall_ns, fetched.visit_id, reason=fetched.codec, detail=detail
    )


def arrival(fetched: Keyframe) -> Iterator[StoryEvent]:
    """Yield the events of a visit up to its keyframe, as far as the keyframe tells of them."""
    opened = connected(fetched.visit_id, fetched.timings, fetched.arrival_wall_ns)
    if opened is not None:
        yield opened
    yield keyframe(fetched)


def failure(failed: VisitFailure, at_wall_ns: int, more: str = "") -> Iterator[StoryEvent]:
    """Yield the events of a visit without a keyframe. `more`: what is done about it."""
    opened = connected(failed.visit_id, failed.timings, at_wall_ns)
    if opened is not None:
        yield opened
    detail = "; ".join(filter(None, (failed.detail, more)))
    yield StoryEvent(StoryStep.FAILED, at_wall_ns, failed.visit_id, reason=failed.reason, detail=detail)


def unjudged(visit_id: int, reason: str, at_wall_ns: int) -> StoryEvent:
    """Return the end of a visit that says nothing of its camera. `reason`: one of NOT_JUDGED, or EXPIRED."""
    return StoryEvent(StoryStep.FAILED, at_wall_ns, visit_id, reason=reason, detail=_UNJUDGED.get(reason, ""))


def dropped(ended: Keyframe, reason: DropReason, at_wall_ns: int) -> StoryEvent:
    """Return the event that a keyframe ended without a measurement."""
    detail = _DROPPED.get(reason, "")
    return StoryEvent(StoryStep.DROPPED, at_wall_ns, ended.visit_id, reason=reason, detail=detail)


def scored(verdict: Verdict, at_wall_ns: int) -> StoryEvent | None:
    """Return the event that a picture was measured; None if the verdict rests on no picture."""
    if not verdict.width:
        return None
    size = f"{verdict.width}x{verdict.height}"
    detail = ", ".join([*_scores(verdict.scores), size])
    return StoryEvent(StoryStep.SCORED, at_wall_ns, verdict.visit_id, detail=detail)


def conclusion(
    verdict: Verdict, changed: bool, at_wall_ns: int, before: str = "", seq: int = 0
) -> Iterator[StoryEvent]:
    """Yield the verdict, and if `changed` what was announced with it. `before`: the announcement that it replaces."""
    said = _why(verdict.kinds, verdict.cause)
    detail = "; ".join(filter(None, (said or verdict.reason, verdict.detail)))
    yield StoryEvent(StoryStep.JUDGED, at_wall_ns, verdict.visit_id, seq, reason=verdict.state, detail=detail)
    if changed:
        announced = _why(verdict.announced_kinds, verdict.announced_cause)
        if not announced and verdict.state is verdict.announced:
            announced = verdict.reason
        detail = "; ".join(filter(None, (announced, f"before: {before}" if before else "")))
        yield StoryEvent(
            StoryStep.ANNOUNCED, at_wall_ns, verdict.visit_id, seq, reason=verdict.announced, detail=detail
        )


def ledger_event(event: LedgerEvent) -> StoryEvent:
    """Return a step of a finding."""
    step = StoryStep.NOTIFIED if event.step is Step.NOTIFIED else StoryStep.FINDING
    by = f"by {event.who}" if event.role else ""
    level = f"level {event.level}" if event.level is not None else ""
    detail = printable("; ".join(filter(None, (event.why, event.severity, level, by))))
    return StoryEvent(step, event.at_wall_ns, reason=event.step, detail=detail, finding_id=event.finding_id)


def attempt(notice: Notice, endpoint: str, outcome: str, state: DeliveryState, at_wall_ns: int) -> StoryEvent:
    """Return an attempt to send a notice. `outcome`: one word; `state`: what becomes of the delivery."""
    detail = f"{notice.kind} to {endpoint}{_DELIVERY.get(state, '')}"
    return StoryEvent(StoryStep.NOTIFIED, at_wall_ns, reason=outcome, detail=detail, finding_id=notice.finding_id)


def of_history(
    verdicts: Sequence[LoggedVerdict], ledger: Sequence[LedgerEvent], older: Verdict | None = None
) -> tuple[StoryEvent, ...]:
    """Return the events that stored verdicts (oldest first) and steps of findings tell of, oldest first.

    `older`: the verdict before them, which tells whether the first one changed what is announced. The times of a
    verdict's events are that of the verdict: the log keeps no other. Steps of findings that are older than the oldest
    verdict are left out.
    """
    events: list[StoryEvent] = []
    before = "" if older is None else announcement(older)
    for logged in verdicts:
        verdict, at_wall_ns = logged.verdict, logged.verdict.at_wall_ns
        measured = scored(verdict, at_wall_ns)
        if measured is not None:
            events.append(measured)
        elif verdict.state is State.OFFLINE:
            visit_id, reason, detail = verdict.visit_id, verdict.reason, verdict.detail
            events.append(StoryEvent(StoryStep.FAILED, at_wall_ns, visit_id, reason=reason, detail=detail))
        after = announcement(verdict)
        changed = logged.changed or bool(before and after != before)
        events += conclusion(verdict, changed, at_wall_ns, before, logged.seq)
        before = after
    first_ns = verdicts[0].verdict.at_wall_ns if verdicts else 0
    events += [ledger_event(event) for event in ledger if event.at_wall_ns >= first_ns]
    return in_order(events)


def announcement(verdict: Verdict) -> str:
    """Return in a few words what the engine stands by after a verdict: `fault, blurred (defocus)`."""
    return ", ".join(filter(None, (verdict.announced, _why(verdict.announced_kinds, verdict.announced_cause))))


def in_order(events: Sequence[StoryEvent]) -> tuple[StoryEvent, ...]:
    """Return events in the order in which they happened; of the same moment, in that of the steps."""
    places = {step: place for place, step in enumerate(StoryStep)}
    return tuple(sorted(events, key=lambda event: (event.at_wall_ns, places[event.step])))


def _scores(scores: Scores) -> Iterator[str]:
    for name, score in (("sharp", scores.sharpness), ("exposure", scores.exposure), ("hidden", scores.occlusion)):
        yield f"{name} {'-' if score is None else f'{score:.0f}'}"


def _why(kinds: Sequence[str], cause: str | None) -> str:
    text = ", ".join(kinds)
    return f"{text} ({cause})" if text and cause is not None and cause not in kinds else text


def _ms(duration_ns: int) -> str:
    return f"{duration_ns / _NS_PER_MS:,.0f} ms"
