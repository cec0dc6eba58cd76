"""The re-check of one claim: N of M checks after it decide. The counts are not stored; a restart begins anew. Pure."""

from dataclasses import dataclass

from engine.clock import NS_PER_S
from engine.ledger.policy import Policy
from engine.ledger.recheck_evidence import RecheckSign

NEVER_NS = 2**62
_WAIT_NS_MAX = 3600 * NS_PER_S
_DOUBLINGS_MAX = 12


@dataclass(slots=True)
class Recheck:
    """The counts and times of one re-check.

    `since_wall_ns`: only pictures taken after it count. `ends_wall_ns`: if it is undecided then, it has failed.
    `check_wall_ns`: when to request the next check; NEVER_NS if only the patrol's own visits are counted. `good`,
    `bad`: checks without and with the fault. `inconclusive`: checks requested in a row that decided nothing.
    """

    since_wall_ns: int
    ends_wall_ns: int
    check_wall_ns: int
    good: int = 0
    bad: int = 0
    inconclusive: int = 0

    @property
    def requests_checks(self) -> bool:
        """Whether checks are requested for it, beside the patrol's own visits."""
        return self.check_wall_ns != NEVER_NS

    @property
    def due_wall_ns(self) -> int:
        """When the re-check needs attention without any check."""
        return min(self.ends_wall_ns, self.check_wall_ns)

    @property
    def counts(self) -> str:
        """What was counted, for people."""
        return f"{self.good} good and {self.bad} bad checks after the claim"

    def add_check(self, sign: RecheckSign, now_wall_ns: int, policy: Policy) -> None:
        """Count a check whose picture was taken after the claim."""
        if sign is RecheckSign.INCONCLUSIVE:
            return
        self.good += sign is RecheckSign.GOOD
        self.bad += sign is RecheckSign.BAD
        self.inconclusive = 0
        if self.requests_checks:
            self.check_wall_ns = now_wall_ns + policy.recheck_spacing_ns

    def request_check(self, now_wall_ns: int, policy: Policy) -> None:
        """Note that a check is requested; if it never comes or decides nothing, the next one waits twice as long."""
        wait_ns = min(_WAIT_NS_MAX, policy.recheck_spacing_ns << min(self.inconclusive, _DOUBLINGS_MAX))
        self.inconclusive += 1
        self.check_wall_ns = now_wall_ns + wait_ns

    def shift(self, by_ns: int) -> None:
        """Move all times back, after the wall clock was set back by `by_ns`, so that durations stay as they were."""
        self.since_wall_ns -= by_ns
        self.ends_wall_ns -= by_ns
        if self.requests_checks:
            self.check_wall_ns -= by_ns

    def failed(self, policy: Policy) -> bool:
        """Return whether so many checks showed the fault that the re-check cannot pass any more."""
        return self.bad > policy.settings.recheck_m - policy.settings.recheck_n

    def passed(self, policy: Policy) -> bool:
        """Return whether enough checks were free of the fault."""
        return self.good >= policy.settings.recheck_n
