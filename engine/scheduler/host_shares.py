"""Divides the caps of platforms that several shards visit. Pure.

Each shard has a share of a platform, and is granted visits of its cap: a grant counts until its shard gives it back, or
loses its lease. What is due to a shard follows from the shares of those that live; a grant only grows into what nobody
has been granted, so that all together never exceed the cap, in whatever order the shards ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.shard import HostGrants

_ROUNDING = 1e-9
"""What a share of a cap may lack of a whole number, because shares are fractions."""


@dataclass(frozen=True, slots=True)
class HostCap:
    """The most visits at once on a platform by all shards, and how long a turn lasts where there are fewer than shards:
    longer than a visit, which may still be under way when the turn of its shard is over."""

    visits: int
    turn_s: float


def due_visits(cap: int, shares: Mapping[int, float], turn: int = 0) -> dict[int, int]:
    """Return how many of `cap` visits each shard is due; all together are due the whole cap.

    Each is due one at least, whatever its share, and the rest goes by shares. Where there are more shards than visits,
    they take turns with one visit each.
    """
    numbers = sorted(shares)
    if cap < len(numbers):
        ends = [(place + turn) * cap // len(numbers) for place in range(len(numbers) + 1)]
        return {number: ends[place + 1] - ends[place] for place, number in enumerate(numbers)}
    quotas = _quotas(cap, shares)
    due = {number: int(quotas[number] + _ROUNDING) for number in numbers}
    left = cap - sum(due.values())
    for number in sorted(numbers, key=lambda number: (due[number] - quotas[number], number))[:left]:
        due[number] += 1
    return due


def planned_visits(grants: HostGrants, shard_no: int, cap: HostCap) -> int:
    """Return how many visits at once a shard may make on a platform from now on.

    It may be less than the shard has been granted: then it gives the rest back once its visits are that few. A shard
    that lives and has not asked yet may still use the whole cap, because it does not know that others do: until it asks
    nobody's grant grows.
    """
    asking = dict.fromkeys((*grants.granted, shard_no), 0.0) | dict(grants.shares)
    due = due_visits(cap.visits, asking, int(grants.clock_s / cap.turn_s))[shard_no]
    own = grants.granted.get(shard_no, 0)
    all_known = not grants.shares.keys() - grants.granted.keys() - {shard_no}
    free = max(0, cap.visits - sum(grants.granted.values())) if all_known else 0
    return min(due, own + free)


class HostGrant:
    """The part of one platform's cap that one shard has.

    `limit`: the visits that its scheduler may make at once; None while it has the whole cap. It is lowered before the
    grant is, and raised after the grant was: what is in flight is granted at any time.
    """

    def __init__(self, shard_no: int, limit: int | None = 0) -> None:
        self.limit = limit
        self._shard_no = shard_no

    def lower(self, grants: HostGrants, cap: HostCap) -> None:
        """Lower the limit to what is due; the scheduler has to have it before `wanted` is called."""
        planned = planned_visits(grants, self._shard_no, cap)
        self.limit = planned if self.limit is None else min(self.limit, planned)

    def wanted(self, grants: HostGrants, cap: HostCap, in_flight: int) -> int:
        """Return what is to be granted from now on. `in_flight`: visits, counted since the limit is in force."""
        return max(planned_visits(grants, self._shard_no, cap), self.limit or 0, in_flight)

    def raise_limit(self, grants: HostGrants, cap: HostCap, granted: int) -> None:
        """Raise the limit to what is due, as far as it is granted. `granted`: what is stored now."""
        self.limit = max(self.limit or 0, min(granted, planned_visits(grants, self._shard_no, cap)))


def _quotas(cap: int, shares: Mapping[int, float]) -> dict[int, float]:
    """Return the part of each shard of a cap that is at least one visit each: one, or more by its share."""
    small: set[int] = set()
    while True:
        large = {number: share for number, share in shares.items() if number not in small}
        rest, total = cap - len(small), sum(large.values())
        if not total:
            large, total = dict.fromkeys(large, 1.0), float(len(large))
        quotas = {number: rest * share / total for number, share in large.items()}
        too_small = {number for number, quota in quotas.items() if quota < 1 - _ROUNDING}
        if not too_small:
            return dict.fromkeys(small, 1.0) | quotas
        small |= too_small
