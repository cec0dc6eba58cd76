"""Reads what cameras cost, from the registry and their latest verdicts in the database."""

from collections.abc import Sequence

from engine.cluster.placement.groups import camera_groups
from engine.cluster.placement.shards import CameraGroup, Shard
from engine.config.schema import Settings
from engine.storage.db.passwords.keys import source_of
from engine.storage.db.shards.leases import ShardRow
from engine.storage.db.store import Store


def read_groups(settings: Settings) -> list[CameraGroup]:
    """Return the cameras of the registry by county, recorder and platform. Raises NoDatabaseError, StoreError."""
    store = Store.open_existing(settings.record.url, source_of(settings.record))
    try:
        latest = {camera_id: packed for camera_id, packed, _ in store.latest()}
        return list(camera_groups(store.registry.cameras(), settings.scheduler, latest.get))
    finally:
        store.close()


def shard_costs(settings: Settings, rows: Sequence[ShardRow]) -> tuple[Shard, ...]:
    """Return the shards that have counties, as they are assigned, with their cameras and cost. Raises StoreError."""
    groups = read_groups(settings)
    shards = []
    for row in rows:
        own = [group for group in groups if group.county in row.counties]
        if row.counties:
            shards.append(
                Shard(
                    row.shard_no,
                    row.counties,
                    sum(group.cameras for group in own),
                    sum(group.visits_per_s for group in own),
                    sum(group.cores for group in own),
                )
            )
    return tuple(shards)
