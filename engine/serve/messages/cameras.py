"""Converts filters and counts of cameras to messages of patrol.v1 and back. Pure."""

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration

from engine.clock import NS_PER_S
from engine.errors import InvalidArgumentError
from engine.model.registry import CameraConditions, CameraCount, CameraQuery, RegionLevel
from engine.model.verdict import FaultKind, Severity, State
from engine.serve.messages.convert import (
    key_point_number,
    key_point_of,
    kind_number,
    kind_of,
    severity_number,
    severity_of,
    state_number,
    state_of,
    timestamp,
    wall_ns_of,
)
from patrol.v1 import cameras_pb2

_LEVEL_NUMBER = {level: getattr(cameras_pb2, f"REGION_LEVEL_{level.name}") for level in RegionLevel}
_LEVEL = {number: level for level, number in _LEVEL_NUMBER.items()}


def query_of(message: cameras_pb2.CameraFilter, now_wall_ns: int) -> CameraQuery:
    """Return the query of a filter; the caller sets its page and order. Raises InvalidArgumentError for bad values."""
    state = state_of(message.state) if message.HasField("state") else None
    if message.HasField("state") and state is None:
        raise InvalidArgumentError("filter.state", f"{message.state}; allowed: 1 (ok) to 4 (offline), or absent")
    kinds = [kind_of(number) for number in message.kinds]
    if None in kinds:
        index = kinds.index(None)
        raise InvalidArgumentError(f"filter.kinds[{index}]", f"{message.kinds[index]}; allowed: 1 to {len(FaultKind)}")
    start_ns, end_ns = wall_ns_of(message.since_start_time), wall_ns_of(message.since_end_time)
    if start_ns and end_ns and end_ns <= start_ns:
        raise InvalidArgumentError("filter.since_end_time", "is not after since_start_time; give a later one")
    offline_for = message.offline_duration_min
    offline_ns = offline_for.seconds * NS_PER_S + offline_for.nanos
    where = CameraConditions(
        severity_min=severity_of(message.severity_min),
        kinds=frozenset(kind for kind in kinds if kind is not None),
        reason=message.reason,
        since_from_wall_ns=start_ns,
        since_until_wall_ns=end_ns,
        offline_since_wall_ns=max(1, now_wall_ns - offline_ns) if offline_ns else 0,
        key_points=frozenset(key_point_of(number) for number in message.key_points),
        push=message.push if message.HasField("push") else None,
        enabled=not message.disabled if message.HasField("disabled") else None,
        text=message.query.strip(),
        platform_disagrees=message.platform_disagrees,
    )
    return CameraQuery(message.region_prefix, message.site_id, state, where=where)


def filter_message(query: CameraQuery, now_wall_ns: int) -> cameras_pb2.CameraFilter:
    """Return region, canteen, state and conditions of a query as a message."""
    where = query.where
    message = cameras_pb2.CameraFilter(
        region_prefix=query.region_prefix,
        site_id=query.site_id,
        kinds=[kind_number(kind) for kind in sorted(where.kinds)],
        reason=where.reason,
        since_start_time=timestamp(where.since_from_wall_ns),
        since_end_time=timestamp(where.since_until_wall_ns),
        key_points=[key_point_number(point) for point in sorted(where.key_points)],
        query=where.text,
        platform_disagrees=where.platform_disagrees,
    )
    if where.push is not None:
        message.push = where.push
    if where.enabled is not None:
        message.disabled = not where.enabled
    if query.state is not None:
        message.state = state_number(query.state)
    if where.severity_min is not None:
        message.severity_min = severity_number(where.severity_min)
    if where.offline_since_wall_ns:
        seconds, nanos = divmod(max(1, now_wall_ns - where.offline_since_wall_ns), NS_PER_S)
        message.offline_duration_min.CopyFrom(Duration(seconds=seconds, nanos=nanos))
    return message


def level_of(number: int) -> RegionLevel:
    """Return the level of an enum number; COUNTY for UNSPECIFIED and unknown numbers."""
    return _LEVEL.get(number, RegionLevel.COUNTY)


def level_number(level: RegionLevel) -> cameras_pb2.RegionLevel:
    """Return the enum number of a level."""
    number: cameras_pb2.RegionLevel = _LEVEL_NUMBER[level]
    return number


def count_message(count: CameraCount) -> cameras_pb2.CameraCount:
    """Return the cameras of a region as a message."""
    by_state, by_severity = count.by_state, count.by_severity
    return cameras_pb2.CameraCount(
        region=count.region,
        camera_count=count.cameras,
        ok_count=by_state.get(State.OK, 0),
        fault_count=by_state.get(State.FAULT, 0),
        unknown_count=by_state.get(State.UNKNOWN, 0),
        offline_count=by_state.get(State.OFFLINE, 0),
        unseen_count=by_state.get(None, 0),
        disabled_count=count.disabled,
        blind_count=by_severity.get(Severity.BLIND, 0),
        impaired_count=by_severity.get(Severity.IMPAIRED, 0),
        cosmetic_count=by_severity.get(Severity.COSMETIC, 0),
        kinds=[_kind_count(kind, count.by_kind[kind]) for kind in FaultKind if kind in count.by_kind],
    )


def count_of(message: cameras_pb2.CameraCount) -> CameraCount:
    """Return the cameras of a region in a message."""
    by_state = {
        State.OK: message.ok_count,
        State.FAULT: message.fault_count,
        State.UNKNOWN: message.unknown_count,
        State.OFFLINE: message.offline_count,
        None: message.unseen_count,
    }
    kinds = ((kind_of(row.kind), row) for row in message.kinds)
    return CameraCount(
        message.region,
        message.camera_count,
        message.disabled_count,
        by_state,
        _by_severity(message),
        {kind: _by_severity(row) for kind, row in kinds if kind is not None},
    )


def _kind_count(kind: FaultKind, by_severity: Mapping[Severity | None, int]) -> cameras_pb2.FaultKindCount:
    return cameras_pb2.FaultKindCount(
        kind=kind_number(kind),
        camera_count=sum(by_severity.values()),
        blind_count=by_severity.get(Severity.BLIND, 0),
        impaired_count=by_severity.get(Severity.IMPAIRED, 0),
        cosmetic_count=by_severity.get(Severity.COSMETIC, 0),
    )


def _by_severity(message: cameras_pb2.CameraCount | cameras_pb2.FaultKindCount) -> dict[Severity | None, int]:
    return {
        Severity.BLIND: message.blind_count,
        Severity.IMPAIRED: message.impaired_count,
        Severity.COSMETIC: message.cosmetic_count,
    }
