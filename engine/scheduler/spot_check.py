"""Spot checks: a sample of canteens for people to look at, drawn so that nobody can foretell or doubt it. Pure.

A stratum is a county, a kind of school, and whether there are earlier findings: a camera of the canteen whose announced
state is fault now, or was when the canteen was last drawn.

How many come from each stratum: in proportion to its canteens, those with findings counted `findings_weight` times;
at least one where the sample is twice as large as there are strata or more, else one from each county where it is as
large as there are counties; never more than the stratum has. What rounding leaves is drawn by lot (systematic sampling
with unequal probabilities, Madow 1949), so the shares add up to the sample, none is further than one canteen from its
proportion, and a stratum too small for a place in each draw has one in some.

Who comes from a stratum: first those of the earliest round, then by a hash of seed, round and canteen. Who is drawn
belongs to the stratum's latest round from then on, or begins the next one if all others are in it already. So nobody
is drawn twice before the stratum is exhausted, also where canteens come, go, or change their stratum. Numbers of
rounds order; they may skip where a canteen brings a higher one from another stratum.
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
from engine.scheduler.deterministic_random import seed_of, share

_SAMPLE_PER_STRATUM_MIN = 2
"""From here on every stratum is in each draw. With less, small strata would fill the sample, and their few canteens
would come each time while the large ones wait."""


class Stratum(NamedTuple):
    """Canteens that are alike."""

    county: str
    kind: SiteKind
    with_findings: bool


@dataclass(frozen=True, slots=True)
class Draw:
    """What a spot check drew: the strata in order, and the canteens by stratum, within it as they were drawn."""

    strata: tuple[StratumShare, ...]
    drawn: tuple[DrawnCanteen, ...]


def stratum_of(canteen: Canteen) -> Stratum:
    """Where a canteen belongs now."""
    return Stratum(canteen.county, canteen.kind, canteen.findings > 0 or canteen.past_findings > 0)


def draw(canteens: Iterable[Canteen], size: int, seed: int, findings_weight: float) -> Draw:
    """Draw `size` canteens, or all if there are fewer; each may stand once in `canteens`, in any order.

    `seed`: 0 to 2**64 - 1; `findings_weight`: more than 0. The same canteens with the same rounds, and the same other
    arguments, give the same draw.
    """
    strata: defaultdict[Stratum, list[Canteen]] = defaultdict(list)
    for canteen in canteens:
        strata[stratum_of(canteen)].append(canteen)
    shares = allocate({stratum: len(members) for stratum, members in strata.items()}, size, seed, findings_weight)
    told: list[StratumShare] = []
    drawn: list[DrawnCanteen] = []
    for stratum, members in sorted(strata.items()):
        chosen = _choose(stratum, members, shares[stratum], seed)
        drawn += chosen
        told.append(_told(stratum, members, chosen))
    return Draw(tuple(told), tuple(drawn))


def allocate(canteens: Mapping[Stratum, int], size: int, seed: int, findings_weight: float) -> dict[Stratum, int]:
    """How many of `size` come from each stratum; `canteens`: how many it has, at least 1."""
    strata = sorted(canteens)
    size = min(size, sum(canteens.values()))
    extra = Fraction(str(findings_weight))
    weights = [Fraction(canteens[one]) * (extra if one.with_findings else 1) for one in strata]
    least = _least(strata, weights, size, seed)
    quotas = _quotas([_Bounds(weights[n], least[n], canteens[one]) for n, one in enumerate(strata)], size)
    shares = [math.floor(quota) for quota in quotas]
    # Systematic draw: a stratum is hit with a chance that equals what its quota has beyond a whole number.
    next_hit, passed = Fraction(share(seed, 0)), Fraction(0)
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
    """Weights times one factor, held within their bounds, so that they add up to `size` exactly."""
    if not strata:
        return []

    def filled(factor: Fraction) -> Fraction:
        return sum((one.quota(factor) for one in strata), Fraction(0))

    # Between two of these factors the sum is a straight line.
    bends = sorted({bound / one.weight for one in strata for bound in (one.least, one.most)})
    at = bisect.bisect_left(bends, Fraction(size), key=filled)
    factor = bends[at]
    if at:
        before, here = filled(bends[at - 1]), filled(factor)
        factor = bends[at - 1] + (factor - bends[at - 1]) * (size - before) / (here - before)
    return [one.quota(factor) for one in strata]


def _least(strata: Sequence[Stratum], weights: Sequence[Fraction], size: int, seed: int) -> list[int]:
    """What each stratum gets in any case: 1 or 0."""
    if size >= _SAMPLE_PER_STRATUM_MIN * len(strata):
        return [1] * len(strata)
    heaviest: dict[str, tuple[Fraction, int, int]] = {}
    for index, (stratum, weight) in enumerate(zip(strata, weights, strict=True)):
        mine = (-weight, _hash(seed, *stratum), index)
        heaviest[stratum.county] = min(mine, heaviest.get(stratum.county, mine))
    if size < len(heaviest):
        return [0] * len(strata)
    chosen = {index for _, _, index in heaviest.values()}
    return [int(index in chosen) for index in range(len(strata))]


def _choose(stratum: Stratum, members: Sequence[Canteen], number: int, seed: int) -> list[DrawnCanteen]:
    latest = max(one.round for one in members)
    order = sorted(members, key=lambda one: (one.round, _hash(seed, one.round, one.site_id), one.site_id))
    return [
        DrawnCanteen(
            site_id=one.site_id,
            site_name=one.site_name,
            county=stratum.county,
            kind=stratum.kind,
            with_findings=stratum.with_findings,
            findings=one.findings,
            round=latest if one.round < latest else latest + 1,
        )
        for one in order[:number]
    ]


def _told(stratum: Stratum, members: Sequence[Canteen], chosen: Sequence[DrawnCanteen]) -> StratumShare:
    rounds = {one.site_id: one.round for one in members} | {one.site_id: one.round for one in chosen}
    latest = max(rounds.values())
    return StratumShare(
        county=stratum.county,
        kind=stratum.kind,
        with_findings=stratum.with_findings,
        canteens=len(members),
        drawn=len(chosen),
        round=latest,
        left_in_round=sum(one < latest for one in rounds.values()),
    )


def _hash(seed: int, *parts: object) -> int:
    return seed_of(seed, "\0".join(map(str, parts)))
