"""Makes the event that opens a finding, and says what changes when its fault gets worse: level and deadline. Pure."""

from engine.ledger.policy import LEVELS, Policy
from engine.ledger.recheck_evidence import Fault
from engine.model.access import ENGINE
from engine.model.camera import Camera
from engine.model.findings import WHY_CHARS_MAX, Finding, LedgerEvent, Level, Step, Subject


def opening_event(
    finding_id: int, fault: Fault, camera: Camera, why: str, policy: Policy, now_wall_ns: int
) -> LedgerEvent:
    """Return the first event of a finding. `why`: one sentence; what is beyond WHY_CHARS_MAX is cut off."""
    level = policy.first_level(camera.region, fault.severity)
    return LedgerEvent(
        finding_id=finding_id,
        number=1,
        step=Step.OPENED,
        at_wall_ns=now_wall_ns,
        who=ENGINE.name,
        why=why[:WHY_CHARS_MAX],
        subject=Subject.of_camera(camera, fault.cause_key),
        severity=fault.severity,
        level=level,
        deadline_wall_ns=now_wall_ns + policy.time_ns(camera.region, fault.severity, level),
    )


def raised(finding: Finding, fault: Fault, policy: Policy, now_wall_ns: int) -> tuple[Level | None, int | None]:
    """Return the new level and the new deadline of a finding whose fault got worse; None where it stays.

    A level only rises, and a deadline of the same level only becomes earlier.
    """
    region = finding.subject.region
    first = policy.first_level(region, fault.severity)
    level = first if LEVELS.index(first) > LEVELS.index(finding.level) else None
    deadline_ns = now_wall_ns + policy.time_ns(region, fault.severity, level or finding.level)
    return level, None if level is None and deadline_ns >= finding.deadline_wall_ns else deadline_ns
