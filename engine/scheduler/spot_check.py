"""Draws spot checks: a random sample of canteens for people to inspect, reproducible and hard to predict. Pure.

A stratum is a county, a kind of school, and whether there are earlier findings: a camera of the canteen whose announced
state is fault now, or was when the canteen was last drawn.

How many canteens come from each stratum: in proportion to its canteens, those with findings counted `findings_weight`
times; at least one from every stratum if the sample is at least twice the number of strata, else at least one from
every county if the sample is at least the number of counties; never more than the stratum has. The remainder of the
rounding is drawn at random (systematic sampling with unequal probabilities, Madow 1949). So the shares add up to the
sample, none is further than one canteen from its proportion, and a stratum too small for a place in every draw gets one
in some.

Which canteens come from a stratum: first those of the earliest round, then by a hash of seed, round and canteen. A
drawn canteen moves to the stratum's latest round, or begins the next round if all others are in the latest already. So
no canteen is drawn twice before the stratum is exhausted, even if canteens come, go, or change their stratum. Round
numbers only order the canteens; they may skip where a canteen brings a higher number from another stratum.
"""

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from engine.model.camera import SiteKind
from engine.model.spot_check import Canteen, DrawnCanteen, StratumShare
from engine.scheduler.deterministic_random import seed_of, uniform

_SAMPLE_PER_STRATUM_MIN = 2
"""From this many on, every stratum is in each draw. With fewer, small strata would fill the sample, and their few
canteens would be drawn every time while those of large strata wait."""


class Stratum(NamedTuple):
    """Canteens of one county and kind, with or without findings."""

    county: str
    kind: SiteKind
    with_findings: bool


@dataclass(frozen=True, slots=True)
class Draw:
    """The result of a spot check: the strata in order, and the canteens by stratum, then in the order drawn."""

    strata: tuple[StratumShare, ...]
    drawn: tuple[DrawnCanteen, ...]


def stratum_of(canteen: Canteen) -> Stratum:
    """Return the stratum that a canteen belongs to now."""
    return Stratum(canteen.county, canteen.kind, canteen.findings > 0 or canteen.past_findings > 0)


def draw(canteens: Iterable[Canteen], size: int, seed: int, findings_weight: float) -> Draw:
    """Draw `size` canteens, or all if there are fewer; each is in `canteens` at most once, in any order.

    `seed`: 0 to 2**64 - 1; `findings_weight`: more than 0. The same canteens with the same rounds, and the same other
    arguments, give the same draw.
    """
    strata: defaultdict[Stratum, list[Canteen]] = defaultdict(list)
    for canteen in canteens:
        strata[stratum_of(canteen)].append(canteen)
    shares = allocate({stratum: len(members) for stratum, members in strata.items()}, size, seed, findings_weight)
    summaries: list[StratumShare] = []
    drawn: list[DrawnCanteen] = []
    for stratum, members in sorted(strata.items()):
        chosen = _choose(stratum, members, shares[stratum], seed)
        drawn += chosen
        summaries.append(_summary(stratum, members, chosen))
    return Draw(tuple(summaries), tuple(drawn))


def allocate(canteens: Mapping[Stratum, int], size: int, seed: int, findings_weight: float) -> dict[Stratum, int]:
    """Return how many of `size` come from each stratum; `canteens`: how many it has, at least 1."""
    strata = sorted(canteens)
    size = min(size, sum(canteens.values()))
    extra = Fraction(str(findings_weight))
    weights = [Fraction(canteens[stratum]) * (extra if stratum.with_findings else 1) for stratum in strata]
    least = _least(strata, weights, size, seed)
    quotas = _quotas([_Bounds(weights[n], least[n], canteens[stratum]) for n, stratum in enumerate(strata)], size)
    shares = [math.floor(quota) for quota in quotas]
    # Systematic draw: the probability of a hit is the fraction of the stratum's quota.
    next_hit, passed = Fraction(uniform(seed, 0)), Fraction(0)
    for index in sorted(range(len(strata)), key=lambda index: _hash(seed, *strata[index])):
        passed += quotas[index] - shares[index]
        if passed > next_hit:
            shares[index] += 1
            next_hit += 1
    return dict(zip(strata, shares, strict=True))


class _Bounds(NamedTuple):
    weight: Fraction
    least: int
    most: int

    def quota(self, factor: Fraction) -> Fraction:
        return min(Fraction(self.most), max(Fraction(self.least), factor * self.weight))


def _quotas(strata: Sequence[_Bounds], size: int) -> list[Fraction]:
    """Return the weights times one common factor, limited to their bounds, so that they add up to `size` exactly."""
    if not strata:
        return []

    def filled(factor: Fraction) -> Fraction:
        return sum((bounds.quota(factor) for bounds in strata), Fraction(0))

    # Between two of these factors the sum is linear.
    bends = sorted({bound / bounds.weight for bounds in strata for bound in (bounds.least, bounds.most)})
    at = bisect.bisect_left(bends, Fraction(size), key=filled)
    factor = bends[at]
    if at:
        before, here = filled(bends[at - 1]), filled(factor)
        factor = bends[at - 1] + (factor - bends[at - 1]) * (size - before) / (here - before)
    return [bounds.quota(factor) for bounds in strata]


def _least(strata: Sequence[Stratum], weights: Sequence[Fraction], size: int, seed: int) -> list[int]:
    """Return the fewest canteens of each stratum: 1 or 0."""
    if size >= _SAMPLE_PER_STRATUM_MIN * len(strata):
        return [1] * len(strata)
    heaviest: dict[str, tuple[Fraction, int, int]] = {}
    for index, (stratum, weight) in enumerate(zip(strata, weights, strict=True)):
        candidate = (-weight, _hash(seed, *stratum), index)
        heaviest[stratum.county] = min(candidate, heaviest.get(stratum.county, candidate))
    if size < len(heaviest):
        return [0] * len(strata)
    chosen = {index for _, _, index in heaviest.values()}
    return [int(index in chosen) for index in range(len(strata))]


def _choose(stratum: Stratum, members: Sequence[Canteen], number: int, seed: int) -> list[DrawnCanteen]:
    latest = max(canteen.round for canteen in members)
    order = sorted(
        members, key=lambda member: (member.round, _hash(seed, member.round, member.site_id), member.site_id)
    )
    return [
        DrawnCanteen(
            site_id=canteen.site_id,
            site_name=canteen.site_name,
            county=stratum.county,
            kind=stratum.kind,
            with_findings=stratum.with_findings,
            findings=canteen.findings,
            round=latest if canteen.round < latest else latest + 1,
        )
        for canteen in order[:number]
    ]


def _summary(stratum: Stratum, members: Sequence[Canteen], chosen: Sequence[DrawnCanteen]) -> StratumShare:
    rounds = {canteen.site_id: canteen.round for canteen in members}
    rounds |= {canteen.site_id: canteen.round for canteen in chosen}
    latest = max(rounds.values())
    return StratumShare(
        county=stratum.county,
        kind=stratum.kind,
        with_findings=stratum.with_findings,
        canteens=len(members),
        drawn=len(chosen),
        round=latest,
        left_in_round=sum(round_ < latest for round_ in rounds.values()),
    )


def _hash(seed: int, *parts: object) -> int:
    return seed_of(seed, "\0".join(map(str, parts)))
