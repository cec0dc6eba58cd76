"""What one look means for a finding, a visit's verdict or a reading of clock and name: whether its fault is announced,
visible in the picture, or gone. Pure."""

from dataclasses import dataclass
from enum import Enum

from engine.ledger.policy import Policy
from engine.model.faults import (
    BLIND,
    OFFLINE,
    READ_KINDS,
    cause_key,
    family_of_cause_key,
    family_of_kind,
    group_by_family,
    severity,
)
from engine.model.findings import Finding
from engine.model.overlay import OverlayVerdict
from engine.model.verdict import FaultKind, Severity, State, Verdict

_NS_PER_H = 3.6e12


class RecheckSign(Enum):
    """What one check means for a claim."""

    GOOD = "good"
    """The fault is not there."""
    BAD = "bad"
    """The picture shows the fault."""
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Fault:
    """One announced fault. Being offline has severity blind."""

    cause_key: str
    severity: Severity

    def is_worse_than(self, severity: Severity) -> bool:
        """Return whether less of the kitchen can be seen than with a fault of `severity`."""
        ranks = list(Severity)
        return ranks.index(self.severity) < ranks.index(severity)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a camera means for one family. `at_wall_ns`: when its picture was taken. `fault`: None if it is
    not announced. `settled`: why the fault is gone without a claim; empty if it is not."""

    at_wall_ns: int
    fault: Fault | None
    sign: RecheckSign
    settled: str


READ_FAMILIES = frozenset(kind.value for kind in READ_KINDS)
"""Families whose findings readings open and close."""


def is_read(finding: Finding) -> bool:
    """Return whether readings of clock and name, and not visits, find the fault of a finding."""
    return family_of_cause_key(finding.subject.cause_key) in READ_FAMILIES


def announced_faults(verdict: Verdict) -> dict[str, Fault]:
    """Return the announced faults by family."""
    if verdict.announced is State.OFFLINE:
        return {OFFLINE: Fault(OFFLINE, Severity.BLIND)}
    if verdict.announced is not State.FAULT:
        return {}
    return {
        family: Fault(
            cause_key(kinds[0], verdict.announced_cause), severity(kinds, verdict.announced_cause) or Severity.IMPAIRED
        )
        for family, kinds in group_by_family(verdict.announced_kinds).items()
    }


def shows(verdict: Verdict, family: str) -> bool:
    """Return whether this visit itself shows the fault of a family, whatever is announced."""
    if family == OFFLINE:
        return verdict.state is State.OFFLINE
    return any(family_of_kind(kind) == family for kind in verdict.kinds)


def recheck_sign(verdict: Verdict, family: str, *, is_for_operator: bool) -> RecheckSign:
    """Return what this visit means for the claim that the fault of a family is mended.

    It is good if the visit is ok, or shows only other faults, none of which is blind (grease beside a cover that was
    taken off). A picture that cannot be judged, and an offline camera, are inconclusive. For a finding that a camera is
    offline, any judged picture is good, and `is_for_operator` (the visit failed for a reason that lies with us) is
    inconclusive: it tells nothing of what the school did.
    """
    if is_for_operator:
        return RecheckSign.INCONCLUSIVE
    if shows(verdict, family):
        return RecheckSign.BAD
    if verdict.state is State.OK:
        return RecheckSign.GOOD
    if verdict.state is State.FAULT and (family == OFFLINE or BLIND.isdisjoint(verdict.kinds)):
        return RecheckSign.GOOD
    return RecheckSign.INCONCLUSIVE


def is_settled(verdict: Verdict, family: str, settle_ns: int) -> bool:
    """Return whether the camera has been announced free of the fault for `settle_ns`; unknown is not free."""
    free = (State.OK, State.FAULT) if family == OFFLINE else (State.OK,)
    return verdict.announced in free and verdict.at_wall_ns - verdict.since_wall_ns >= settle_ns


def look_of_visit(verdict: Verdict, family: str, fault: Fault | None, policy: Policy) -> Look:
    """Return what a visit means for a finding of this family."""
    settled = ""
    if is_settled(verdict, family, policy.settle_ns):
        settled = f"not seen any more for {(verdict.at_wall_ns - verdict.since_wall_ns) / _NS_PER_H:.1f} h"
    sign = recheck_sign(verdict, family, is_for_operator=policy.is_for_operator(verdict))
    return Look(verdict.at_wall_ns, fault, sign, settled)


def look_of_reading(verdict: OverlayVerdict, family: str) -> Look:
    """Return what readings mean for a finding of this family: what they are not sure of is inconclusive."""
    kind = FaultKind(family)
    read = verdict.faults.get(kind)
    if read is not None:
        fault = Fault(cause_key(kind, read.cause), severity([kind]) or Severity.COSMETIC)
        return Look(verdict.at_wall_ns, fault, RecheckSign.BAD, "")
    if kind in verdict.right:
        return Look(verdict.at_wall_ns, None, RecheckSign.GOOD, "it was read right")
    return Look(verdict.at_wall_ns, None, RecheckSign.INCONCLUSIVE, "")
