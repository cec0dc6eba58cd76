"""What a verdict says of its camera's day. Pure; docs/kpis.md has the definitions in words."""

from engine.model.camera import Camera
from engine.model.kpi import CameraFacts, CameraPlace
from engine.model.verdict import FaultKind, State, Verdict

NOT_FRESH = frozenset({FaultKind.FROZEN, FaultKind.SIGNAL_LOSS})
"""Keyframes that show nothing of now: the same picture again and again, or a recorder's word that it has none."""
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
"""Faults of sharpness and exposure, and those that leave nothing to be sharp."""
OBSTRUCTED = frozenset({FaultKind.COVERED, FaultKind.PARTLY_COVERED, FaultKind.SIGNAL_LOSS, FaultKind.FROZEN})
"""Faults with which the place cannot be seen, or not all of it."""


def place_of(camera: Camera) -> CameraPlace:
    """What the KPIs need of a registry row."""
    return CameraPlace.of(
        region=camera.region,
        site_id=camera.site_id,
        site_name=camera.site_name,
        key_point=camera.key_point,
        required=camera.required,
        enabled=camera.enabled,
    )


def observe(facts: CameraFacts, verdict: Verdict, *, working: bool) -> CameraFacts:
    """The day's facts with this verdict in them. The same verdicts in any order, or twice, give the same facts.

    `working`: whether the kitchen worked at that moment. A verdict without a visit (its platform is out, no gateway
    sent) says nothing.
    """
    if not verdict.visit_id:
        return facts
    if verdict.state == State.OFFLINE:
        return facts if facts.visited else facts._replace(visited=True)
    fresh = NOT_FRESH.isdisjoint(verdict.kinds)
    facts = facts._replace(visited=True, measured=True, online=facts.online or fresh)
    if not _decides(verdict):
        return facts
    rank = (working, verdict.at_wall_ns, verdict.visit_id)
    if facts.decided_visit_id and rank < (facts.in_hours, facts.decided_wall_ns, facts.decided_visit_id):
        return facts
    stands = verdict.announced != State.UNKNOWN
    kinds = verdict.kinds if verdict.announced == State.OFFLINE else verdict.announced_kinds
    return facts._replace(
        clear=stands and NOT_CLEAR.isdisjoint(kinds),
        unobstructed=stands and OBSTRUCTED.isdisjoint(kinds),
        in_hours=working,
        decided_wall_ns=verdict.at_wall_ns,
        decided_visit_id=verdict.visit_id,
    )


def add_periods(facts: CameraFacts, due: int, kept: int) -> CameraFacts:
    """So many periods were due, and so many kept; `kept` is negative where one turned out to be none."""
    return facts._replace(periods_due=facts.periods_due + due, periods_kept=max(0, facts.periods_kept + kept))


def _decides(verdict: Verdict) -> bool:
    """A picture that was judged; or one that was not, once the engine stands by that."""
    return verdict.state in (State.OK, State.FAULT) or verdict.announced == State.UNKNOWN
