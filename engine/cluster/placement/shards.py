"""Divides the counties of a registry into shards, so that each recorder's cap, and where it can be each platform's, is
kept by one scheduler. Pure.

A shard is one county, or several that share a recorder or a platform: whoever visits one of them has to know what the
others' visits take of the cap. A platform that would join too much is shared instead, and its cap is divided. A county
is never split, so that its KPIs are counted in one place.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SHARDS_MAX = 1023
"""Numbers of shards are 1 to this: sequence numbers keep ten bits for them (engine.storage.db.sequences)."""
_STAYS_TOGETHER = 1.25
"""What one shard has run so far may grow by so much beyond the limit before a platform is shared: at the limit a few
cameras more or less would join and part counties in turn."""


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

    def join(self, other: "_Counties") -> None:
        self.codes += other.codes
        self.cameras += other.cameras
        self.visits_per_s += other.visits_per_s
        self.cores += other.cores
        self.before.update(other.before)


def divide(groups: Iterable[CameraGroup], before: Mapping[str, int], cores_max: float) -> Division:
    """Return the shards of a registry.

    `before`: the shard's number of each county so far; a shard keeps the number that most of its cameras had. It may
    name counties that have no cameras now: their numbers are not given to others. `cores_max`: a platform does not join
    counties that together cost more. The order of `groups` does not matter. Raises ValueError if there are more than
    SHARDS_MAX shards.
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
        if _may_join(of_county, codes, cores_max):
            _join(of_county, codes)
    shards = _numbered({id(counties): counties for counties in of_county.values()}.values(), before)
    return Division(shards, _shares(by_host, {code: shard.number for shard in shards for code in shard.counties}))


def _join(of_county: dict[str, _Counties], codes: Sequence[str]) -> None:
    first = of_county[codes[0]]
    for code in codes[1:]:
        other = of_county[code]
        if other is not first:
            first.join(other)
            of_county.update(dict.fromkeys(other.codes, first))


def _may_join(of_county: Mapping[str, _Counties], codes: Sequence[str], cores_max: float) -> bool:
    parts = list({id(of_county[code]): of_county[code] for code in codes}.values())
    numbers = {number for part in parts for number in part.before}
    were_together = len(numbers) == 1 and all(part.before for part in parts)
    limit = cores_max * (_STAYS_TOGETHER if were_together else 1.0)
    return len(parts) == 1 or sum(part.cores for part in parts) <= limit


def _numbered(all_counties: Iterable[_Counties], before: Mapping[str, int]) -> tuple[Shard, ...]:
    """Number the shards; the largest chooses first, so that few cameras change theirs."""
    taken: set[int] = set()
    known = set(before.values())
    free = (number for number in range(1, SHARDS_MAX + 1) if number not in known)
    shards = []
    for counties in sorted(all_counties, key=lambda each: (-each.cameras, min(each.codes))):
        had = sorted(counties.before, key=lambda number: (-counties.before[number], number))
        number = next((number for number in had if number not in taken), 0) or next(free, 0)
        if not number:
            raise ValueError(f"the registry has more than {SHARDS_MAX:,} shards; raise cluster.shard_cores_max")
        taken.add(number)
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
