"""Adds verdicts and periods to the facts of a camera's day. Pure; docs/kpis.md has the definitions in words."""

from engine.model.camera import Camera, CameraStream
from engine.model.kpi import CameraFacts, CameraPlace
from engine.model.verdict import FaultKind, State, Verdict

NOT_FRESH = frozenset({FaultKind.FROZEN, FaultKind.SIGNAL_LOSS})
"""Faults with which a keyframe does not show the present: an unchanging picture, or a recorder's substitute for one."""
NOT_CLEAR = frozenset(
    {
        FaultKind.BLURRED,
        FaultKind.GREASE,
        FaultKind.STEAM,
        FaultKind.TOO_DARK,
        FaultKind.TOO_BRIGHT,
        FaultKind.LOW_CONTRAST,
        FaultKind.COVERED,
        FaultKind.SIGNAL_LOSS,
        FaultKind.SNOW,
    }
)
"""Faults of sharpness and exposure, and faults that leave nothing to see."""
OBSTRUCTED = frozenset({FaultKind.COVERED, FaultKind.PARTLY_COVERED, FaultKind.SIGNAL_LOSS, FaultKind.FROZEN})
"""Faults with which the place cannot be seen, or only in part."""


def place_of(camera: Camera) -> CameraPlace:
    """Return the part of a registry row that the KPIs need."""
    return CameraPlace.of(
        region=camera.region,
        site_id=camera.site_id,
        site_name=camera.site_name,
        key_point=camera.key_point,
        required=camera.required,
        enabled=camera.enabled,
    )


def observe(facts: CameraFacts, verdict: Verdict, *, working: bool, sub_counts: bool = False) -> CameraFacts:
    """Return the day's facts with this verdict added. Order and repetition of the verdicts make no difference.

    `working`: whether the kitchen worked at that moment. A verdict without a visit (the platform is out, or the gateway
    sent nothing) changes nothing. One on a sub-stream shows that the camera is online and, until one on the main stream
    decides, whether its place can be seen; clarity it measures only if `sub_counts`.
    """
    if not verdict.visit_id:
        return facts
    if verdict.state == State.OFFLINE:
        return facts if facts.visited else facts._replace(visited=True)
    fresh = NOT_FRESH.isdisjoint(verdict.kinds)
    if verdict.stream is CameraStream.SUB and not sub_counts:
        return _observe_sub(facts, verdict, fresh=fresh)
    facts = facts._replace(visited=True, measured=True, online=facts.online or fresh)
    if not _decides(verdict):
        return facts
    rank = (working, verdict.at_wall_ns, verdict.visit_id)
    if facts.decided_visit_id and rank < (facts.in_hours, facts.decided_wall_ns, facts.decided_visit_id):
        return facts
    announced = verdict.announced != State.UNKNOWN
    kinds = verdict.kinds if verdict.announced == State.OFFLINE else verdict.announced_kinds
    return facts._replace(
        clear=announced and NOT_CLEAR.isdisjoint(kinds),
        unobstructed=announced and OBSTRUCTED.isdisjoint(kinds),
        in_hours=working,
        decided_wall_ns=verdict.at_wall_ns,
        decided_visit_id=verdict.visit_id,
    )


def _observe_sub(facts: CameraFacts, verdict: Verdict, *, fresh: bool) -> CameraFacts:
    shown = facts.unobstructed
    if not facts.decided_visit_id:
        shown = shown or (verdict.announced == State.OK and OBSTRUCTED.isdisjoint(verdict.kinds))
    return facts._replace(visited=True, online=facts.online or fresh, unobstructed=shown)


def add_periods(facts: CameraFacts, due: int, kept: int) -> CameraFacts:
    """Return the facts with these periods added. `kept` is negative to take back a period that was counted as kept."""
    return facts._replace(periods_due=facts.periods_due + due, periods_kept=max(0, facts.periods_kept + kept))


def _decides(verdict: Verdict) -> bool:
    """Return whether a visit can decide the day's picture: it was judged, or the engine announces unknown after it."""
    return verdict.state in (State.OK, State.FAULT) or verdict.announced == State.UNKNOWN
