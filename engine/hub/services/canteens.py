"""Canteens: joins what the registry says of them, by their cameras, with what callers have stored."""

import asyncio
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict, defaultdict
from typing import NamedTuple

from engine.errors import StateError
from engine.hub.catalog import Catalog
from engine.hub.registry import Registry
from engine.model.camera import Camera, SiteKind
from engine.model.canteen import (
    NO_DETAILS,
    Canteen,
    CanteenOrder,
    CanteenPage,
    CanteenQuery,
    StoredCanteen,
    canteen_id_of,
)
from engine.storage.db.canteens import Canteens

STORED_MAX = 200_000
"""Canteens that may be stored; a province has 16,000."""
_SCOPES_MAX = 8


class _Site(NamedTuple):
    """A canteen as its cameras have it. All of them should agree; if not, the first by id counts."""

    site_id: str
    display_name: str
    region: str
    site_kind: SiteKind
    cameras: tuple[Camera, ...]


class CanteenService:
    """Implements engine.serve.port.CanteenPort. `scope`: the region of the caller; only cameras and details within it
    count."""

    def __init__(self, record: Canteens, registry: Registry, catalog: Catalog) -> None:
        self._record = record
        self._registry = registry
        self._catalog = catalog
        self._stored = {canteen.canteen_id: canteen for canteen in record.all()}
        self._lock = threading.Lock()
        self._sites: OrderedDict[str, tuple[int, dict[str, _Site]]] = OrderedDict()

    async def canteen(self, canteen_id: str, scope: str) -> Canteen | None:
        """Return a canteen; None if the scope has no camera of it, and it is not stored for the scope."""
        return await asyncio.to_thread(self._canteen, canteen_id, scope)

    async def canteens(self, query: CanteenQuery, scope: str) -> CanteenPage:
        """Return a page of canteens."""
        return await asyncio.to_thread(self._page, query, scope)

    async def owner(self, canteen_id: str) -> str | None:
        """Return the region that a canteen's details are stored for, or else that of its cameras; None: no canteen."""
        stored = self._stored.get(canteen_id)
        if stored is not None:
            return stored.region
        site = (await asyncio.to_thread(self._sites_of, "")).get(canteen_id)
        return None if site is None else site.region

    async def store(self, canteen: StoredCanteen) -> None:
        """Store a canteen; one without cameras and details is removed. Raises StateError beyond STORED_MAX."""
        sites = await asyncio.to_thread(self._sites_of, "")
        if canteen.details == NO_DETAILS and canteen.canteen_id not in sites:
            await asyncio.to_thread(self._record.remove, canteen.canteen_id)
            self._stored.pop(canteen.canteen_id, None)
            return
        if len(self._stored) >= STORED_MAX and canteen.canteen_id not in self._stored:
            raise StateError(f"{STORED_MAX} canteens are stored, which is the most; empty some that have no cameras")
        await asyncio.to_thread(self._record.upsert, canteen)
        self._stored[canteen.canteen_id] = canteen

    def _canteen(self, canteen_id: str, scope: str) -> Canteen | None:
        stored = self._stored.get(canteen_id)
        if stored is not None and not stored.region.startswith(scope):
            stored = None
        return self._joined(canteen_id, self._sites_of(scope).get(canteen_id), stored)

    def _page(self, query: CanteenQuery, scope: str) -> CanteenPage:
        sites = self._sites_of(scope)
        stored = {key: row for key, row in list(self._stored.items()) if row.region.startswith(scope)}
        known: dict[str, _Site | StoredCanteen] = {**stored, **sites}  # where both know it, its cameras say what it is
        text = query.text.casefold()
        keys = sorted(
            (_value(canteen, query.order), canteen_id)
            for canteen_id, canteen in known.items()
            if canteen.region.startswith(query.region_prefix)
            and (not text or _mentions(text, canteen_id, canteen.display_name, stored.get(canteen_id)))
        )
        begin, end, after = 0, len(keys), query.after
        if query.descending:
            end = end if after is None else bisect_left(keys, after)
            shown = keys[max(begin, end - query.page_size) : end][::-1]
        else:
            begin = begin if after is None else bisect_right(keys, after)
            shown = keys[begin : begin + query.page_size]
        joined = (self._joined(canteen_id, sites.get(canteen_id), stored.get(canteen_id)) for _, canteen_id in shown)
        more = end - begin > query.page_size
        return CanteenPage(tuple(filter(None, joined)), shown[-1] if more else None, len(keys))

    def _joined(self, canteen_id: str, site: _Site | None, stored: StoredCanteen | None) -> Canteen | None:
        known = site or stored
        if known is None:
            return None
        return Canteen(
            canteen_id,
            "" if site is None else site.site_id,
            known.display_name,
            known.region,
            known.site_kind,
            NO_DETAILS if stored is None else stored.details,
            0 if stored is None else stored.changed_wall_ns,
            self._catalog.count_of(() if site is None else site.cameras),
        )

    def _sites_of(self, scope: str) -> dict[str, _Site]:
        """Return the canteens of a scope's cameras by id; computed once until the registry changes."""
        with self._lock:
            version = self._registry.version
            known = self._sites.get(scope)
            if known is None or known[0] != version:
                known = self._sites[scope] = version, self._read(scope)
                if len(self._sites) > _SCOPES_MAX:
                    self._sites.popitem(last=False)
            self._sites.move_to_end(scope)
            return known[1]

    def _read(self, scope: str) -> dict[str, _Site]:
        members: defaultdict[str, list[Camera]] = defaultdict(list)
        for camera in list(self._registry.cameras.values()):  # copied in one step: the hub's thread may change it
            if camera.region.startswith(scope) and (canteen_id := canteen_id_of(camera)):
                members[canteen_id].append(camera)
        sites = {}
        for canteen_id, cameras in members.items():
            cameras.sort(key=lambda camera: camera.camera_id)
            first = cameras[0]
            sites[canteen_id] = _Site(first.site_id, first.site_name, first.region, first.site_kind, tuple(cameras))
        return sites


def _value(canteen: "_Site | StoredCanteen", order: CanteenOrder) -> str:
    """Return what an order sorts by, before the id."""
    if order is CanteenOrder.NAME:
        return ""
    return canteen.region if order is CanteenOrder.REGION else canteen.display_name


def _mentions(text: str, canteen_id: str, display_name: str, stored: StoredCanteen | None) -> bool:
    words = (canteen_id, display_name, "" if stored is None else stored.details.address)
    return any(text in word.casefold() for word in words)
