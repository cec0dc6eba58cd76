"""What one verdict means for a finding: whether its fault is announced, visible in the picture, or gone. Pure."""

from dataclasses import dataclass
from enum import Enum

from engine.model.faults import BLIND, OFFLINE, cause_key, family_of_kind, group_by_family, severity
from engine.model.verdict import Severity, State, Verdict


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


def announced_faults(verdict: Verdict) -> dict[str, Fault]:
    """Return the announced faults by family."""
    if verdict.announced is State.OFFLINE:
        return {OFFLINE: Fault(OFFLINE, Severity.BLIND)}
    if verdict.announced is not State.FAULT:
        return {}
    return {
        family: Fault(cause_key(kinds[0], verdict.announced_cause), severity(kinds) or Severity.IMPAIRED)
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
