"""Divides the counties of the registry into shards, and stores which shard has which county."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.cluster.placement.shards import CameraGroup, Division, ShardSize, divide
from engine.cluster.registry_costs import read_groups
from engine.config.schema import Settings
from engine.errors import ConfigError
from engine.storage.db.database import connect, parse_url
from engine.storage.db.shards.leases import Leases


@dataclass(frozen=True, slots=True)
class Assignment:
    """What was stored. `changed`: counties that have another shard than before, or had none."""

    shards: int
    counties: int
    changed: tuple[str, ...]


def divide_counties(settings: Settings, groups: Iterable[CameraGroup], before: Mapping[str, int]) -> Division:
    """Return the shards as the configuration wants them. `before`: the shard of each county so far.

    Raises ConfigError if there would be too many.
    """
    size = ShardSize(settings.cluster.shard_cores_min, settings.cluster.shard_cores_max)
    try:
        return divide(groups, before, size)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def assign_counties(settings: Settings) -> Assignment:
    """Divide the registry and store it.

    Raises ConfigError if there are no cameras, StateError while an engine runs a shard whose counties would change,
    NoDatabaseError, StoreError.
    """
    groups = read_groups(settings)  # first: it makes sure that there is a database, of this schema
    leases = Leases(connect(parse_url(settings.record.url)))
    try:
        before = {county: row.shard_no for row in leases.all() for county in row.counties}
        division = divide_counties(settings, groups, before)
        shards = division.shards
        if not shards:
            raise ConfigError("the registry has no cameras, so there is nothing to divide; import cameras first")
        after = {county: shard.number for shard in shards for county in shard.counties}
        leases.assign(before | after, division.shared_hosts)  # a county that has no cameras now keeps its shard
    finally:
        leases.close()
    changed = tuple(sorted(county for county, number in after.items() if before.get(county) != number))
    return Assignment(len(shards), len(after), changed)


def is_assigned(settings: Settings) -> bool:
    """Whether the registry was ever divided. Raises StoreError."""
    leases = Leases(connect(parse_url(settings.record.url)))
    try:
        return bool(leases.all())
    finally:
        leases.close()
