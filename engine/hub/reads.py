"""Answers what callers read: cameras and latest verdicts from memory, all else from the database."""

import asyncio
from collections.abc import Mapping, Sequence

from engine.clock import wall_ns
from engine.hub.catalog import Catalog
from engine.hub.registry import Registry
from engine.hub.services.spot_checks import SpotCheckService
from engine.hub.uplink_owners import on_foreign_uplinks
from engine.interchange.regions import hebei
from engine.model.access import Actor, AuditEntry, AuditQuery, Token, TokenOrder
from engine.model.camera import Camera
from engine.model.registry import CameraCount, CameraPage, CameraQuery, CameraStatus, Region, RegionLevel
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.verdict import LoggedVerdict, Verdict
from engine.storage.db.store import Store

_SEARCH_ROWS = 500


class Reads:
    """The part of engine.serve.port.HubPort that needs no hub: a front has it as well. Database calls run in threads.

    `registry`: changed by another thread.
    """

    def __init__(self, store: Store, registry: Registry, catalog: Catalog, spot_checks: SpotCheckService) -> None:
        self._store = store
        self._registry = registry
        self._catalog = catalog
        self._spot_checks = spot_checks

    async def camera(self, camera_id: str) -> CameraStatus | None:
        """Return a camera with its latest verdict; None if the registry does not know it."""
        return self._catalog.camera(camera_id)

    async def regions(self, camera_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the regions of the cameras that are known."""
        known = self._registry.cameras
        # One lookup each: the hub's thread may remove a camera at any moment.
        cameras = ((camera_id, known.get(camera_id)) for camera_id in camera_ids)
        return {camera_id: camera.region for camera_id, camera in cameras if camera is not None}

    async def on_foreign_uplinks(self, cameras: Sequence[Camera], region_prefix: str) -> set[str]:
        """Return the ids of those of these rows whose uplink has cameras outside of a region, and is new to them."""
        known = self._registry.cameras
        # `list` copies in one step, while the hub's thread may change the registry at any moment.
        return await asyncio.to_thread(on_foreign_uplinks, cameras, known, list(known.values()), region_prefix)

    async def verdict(self, camera_id: str, visit_id: int) -> Verdict | None:
        """Return a verdict on a camera; `visit_id` 0 means the latest. None if it is not kept."""
        latest = self._catalog.verdict(camera_id)
        if latest is None or visit_id in (0, latest.visit_id):
            return latest
        return await asyncio.to_thread(self._find_verdict, camera_id, visit_id)

    async def verdicts(self, camera_id: str, before_seq: int, limit: int) -> Sequence[LoggedVerdict]:
        """Return verdicts on a camera, newest first, with seq below `before_seq` (0: from the newest)."""
        return await asyncio.to_thread(self._store.history.of_camera, camera_id, before_seq, limit)

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """Return a page of cameras. What is ready is returned at once: waiting for a thread would take ten times as
        long while others compute."""
        page = self._catalog.ready_page(query)
        return await asyncio.to_thread(self._catalog.page, query) if page is None else page

    async def count_cameras(self, query: CameraQuery, level: RegionLevel) -> tuple[Sequence[CameraCount], CameraCount]:
        """Return the numbers of cameras by region, and in all."""
        return await asyncio.to_thread(self._catalog.count, query, level.digits)

    async def list_regions(self, region_prefix: str) -> Sequence[Region]:
        """Return the regions with cameras that begin with the prefix, with the names that digests have."""
        return await asyncio.to_thread(self._catalog.regions, region_prefix, hebei().label)

    async def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        """Draw canteens for people to inspect. Raises NotFoundError if none qualify, ConflictError while one runs."""
        return await self._spot_checks.draw(order)

    async def spot_check(self, draw_id: int) -> SpotCheck | None:
        """Return a spot check; `draw_id` 0 means the latest. None if it is not kept."""
        return await self._spot_checks.get(draw_id)

    async def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """Return the spot checks that are kept, newest first."""
        return await self._spot_checks.headers()

    async def create_token(self, order: TokenOrder, creator: Actor) -> tuple[Token, str]:
        """Create a token; returns it with its secret. Raises ExistsError if the name is taken."""
        return await asyncio.to_thread(self._store.access.create_token, order, creator.name, wall_ns())

    async def tokens(self) -> tuple[Token, ...]:
        """Return all tokens that were ever created, by number."""
        return await asyncio.to_thread(self._store.access.tokens)

    async def revoke_token(self, token_id: int) -> Token | None:
        """Revoke a token and return it; None if there is no such token."""
        return await asyncio.to_thread(self._store.access.revoke_token, token_id, wall_ns())

    async def audit_entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """Return audit entries, newest first."""
        return await asyncio.to_thread(self._store.access.entries, query)

    def _find_verdict(self, camera_id: str, visit_id: int) -> Verdict | None:
        """Search from the newest on. Visit ids count up, so the search ends at the first that is smaller."""
        before_seq = 0
        while page := self._store.history.of_camera(camera_id, before_seq, _SEARCH_ROWS):
            for logged in page:
                if logged.verdict.visit_id == visit_id:
                    return logged.verdict
                if 0 < logged.verdict.visit_id < visit_id:
                    return None
            before_seq = page[-1].seq
        return None
