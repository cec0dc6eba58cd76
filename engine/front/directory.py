"""Knows which shard has which county, and where its engine answers, as the database says."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.front.replica import Replica
from engine.storage.db.ledger.findings import FindingStore
from engine.storage.db.shards.leases import Leases, ShardRow

_COUNTY_DIGITS = 6


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read last. `shard_of`: by county. `addresses`: of the shards that somebody runs."""

    rows: tuple[ShardRow, ...] = ()
    shard_of: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[int, str] = field(default_factory=dict)


class Directory:
    """Implements engine.serve.forwarding.shards.Shards. `read` is for one thread, all else for any."""

    def __init__(self, leases: Leases, replica: Replica, findings: FindingStore) -> None:
        self._leases = leases
        self._replica = replica
        self._findings = findings
        self._known = _Known()
        self.read()

    def read(self) -> None:
        """Read the shards anew. Raises StoreError."""
        rows = self._leases.all()
        self._known = _Known(
            rows,
            {county: row.shard_no for row in rows for county in row.counties},
            {row.shard_no: row.address for row in rows if row.is_held},
        )

    @property
    def rows(self) -> tuple[ShardRow, ...]:
        """All shards."""
        return self._known.rows

    def held(self) -> Sequence[int]:
        """Return the numbers of the shards that somebody runs."""
        return sorted(self._known.addresses)

    def of_region(self, region: str) -> int:
        """Return the shard of a county; 0 if no shard has it."""
        return self._known.shard_of.get(region[:_COUNTY_DIGITS], 0)

    def address(self, shard_no: int) -> str:
        """Return where the shard's engine answers; empty while none does."""
        return self._known.addresses.get(shard_no, "")

    async def of_cameras(self, camera_ids: Sequence[str]) -> Mapping[str, int]:
        """Return the shard of each camera that is in the registry."""
        known = self._replica.registry.cameras
        unknown = [camera_id for camera_id in camera_ids if camera_id not in known]
        if unknown:  # another front may have added it a moment ago
            await self.changed(unknown)
        found = ((camera_id, known.get(camera_id)) for camera_id in camera_ids)
        regions = {camera_id: camera.region for camera_id, camera in found if camera is not None}
        return {camera_id: shard_no for camera_id, region in regions.items() if (shard_no := self.of_region(region))}

    async def of_findings(self, finding_ids: Sequence[int]) -> Mapping[int, int]:
        """Return the shard of each finding that exists: that of its camera now or, if that is gone, of its county."""
        found = await asyncio.to_thread(self._findings.get_all, finding_ids)
        known, shards = self._replica.registry.cameras, {}
        for number, finding in found.items():
            camera = known.get(finding.subject.camera_id)
            shard_no = self.of_region(finding.subject.region if camera is None else camera.region)
            if shard_no:
                shards[number] = shard_no
        return shards

    async def changed(self, camera_ids: Sequence[str]) -> None:
        """Read cameras anew that a call has changed."""
        await asyncio.to_thread(self._replica.refresh, camera_ids)
