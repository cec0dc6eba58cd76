"""Keeps every camera with its latest verdict in memory for callers, in step with what is committed.

Reading them from the database takes the interpreter lock once a row, and the hub's other threads need it too: a page of
a thousand cameras that takes 40 ms alone took 400 ms beside a patrol. A verdict stays packed as the store has it, about
400 bytes a camera in all, and is unpacked when somebody asks for it.
"""

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

from engine.hub.camera_queries import count_cameras, matching, places_by_verdict
from engine.hub.registry import Registry
from engine.model.camera import Camera
from engine.model.packed.verdict import PackedVerdict, Shape, ShapeKey, shape_key
from engine.model.registry import (
    ANY,
    CameraCount,
    CameraCursor,
    CameraOrder,
    CameraPage,
    CameraQuery,
    CameraStatus,
    Region,
)
from engine.model.verdict import Verdict
from engine.storage.db.store import VisitRecord

_LISTS_MAX = 64
"""Sorted lists that are kept, one for each region or canteen asked for; each has at most one entry a camera."""
_SHAPES_MAX = 4096
_FIELD = {CameraOrder.NAME: "camera_id", CameraOrder.REGION: "region", CameraOrder.SITE_ID: "site_id"}


class _Ordered(NamedTuple):
    """Cameras in ascending order. `keys`: the sort keys, which are the ids themselves or pairs of value and id."""

    keys: Sequence[Any]
    ids: Sequence[str]


class Catalog:
    """Any thread may read. `latest`: the stored verdicts by camera id."""

    def __init__(self, registry: Registry, latest: Mapping[str, PackedVerdict]) -> None:
        self._registry = registry
        self._latest: dict[str, PackedVerdict] = dict(latest)
        self._shapes: dict[ShapeKey, Shape] = {}
        self._changing = threading.Lock()
        self._lock = threading.Lock()
        self._version = -1
        self._by_region: dict[str, list[str]] = {}
        self._lists: OrderedDict[tuple[str, str, CameraOrder], _Ordered] = OrderedDict()
        self._read_registry()  # now, so that the first caller need not wait

    def stored(self, records: Sequence[VisitRecord]) -> None:
        """Replace the latest verdicts by records that were committed. For one thread, in the order of commits."""
        for record in records:
            verdict = record.verdict
            packed = PackedVerdict(verdict.at_wall_ns, self._shape(verdict), record.packed_verdict)
            with self._changing:  # so that `forget` cannot come between the lookup and the write
                if verdict.camera_id in self._registry.cameras:  # it may have left the registry meanwhile
                    self._latest[verdict.camera_id] = packed

    def show(self, status: CameraStatus) -> None:
        """Show the latest verdict of a camera that has come from another shard."""
        if isinstance(status.stored_verdict, PackedVerdict):
            with self._changing:
                self._latest.setdefault(status.camera.camera_id, status.stored_verdict)

    def forget(self, camera_ids: Iterable[str]) -> None:
        """Remove cameras that left the registry."""
        with self._changing:
            for camera_id in camera_ids:
                self._latest.pop(camera_id, None)

    def camera(self, camera_id: str) -> CameraStatus | None:
        """Return a camera with its latest verdict; None if the registry does not know it."""
        camera = self._registry.cameras.get(camera_id)
        return None if camera is None else CameraStatus(camera, self._latest.get(camera_id))

    def verdict(self, camera_id: str) -> Verdict | None:
        """Return a camera's latest verdict; None if it has none, or the registry does not know it."""
        packed = self._latest.get(camera_id)
        return None if packed is None or camera_id not in self._registry.cameras else packed.verdict(camera_id)

    def visited_wall_ns(self, camera_id: str) -> int:
        """Return when the visit of a camera's latest verdict was; 0 if it has none."""
        packed = self._latest.get(camera_id)
        return 0 if packed is None else packed.at_wall_ns

    def page(self, query: CameraQuery) -> CameraPage:
        """Return the page of cameras that follows `query.after`, in the order asked for."""
        if not query.order.of_registry:
            return self._page_by_verdict(query)
        keys, ids = self._ordered(query)
        places = self._matching(query, ids)
        if places is not None:
            keys, ids = [keys[n] for n in places], [ids[n] for n in places]
        total, mark = len(ids), query.after
        if query.descending:
            end = total if mark is None else bisect_left(keys, _key(mark, query.order))
            found = ids[max(0, end - query.page_size - 1) : end][::-1]
        else:
            begin = 0 if mark is None else bisect_right(keys, _key(mark, query.order))
            found = ids[begin : begin + query.page_size + 1]
        statuses = self._statuses(query, found[: query.page_size])
        if len(found) <= query.page_size:
            return CameraPage(statuses, None, total)
        last = end - query.page_size if query.descending else begin + query.page_size - 1
        return CameraPage(statuses, _mark(keys[last], query.order), total)

    def ready_page(self, query: CameraQuery) -> CameraPage | None:
        """Return the page if that takes a millisecond: its order is known and nothing has to be searched; else None."""
        if not query.order.of_registry or query.state is not None or query.where != ANY:
            return None
        if not self._lock.acquire(blocking=False):
            return None  # another thread computes an order
        try:
            known = self._version == self._registry.version and _wanted(query) in self._lists
        finally:
            self._lock.release()
        return self.page(query) if known else None

    def count(self, query: CameraQuery, digits: int) -> tuple[list[CameraCount], CameraCount]:
        """Return the numbers of cameras by the first `digits` of their region, ordered by region; and in all."""
        ids = self._ids(query)
        known = self._registry.cameras
        cameras = [camera for camera_id in ids if (camera := known.get(camera_id)) is not None]
        return count_cameras(cameras, self._latest, digits)

    def regions(self, region_prefix: str, name: Callable[[str], str]) -> list[Region]:
        """Return every province, city and county that has cameras and begins with the prefix, by code.

        `name(code)`: its name. A camera of a county counts for the city and the province too.
        """
        with self._lock:
            if self._version != self._registry.version:
                self._read_registry()
            codes = {region[:digits] for region in self._by_region for digits in (2, 4, 6)}
        return [Region(code, name(code)) for code in sorted(codes) if code and code.startswith(region_prefix)]

    def count_of(self, cameras: Sequence[Camera]) -> CameraCount:
        """Return the numbers of these cameras."""
        return count_cameras(cameras, self._latest, 0)[1]

    def _page_by_verdict(self, query: CameraQuery) -> CameraPage:
        """Return a page in an order of the latest verdicts, as they are now."""
        ids = self._ids(query)
        places, next_after = places_by_verdict(query, ids, self._latest)
        return CameraPage(self._statuses(query, [ids[n] for n in places]), next_after, len(ids))

    def _ids(self, query: CameraQuery) -> Sequence[str]:
        """Return the ids of all cameras that a query selects, ascending."""
        _, ids = self._ordered(replace(query, order=CameraOrder.NAME))
        places = self._matching(query, ids)
        return ids if places is None else [ids[n] for n in places]

    def _statuses(self, query: CameraQuery, ids: Sequence[str]) -> tuple[CameraStatus, ...]:
        cameras = self._registry.cameras
        return tuple(
            CameraStatus(camera, self._latest.get(camera_id) if query.with_verdict else None)
            for camera_id in ids
            if (camera := cameras.get(camera_id)) is not None  # it may have left the registry meanwhile
        )

    def _matching(self, query: CameraQuery, ids: Sequence[str]) -> list[int] | None:
        """Return the places of the cameras that meet state and conditions; None if there is neither."""
        if query.state is None and query.where == ANY:
            return None
        return matching(query.state, query.where, ids, self._registry.cameras, self._latest)

    def _shape(self, verdict: Verdict) -> Shape:
        """Return the verdict's shape; equal shapes are one object, because a shape is most of a verdict."""
        key = shape_key(verdict)
        known = self._shapes.get(key)
        if known is None or known.thresholds is not verdict.thresholds:
            if len(self._shapes) >= _SHAPES_MAX:
                self._shapes.clear()
            known = self._shapes[key] = Shape(key, verdict.thresholds)
        return known

    def _ordered(self, query: CameraQuery) -> _Ordered:
        """Return all cameras of a region or canteen, sorted; computed once until the registry changes."""
        wanted = _wanted(query)
        with self._lock:
            if self._version != self._registry.version:
                self._read_registry()
            known = self._lists.get(wanted)
            if known is None:
                known = self._lists[wanted] = self._order(*wanted)
                if len(self._lists) > _LISTS_MAX:
                    self._lists.popitem(last=False)
            self._lists.move_to_end(wanted)
            return known

    def _read_registry(self) -> None:
        self._lists.clear()
        self._version = self._registry.version
        by_region: defaultdict[str, list[str]] = defaultdict(list)
        for camera in list(self._registry.cameras.values()):  # copied in one step: the hub's thread may change it
            by_region[camera.region].append(camera.camera_id)
        for ids in by_region.values():
            ids.sort()
        self._by_region = by_region

    def _order(self, region_prefix: str, site_id: str, order: CameraOrder) -> _Ordered:
        regions = [ids for region, ids in self._by_region.items() if region.startswith(region_prefix)]
        found = chain.from_iterable(regions)
        if order is CameraOrder.NAME and not site_id:
            ids = sorted(found)  # the parts are sorted already: sorting merges them
            return _Ordered(ids, ids)
        known = self._registry.cameras
        cameras = (camera for camera_id in found if (camera := known.get(camera_id)) is not None)
        keys = sorted(
            (getattr(camera, _FIELD[order]), camera.camera_id)
            for camera in cameras
            if not site_id or camera.site_id == site_id
        )
        ids = [camera_id for _, camera_id in keys]
        return _Ordered(ids if order is CameraOrder.NAME else keys, ids)


def _wanted(query: CameraQuery) -> tuple[str, str, CameraOrder]:
    return query.region_prefix, query.site_id, query.order


def _key(mark: CameraCursor, order: CameraOrder) -> Any:
    return mark.camera_id if order is CameraOrder.NAME else (mark.value, mark.camera_id)


def _mark(key: Any, order: CameraOrder) -> CameraCursor:
    return CameraCursor(key) if order is CameraOrder.NAME else CameraCursor(key[1], key[0])
