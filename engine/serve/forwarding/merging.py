"""Puts the replies of several shards together, as one engine would have answered. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.empty_pb2 import Empty as Empty
from google.protobuf.message import Message

from engine.serve.services.cameras import PROBLEMS_MAX
from patrol.v1 import cameras_pb2, findings_pb2, pictures_pb2, scheduler_pb2

_LISTED_MAX = 20
"""Counties with the longest lag, and platforms, that a status names."""


@dataclass(frozen=True, slots=True)
class Part:
    """The reply of one shard. `indexes`: the positions of its items in the whole request."""

    indexes: Sequence[int]
    reply: Any


def counted(field: str) -> Callable[[Any, Sequence[Part]], Message]:
    """Return what adds `field` of replies up, and lists their `missing` in the order of the request's `names`."""

    def merge(request: Any, parts: Sequence[Part]) -> Message:
        missing = {name for part in parts for name in part.reply.missing}
        whole: Message = type(parts[0].reply)(
            **{field: sum(getattr(part.reply, field) for part in parts)},
            missing=[name for name in request.names if name in missing],
        )
        return whole

    return merge


def thumbnails(request: Any, parts: Sequence[Part]) -> Message:
    """Return all thumbnails in the order of the request."""
    del request
    return pictures_pb2.BatchGetThumbnailsResponse(results=_in_order(parts, "results"))


def results(request: Any, parts: Sequence[Part]) -> Message:
    """Return what became of each finding, in the order of the request."""
    del request
    whole: Message = type(parts[0].reply)(
        results=_in_order(parts, "results"), succeeded=sum(part.reply.succeeded for part in parts)
    )
    return whole


def viewers(request: Any, parts: Sequence[Part]) -> Message:
    """Return the viewers of each finding that has some, in the order of the request."""
    by_name = {found.name: found for part in parts for found in part.reply.findings}
    return findings_pb2.ListViewersResponse(findings=[by_name[name] for name in request.names if name in by_name])


def imports(parts: Sequence[Part]) -> cameras_pb2.ImportCamerasResponse:
    """Return the report on all rows of an import."""
    problems = []
    for part in parts:
        for problem in part.reply.problems:
            whole = cameras_pb2.RowProblem()
            whole.CopyFrom(problem)
            whole.index = part.indexes[problem.index]
            problems.append(whole)
    problems.sort(key=lambda problem: problem.index)
    return cameras_pb2.ImportCamerasResponse(
        added=sum(part.reply.added for part in parts),
        changed=sum(part.reply.changed for part in parts),
        unchanged=sum(part.reply.unchanged for part in parts),
        problems=problems[:PROBLEMS_MAX],
        problems_total=sum(part.reply.problems_total for part in parts),
    )


def pauses(request: Any, parts: Sequence[Part]) -> Message:
    """Return the pause, with the cameras that it concerns in all shards."""
    del request
    whole = scheduler_pb2.Pause()
    whole.CopyFrom(parts[0].reply)
    whole.cameras = sum(part.reply.cameras for part in parts)
    return whole


def schedules(request: Any, parts: Sequence[Part]) -> Message:
    """Return the state of the scheduler: numbers of all shards together, lags of the worst.

    A platform that several shards visit, each with its share of the cap, is one platform. Periods are the same in all
    shards. A median over shards is not known: the 50th percentile is the mean, weighted by cameras.
    """
    del request
    rows = [part.reply for part in parts]
    whole = scheduler_pb2.SchedulerStatus()
    for field in _SUMS:
        setattr(whole, field, sum(getattr(row, field) for row in rows))
    # Of a shard whose capacity was always enough only what it needs is known.
    if any(row.capacity_per_s for row in rows):
        whole.capacity_per_s = sum(row.capacity_per_s or row.demand_per_s for row in rows)
    whole.lag_s_max = max(row.lag_s_max for row in rows)
    lags: dict[str, float] = {}
    for row in rows:
        for county, lag_s in row.county_lags.items():
            lags[county] = max(lag_s, lags.get(county, 0.0))
        for key, share in row.shed.items():
            whole.shed[key] += share
        for key, number in row.failing.items():
            whole.failing[key] += number
    for county, lag_s in sorted(lags.items(), key=lambda item: -item[1])[:_LISTED_MAX]:
        whole.county_lags[county] = lag_s
    whole.outages.extend(sorted({name for row in rows for name in row.outages}))
    whole.classes.extend(_classes(rows))
    whole.busy_hosts.extend(_hosts(rows))
    whole.pauses.extend(_pauses(rows))
    return whole


_SUMS = (
    "cameras", "in_flight", "visits_allowed", "ready", "waiting_uplink", "waiting_host", "started_total", "ended_total",
    "expired_total", "presumed_total", "demand_per_s", "visits_max", "starts_per_s",
    "starts_per_s_max", "uplinks", "uplinks_busy", "hosts",
)  # fmt: skip


def _classes(rows: Sequence[Any]) -> list[scheduler_pb2.ClassStatus]:
    by_name: dict[str, list[Any]] = {}
    for row in rows:
        for status in row.classes:
            by_name.setdefault(status.name, []).append(status)
    return [_class(name, statuses) for name, statuses in by_name.items()]


def _class(name: str, statuses: Sequence[Any]) -> scheduler_pb2.ClassStatus:
    cameras = sum(status.cameras for status in statuses)
    due = sum(status.periods_due for status in statuses)

    def mean(field: str, weight: str) -> float:
        total = sum(getattr(status, weight) for status in statuses)
        weighted = sum(getattr(status, field) * getattr(status, weight) for status in statuses)
        return float(weighted / total) if total else float(getattr(statuses[0], field))

    return scheduler_pb2.ClassStatus(
        name=name,
        cameras=cameras,
        period_s=statuses[0].period_s,
        stretch=max(status.stretch for status in statuses),
        achieved_period_s=mean("achieved_period_s", "cameras"),
        looks_total=sum(status.looks_total for status in statuses),
        coverage=mean("coverage", "periods_due") if due else 1.0,
        lag_p50_s=mean("lag_p50_s", "cameras"),
        lag_p99_s=max(status.lag_p99_s for status in statuses),
        periods_due=due,
    )


def _hosts(rows: Sequence[Any]) -> list[scheduler_pb2.HostStatus]:
    hosts: dict[str, scheduler_pb2.HostStatus] = {}
    for row in rows:
        for host in row.busy_hosts:
            whole = hosts.setdefault(host.name, scheduler_pb2.HostStatus(name=host.name))
            whole.in_flight += host.in_flight
            whole.cap += host.cap
            whole.waiting += host.waiting
            whole.out |= host.out
    return sorted(hosts.values(), key=lambda host: (-host.waiting, -host.in_flight, host.name))[:_LISTED_MAX]


def _pauses(rows: Sequence[Any]) -> list[scheduler_pb2.Pause]:
    """Return each pause once, with the cameras of all shards."""
    found: dict[bytes, scheduler_pb2.Pause] = {}
    for row in rows:
        for pause in row.pauses:
            whole = found.setdefault(pause.scope.SerializeToString(deterministic=True), scheduler_pb2.Pause())
            cameras = whole.cameras + pause.cameras
            whole.CopyFrom(pause)
            whole.cameras = cameras
    return list(found.values())


def _in_order(parts: Sequence[Part], field: str) -> list[Any]:
    placed = [pair for part in parts for pair in zip(part.indexes, getattr(part.reply, field), strict=True)]
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]
