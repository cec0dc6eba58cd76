"""What one verdict says of a finding: is the fault announced, does this look show it, does it show that it is gone."""

from dataclasses import dataclass
from enum import Enum

from engine.model.faults import BLIND, OFFLINE, cause_key, family_of_kind, group_by_family, severity
from engine.model.verdict import Severity, State, Verdict


class RecheckSign(Enum):
    """What a look tells of a claim."""

    GOOD = "good"
    BAD = "bad"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Fault:
    """One announced fault. An offline camera is blind."""

    cause_key: str
    severity: Severity


def announced_faults(verdict: Verdict) -> dict[str, Fault]:
    """What the engine stands by, by family."""
    if verdict.announced is State.OFFLINE:
        return {OFFLINE: Fault(OFFLINE, Severity.BLIND)}
    if verdict.announced is not State.FAULT:
        return {}
    return {
        word: Fault(cause_key(kinds[0], verdict.announced_cause), severity(kinds) or Severity.IMPAIRED)
        for word, kinds in group_by_family(verdict.announced_kinds).items()
    }


def shows(verdict: Verdict, word: str) -> bool:
    """Whether this very look shows the fault of a family."""
    if word == OFFLINE:
        return verdict.state is State.OFFLINE
    return any(family_of_kind(kind) == word for kind in verdict.kinds)


def recheck_sign(verdict: Verdict, word: str) -> RecheckSign:
    """What this look tells of the claim that the fault of a family is mended.

    It is good if it is ok, or shows other faults only, none of which blinds: grease beside a cover that was taken off.
    What cannot be judged, and a camera that is offline, tell nothing; of a camera that was offline any picture is good.
    """
    if shows(verdict, word):
        return RecheckSign.BAD
    if verdict.state is State.OK:
        return RecheckSign.GOOD
    if verdict.state is State.FAULT and (word == OFFLINE or BLIND.isdisjoint(verdict.kinds)):
        return RecheckSign.GOOD
    return RecheckSign.NOTHING


def is_settled(verdict: Verdict, word: str, settle_ns: int) -> bool:
    """Whether the camera has been announced free of the fault for so long. Unknown is never free of anything."""
    free = (State.OK, State.FAULT) if word == OFFLINE else (State.OK,)
    return verdict.announced in free and verdict.at_wall_ns - verdict.since_wall_ns >= settle_ns
