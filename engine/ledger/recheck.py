"""One claim that is looked into: N of M looks after it decide. After a restart the looks are counted anew."""

from dataclasses import dataclass

from engine.clock import NS_PER_S
from engine.ledger.policy import Policy
from engine.ledger.recheck_evidence import RecheckSign

NEVER_NS = 2**62
_WAIT_NS_MAX = 3600 * NS_PER_S
_DOUBLINGS_MAX = 12


@dataclass(slots=True)
class Recheck:
    """`since_wall_ns`: looks from after it count. `ends_wall_ns`: failed if undecided then. `look_wall_ns`: when the
    next look is to be ordered; NEVER_NS if the patrol's own visits do. `fruitless`: looks ordered in a row that have
    told nothing."""

    since_wall_ns: int
    ends_wall_ns: int
    look_wall_ns: int
    good: int = 0
    bad: int = 0
    fruitless: int = 0

    @property
    def ordered(self) -> bool:
        """Whether looks are ordered for it."""
        return self.look_wall_ns != NEVER_NS

    @property
    def due_wall_ns(self) -> int:
        """When something must happen without a look."""
        return min(self.ends_wall_ns, self.look_wall_ns)

    def count(self, sign: RecheckSign, now_wall_ns: int, policy: Policy) -> None:
        """A look that was made after the claim."""
        if sign is RecheckSign.NOTHING:
            return
        self.good += sign is RecheckSign.GOOD
        self.bad += sign is RecheckSign.BAD
        self.fruitless = 0
        if self.ordered:
            self.look_wall_ns = now_wall_ns + policy.recheck_spacing_ns

    def order(self, now_wall_ns: int, policy: Policy) -> None:
        """A look is ordered; if it never comes or tells nothing, the next one waits twice as long."""
        wait_ns = min(_WAIT_NS_MAX, policy.recheck_spacing_ns << min(self.fruitless, _DOUBLINGS_MAX))
        self.fruitless += 1
        self.look_wall_ns = now_wall_ns + wait_ns

    def shift(self, by_ns: int) -> None:
        """The wall clock went back: what is meant as a duration goes with it."""
        self.since_wall_ns -= by_ns
        self.ends_wall_ns -= by_ns
        if self.ordered:
            self.look_wall_ns -= by_ns

    def failed(self, policy: Policy) -> bool:
        """Too many looks showed the fault."""
        return self.bad > policy.settings.recheck_m - policy.settings.recheck_n

    def passed(self, policy: Policy) -> bool:
        """Enough looks did not."""
        return self.good >= policy.settings.recheck_n
