"""Selects, orders and counts cameras by what is known of them in memory. Pure.

Thousands of verdicts share a shape, so that what depends on the shape alone is decided once for each.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.interchange.platform_claims import disagrees
from engine.model.camera import Camera
from engine.model.packed.verdict import PackedVerdict, Shape, score, visit_and_since
from engine.model.registry import CameraConditions, CameraCount, CameraCursor, CameraOrder, CameraQuery
from engine.model.verdict import FaultKind, Severity, State

_RANK = {severity: rank for rank, severity in enumerate(reversed(Severity), 1)}
"""1 is the least severe."""


def matching(
    state: State | None,
    where: CameraConditions,
    ids: Sequence[str],
    cameras: Mapping[str, Camera],
    latest: Mapping[str, PackedVerdict],
) -> list[int]:
    """Return the places in `ids` of the cameras that meet a query, in ascending order.

    `state`: the announced state; None: any. A camera that has left the registry meets nothing.
    """
    places: Iterable[int] = range(len(ids))
    of_time = bool(
        where.offline_since_wall_ns
        or where.since_from_wall_ns
        or where.since_until_wall_ns
        or where.picture_until_wall_ns
    )
    if where.unseen:
        if of_time or state or where.severity_min or where.kinds or where.reason:
            return []
        places = [n for n, camera_id in enumerate(ids) if camera_id not in latest]
    elif of_time or state or where.severity_min or where.kinds or where.reason:
        packed = [latest.get(camera_id) for camera_id in ids]
        shapes = {id(verdict.shape): verdict.shape for verdict in packed if verdict is not None}
        met = {number for number, shape in shapes.items() if _shape_matches(shape, state, where)}
        places = [n for n, verdict in enumerate(packed) if verdict is not None and id(verdict.shape) in met]
        if of_time:
            places = [n for n in places if _time_matches(packed[n], where)]
    if where.platform_disagrees:
        places = [
            n
            for n in places
            if (camera := cameras.get(ids[n])) is not None and disagrees(camera, _announced(latest.get(ids[n])))
        ]
    if where.push is None and where.enabled is None and not where.key_points and not where.text:
        return list(places)
    text = where.text.casefold()
    return [n for n in places if (camera := cameras.get(ids[n])) is not None and _camera_matches(camera, where, text)]


def _announced(packed: PackedVerdict | None) -> State | None:
    return None if packed is None else packed.shape.key.announced


def _shape_matches(shape: Shape, state: State | None, where: CameraConditions) -> bool:
    key, severity_min = shape.key, where.severity_min
    return (
        (state is None or key.announced == state)
        and (severity_min is None or (key.severity is not None and _RANK[key.severity] >= _RANK[severity_min]))
        and (not where.kinds or not where.kinds.isdisjoint(key.announced_kinds))
        and (not where.reason or key.reason == where.reason)
        and (not where.offline_since_wall_ns or key.announced is State.OFFLINE)
    )


def _time_matches(packed: PackedVerdict | None, where: CameraConditions) -> bool:
    if packed is None:
        return False
    since_wall_ns = visit_and_since(packed.body)[1]
    of_since = where.since_from_wall_ns or where.since_until_wall_ns or where.offline_since_wall_ns
    if of_since and (
        not since_wall_ns
        or since_wall_ns < where.since_from_wall_ns
        or (where.since_until_wall_ns and since_wall_ns >= where.since_until_wall_ns)
        or (where.offline_since_wall_ns and since_wall_ns > where.offline_since_wall_ns)
    ):
        return False
    if not where.picture_until_wall_ns:
        return True
    # What is announced offline had its last picture before; another camera that is offline by one visit is about to.
    offline = packed.shape.key.announced is State.OFFLINE and packed.shape.key.state is State.OFFLINE
    return (since_wall_ns if offline else packed.at_wall_ns) < where.picture_until_wall_ns


def _camera_matches(camera: Camera, where: CameraConditions, text: str) -> bool:
    return (
        (where.push is None or camera.push is where.push)
        and (where.enabled is None or camera.enabled is where.enabled)
        and (not where.key_points or camera.key_point in where.key_points)
        and (
            not text
            or text in camera.camera_id.casefold()
            or text in camera.name.casefold()
            or text in camera.site_name.casefold()
        )
    )


def places_by_verdict(
    query: CameraQuery, ids: Sequence[str], latest: Mapping[str, PackedVerdict]
) -> tuple[list[int], CameraCursor | None]:
    """Return the places in `ids` (ascending) of a page in an order of verdicts, and where the next page begins.

    Raises ValueError for a cursor that is none of this order's.
    """
    values = _values(query.order, [latest.get(camera_id) for camera_id in ids])
    # The ids ascend: a stable sort leaves equal values in their order.
    ascending = np.argsort(values, kind="stable")
    begin, end = 0, len(ids)
    mark = query.after
    if mark is not None:
        value = int(mark.value) if query.order in _WHOLE else float(mark.value)
        smaller, equal = int(np.count_nonzero(values < value)), np.flatnonzero(values == value)
        # Behind the camera of the cursor, which may be gone or have another value by now.
        if query.descending:
            end = smaller + int(np.count_nonzero(equal < bisect_left(ids, mark.camera_id)))
        else:
            begin = smaller + int(np.count_nonzero(equal < bisect_right(ids, mark.camera_id)))
    if query.descending:
        chosen = ascending[max(begin, end - query.page_size) : end][::-1]
    else:
        chosen = ascending[begin : min(end, begin + query.page_size)]
    places = [int(place) for place in chosen]
    more = end - begin > query.page_size
    return places, CameraCursor(ids[places[-1]], repr(values[places[-1]].item())) if more else None


_WHOLE = (CameraOrder.STATE, CameraOrder.SEVERITY, CameraOrder.SINCE_TIME)
"""Orders whose values are integers."""


def _values(order: CameraOrder, packed: Sequence[PackedVerdict | None]) -> npt.NDArray[Any]:
    """Return what an order sorts by. Without a score a camera counts as better than any other."""
    if order in (CameraOrder.STATE, CameraOrder.SEVERITY):
        shapes = {id(verdict.shape): verdict.shape for verdict in packed if verdict is not None}
        if order is CameraOrder.STATE:
            unseen, rank = _UNSEEN_RANK, {number: _state_rank(shape) for number, shape in shapes.items()}
        else:
            unseen, rank = 0, {number: _rank(shape.key.severity) for number, shape in shapes.items()}
        return np.array([unseen if verdict is None else rank[id(verdict.shape)] for verdict in packed], np.int64)
    if order is CameraOrder.SINCE_TIME:
        since = (0 if verdict is None else visit_and_since(verdict.body)[1] for verdict in packed)
        return np.fromiter(since, np.int64, len(packed))
    name = order.value
    scored = (math.nan if verdict is None else score(verdict.body, name) for verdict in packed)
    values = np.fromiter(scored, np.float64, len(packed))
    values[np.isnan(values)] = -math.inf if order is CameraOrder.OCCLUSION else math.inf
    return values


def _rank(severity: Severity | None) -> int:
    return 0 if severity is None else _RANK[severity]


_UNSEEN_RANK = 1
_STATE_RANK = {State.OK: 0, State.UNKNOWN: 2, State.OFFLINE: 3, State.FAULT: 4}


def _state_rank(shape: Shape) -> int:
    return _STATE_RANK[shape.key.announced] + _rank(shape.key.severity)


def count_cameras(
    cameras: Sequence[Camera], latest: Mapping[str, PackedVerdict], digits: int
) -> tuple[list[CameraCount], CameraCount]:
    """Return the numbers of cameras by the first `digits` of their region, ordered by region; and in all."""
    packed = [latest.get(camera.camera_id) for camera in cameras]
    shapes = {id(verdict.shape): verdict.shape for verdict in packed if verdict is not None}
    counted = Counter(
        (camera.region, 0 if verdict is None else id(verdict.shape), camera.enabled)
        for camera, verdict in zip(cameras, packed, strict=True)
    )
    by_region: defaultdict[str, Counter[tuple[int, bool]]] = defaultdict(Counter)
    total: Counter[tuple[int, bool]] = Counter()
    for (region, shape_id, enabled), number in counted.items():
        by_region[region[:digits]][shape_id, enabled] += number
        total[shape_id, enabled] += number
    rows = [_count(region, by_region[region], shapes) for region in sorted(by_region)]
    return rows, _count("", total, shapes)


def _count(region: str, numbers: Mapping[tuple[int, bool], int], shapes: Mapping[int, Shape]) -> CameraCount:
    by_state: Counter[State | None] = Counter()
    by_severity: Counter[Severity | None] = Counter()
    by_kind: defaultdict[FaultKind, Counter[Severity | None]] = defaultdict(Counter)
    disabled = 0
    for (shape_id, enabled), number in numbers.items():
        shape = shapes.get(shape_id)
        disabled += 0 if enabled else number
        by_state[None if shape is None else shape.key.announced] += number
        if shape is not None and shape.key.announced is State.FAULT:
            by_severity[shape.key.severity] += number
            for kind in set(shape.key.announced_kinds):
                by_kind[kind][shape.key.severity] += number
    return CameraCount(region, sum(numbers.values()), disabled, by_state, by_severity, by_kind)
