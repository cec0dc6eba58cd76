"""Divides the counties of a registry into shards, so that each recorder's cap, and where it can be each platform's, is
kept by one scheduler. Pure.

A shard is one county, or several that share a recorder or a platform: whoever visits one of them has to know what the
others' visits take of the cap. A platform that would join too much is shared instead, and its cap is divided. Counties
of a city that are too small to be worth processes of their own are joined too. A county is never split, so that its
KPIs are counted in one place. What one shard has run so far stays together.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SHARDS_MAX = 1023
"""Numbers of shards are 1 to this: sequence numbers keep ten bits for them (engine.storage.db.shards.sequences)."""
_CITY_DIGITS = 4
_STAYS_TOGETHER = 1.25
"""A shard is parted once it costs so much more than it may: at the limit a few cameras more or less would part counties
and join them in turn."""


@dataclass(frozen=True, slots=True)
class ShardSize:
    """In cores that the cameras of a shard need. `at_least`: smaller counties of a city are joined until they do; 0:
    none is. `at_most`: a platform does not join counties that need more together."""

    at_least: float
    at_most: float


@dataclass(frozen=True, slots=True)
class CameraGroup:
    """Cameras of one county on one recorder and platform.

    `uplink`, `host`: empty for cameras that gateways push. `visits_per_s`: expected while all kitchens work. `cores`:
    CPU seconds a second that they cost.
    """

    county: str
    uplink: str
    host: str
    cameras: int
    visits_per_s: float
    cores: float


@dataclass(frozen=True, slots=True)
class Shard:
    """`number`: 1 to SHARDS_MAX. `counties`: codes, ascending; a region code of another length is a county too."""

    number: int
    counties: tuple[str, ...]
    cameras: int
    visits_per_s: float
    cores: float


@dataclass(frozen=True, slots=True)
class Division:
    """`shards`: by number. `shared_hosts`: of each platform that several shards visit, the share of its visits that
    each of them makes, by the shard's number; they add up to 1."""

    shards: tuple[Shard, ...]
    shared_hosts: Mapping[str, Mapping[int, float]]


@dataclass(slots=True)
class _Counties:
    """Counties that are together. `before`: cameras by the shard's number that ran their county so far."""

    codes: list[str] = field(default_factory=list)
    cameras: int = 0
    visits_per_s: float = 0.0
    cores: float = 0.0
    before: Counter[int] = field(default_factory=Counter)

    @property
    def number(self) -> int:
        """The shard that most of the cameras had; of several the first."""
        return min(self.before, key=lambda number: (-self.before[number], number))

    def join(self, other: "_Counties") -> None:
        self.codes += other.codes
        self.cameras += other.cameras
        self.visits_per_s += other.visits_per_s
        self.cores += other.cores
        self.before.update(other.before)


def divide(groups: Iterable[CameraGroup], before: Mapping[str, int], size: ShardSize) -> Division:
    """Return the shards of a registry.

    `before`: the shard's number of each county so far; counties stay with the shard that most of their cameras had. It
    may name counties that have no cameras now: their numbers are not given to others. The order of `groups` does not
    matter. Raises ValueError if there are more than SHARDS_MAX shards.
    """
    of_county: dict[str, _Counties] = {}
    by_uplink: defaultdict[str, set[str]] = defaultdict(set)
    by_host: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for group in sorted(groups, key=lambda group: (group.county, group.uplink, group.host)):
        counties = of_county.setdefault(group.county, _Counties([group.county]))
        counties.cameras += group.cameras
        counties.visits_per_s += group.visits_per_s
        counties.cores += group.cores
        if number := before.get(group.county):
            counties.before[number] += group.cameras
        if group.uplink:
            by_uplink[group.uplink].add(group.county)
        if group.host:
            by_host[group.host][group.county] += group.visits_per_s
    for counties_of in by_uplink.values():
        _join(of_county, sorted(counties_of))
    for host in sorted(by_host):
        codes = sorted(by_host[host])
        if sum(part.cores for part in _parts(of_county, codes)) <= size.at_most:
            _join(of_county, codes)
    shards = _numbered(_packed(_parts(of_county, of_county), size), before)
    return Division(shards, _shares(by_host, {code: shard.number for shard in shards for code in shard.counties}))


def _parts(of_county: Mapping[str, _Counties], codes: Iterable[str]) -> list[_Counties]:
    """Return what these counties belong to, each once, by its first code."""
    parts = {id(of_county[code]): of_county[code] for code in codes}.values()
    return sorted(parts, key=lambda part: min(part.codes))


def _join(of_county: dict[str, _Counties], codes: Sequence[str]) -> None:
    first = of_county[codes[0]]
    for code in codes[1:]:
        other = of_county[code]
        if other is not first:
            first.join(other)
            of_county.update(dict.fromkeys(other.codes, first))


def _packed(parts: Iterable[_Counties], size: ShardSize) -> list[_Counties]:
    """Join what one shard has run so far, unless it has grown too large, and counties of a city that are too small."""
    together: defaultdict[int, list[_Counties]] = defaultdict(list)
    alone: list[_Counties] = []
    for part in parts:
        (together[part.number] if part.before else alone).append(part)
    packed: list[_Counties] = []
    for _, members in sorted(together.items()):
        members.sort(key=lambda part: (-part.cores, min(part.codes)))
        limit = size.at_most if sum(part.cores for part in members) > size.at_most * _STAYS_TOGETHER else math.inf
        first = members[0]
        for part in members[1:]:
            if first.cores + part.cores <= limit:
                first.join(part)
            else:
                part.before.clear()
                alone.append(part)
        packed.append(first)
    small: defaultdict[str, list[_Counties]] = defaultdict(list)
    for part in packed:
        small[min(part.codes)[:_CITY_DIGITS]].append(part)
    for part in sorted(alone, key=lambda part: min(part.codes)):
        of_city = small[min(part.codes)[:_CITY_DIGITS]]
        room = min(size.at_least, size.at_most - part.cores)
        mate = next((other for other in of_city if other.cores < room), None)
        if mate is not None and part.cores < size.at_least:
            mate.join(part)
        else:
            of_city.append(part)
            packed.append(part)
    return packed


def _numbered(packed: Iterable[_Counties], before: Mapping[str, int]) -> tuple[Shard, ...]:
    """Number what has no number yet, the largest first."""
    known = set(before.values())
    free = (number for number in range(1, SHARDS_MAX + 1) if number not in known)
    shards = []
    for counties in sorted(packed, key=lambda each: (-each.cameras, min(each.codes))):
        number = counties.number if counties.before else next(free, 0)
        if not number:
            raise ValueError(f"the registry has more than {SHARDS_MAX:,} shards; raise cluster.shard_cores_min")
        codes = tuple(sorted(counties.codes))
        shards.append(Shard(number, codes, counties.cameras, counties.visits_per_s, counties.cores))
    return tuple(sorted(shards, key=lambda shard: shard.number))


def _shares(by_host: Mapping[str, Mapping[str, float]], number_of: Mapping[str, int]) -> dict[str, dict[int, float]]:
    shared: dict[str, dict[int, float]] = {}
    for host in sorted(by_host):
        visits: defaultdict[int, float] = defaultdict(float)
        for county in sorted(by_host[host]):
            visits[number_of[county]] += by_host[host][county]
        if len(visits) > 1:
            total = sum(visits.values())
            shared[host] = {number: visits[number] / total if total else 1 / len(visits) for number in sorted(visits)}
    return shared
