"""Checks whether caps and machine can carry the periods of a fleet, and shows the arithmetic. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.config.schema import SchedulerSettings, Settings

VISIT_S = 3.0
"""Mean duration of a visit: connecting, and half a keyframe interval of 5 s (1 to 10 s are usual in the field)."""
WORKER_CPU_S = 0.0072
"""CPU time of decoding and scoring a 1080p H.264 keyframe of 2 Mbit/s, measured by bench.end_to_end."""
CHECK_CPU_S = 0.0090
"""CPU time of one check of such a camera: the worker's, 1.1 ms for the visit (bench.visits), 0.6 ms in the hub."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Load:
    """Number of cameras to be visited, by their period."""

    key_points: int = 0
    ordinary: int = 0

    @property
    def cameras(self) -> int:
        """All cameras."""
        return self.key_points + self.ordinary


@dataclass(frozen=True, slots=True)
class CameraGroups:
    """The cameras of each recorder or platform. `key_points`, `ordinary`: numbers of cameras, one per name."""

    names: Sequence[str]
    key_points: Counts
    ordinary: Counts

    def load(self, index: int) -> Load:
        """Return the cameras of one recorder or platform."""
        return Load(int(self.key_points[index]), int(self.ordinary[index]))


@dataclass(frozen=True, slots=True)
class Fleet:
    """The cameras to be visited.

    `demuxed`: those of `cameras` that are not RTSP and are visited through FFmpeg. `uplinks`, `hosts`: cameras by
    recorder and by platform; None if not known.
    """

    cameras: Load
    demuxed: Load = Load()
    uplinks: CameraGroups | None = None
    hosts: CameraGroups | None = None


def capacity_shortfalls(settings: Settings, fleet: Fleet, cores: int) -> Iterator[str]:
    """Yield one sentence for each limit that makes full coverage impossible while all kitchens work.

    `cores`: of this machine.
    """
    scheduler = settings.scheduler
    load = fleet.cameras
    if not load.cameras:
        return
    rate = _per_s(load, scheduler)
    remedy = "raise the cap, or lengthen the periods"
    if rate * VISIT_S > scheduler.visits_max:
        yield f"{_in_flight_text(load, scheduler)}, scheduler.visits_max is {scheduler.visits_max:,}; {remedy}"
    queue = settings.intake.queue_frames_max
    if rate * VISIT_S > queue // 2:
        yield (
            f"{_in_flight_text(load, scheduler)}, intake.queue_frames_max is {queue:,}, and half of it "
            f"({queue // 2:,}) bounds them; raise it, or lengthen the periods"
        )
    if rate > scheduler.starts_per_s_max:
        yield (
            f"{_rate_text(load, scheduler)} = {_round_up(rate)} visits a second, scheduler.starts_per_s_max is "
            f"{scheduler.starts_per_s_max:,g}; {remedy}"
        )
    yield from _feeders(settings, fleet)
    if fleet.uplinks is not None:
        caps = np.full(len(fleet.uplinks.names), scheduler.visits_per_uplink_max)
        yield from _over_cap("recorder", "visits_per_uplink_max", fleet.uplinks, caps, scheduler)
    if fleet.hosts is not None:
        yield from _hosts(fleet.hosts, scheduler)
    yield from _cores(settings, load, cores)


def _feeders(settings: Settings, fleet: Fleet) -> Iterator[str]:
    scheduler, feed = settings.scheduler, settings.feed
    load, demuxed = fleet.cameras, fleet.demuxed
    rtsp = Load(load.key_points - demuxed.key_points, load.ordinary - demuxed.ordinary)
    capacity = feed.feeders * feed.visits_per_feeder_max
    if _per_s(rtsp, scheduler) * VISIT_S > capacity:
        yield (
            f"{_in_flight_text(rtsp, scheduler)}, {feed.feeders} feeders x {feed.visits_per_feeder_max:,} "
            f"(feed.visits_per_feeder_max) carry {capacity:,}; add feeders"
        )
    capacity = feed.demuxers * feed.demux_threads
    if demuxed.cameras and not feed.demuxers:
        yield f"{demuxed.cameras:,} cameras are not RTSP, and feed.demuxers is 0: nobody visits them; add demuxers"
    elif _per_s(demuxed, scheduler) * VISIT_S > capacity:
        yield (
            f"not RTSP: {_in_flight_text(demuxed, scheduler)}, {feed.demuxers} demuxers x {feed.demux_threads} "
            f"(feed.demux_threads) carry {capacity:,}; add demuxers"
        )


def _hosts(hosts: CameraGroups, scheduler: SchedulerSettings) -> Iterator[str]:
    caps = np.full(len(hosts.names), scheduler.visits_per_host_max)
    if scheduler.host_visits_max:
        for index, name in enumerate(hosts.names):
            caps[index] = scheduler.host_visits_max.get(name, caps[index])
    yield from _over_cap("platform", "visits_per_host_max", hosts, caps, scheduler)
    rates = _rates(hosts, scheduler)
    exceeded = np.flatnonzero(rates > scheduler.host_starts_per_s_max)
    if exceeded.size:
        worst = int(exceeded[np.argmax(rates[exceeded])])
        yield (
            f"platform {hosts.names[worst]}: {_rate_text(hosts.load(worst), scheduler)} = {_round_up(rates[worst])} "
            f"connections a second, scheduler.host_starts_per_s_max is {scheduler.host_starts_per_s_max:,g}"
            f"{_others_text(exceeded.size - 1, 'platform')}; raise the cap, or lengthen the periods"
        )


def _over_cap(kind: str, key: str, groups: CameraGroups, caps: Counts, scheduler: SchedulerSettings) -> Iterator[str]:
    """Yield a sentence about the recorder or platform that exceeds its cap most, with the number of others that do."""
    loads = _rates(groups, scheduler) * VISIT_S / caps
    exceeded = np.flatnonzero(loads > 1)
    if not exceeded.size:
        return
    worst = int(exceeded[np.argmax(loads[exceeded])])
    name = groups.names[worst]
    if kind == "platform" and name in scheduler.host_visits_max:
        key = f"host_visits_max.{name!r}"
    yield (
        f"{kind} {name}: {_in_flight_text(groups.load(worst), scheduler)}, scheduler.{key} is {caps[worst]:,}"
        f"{_others_text(exceeded.size - 1, kind)}; raise the cap, or lengthen the periods"
    )


def _cores(settings: Settings, load: Load, cores: int) -> Iterator[str]:
    rate, text = _per_s(load, settings.scheduler), _rate_text(load, settings.scheduler, group=True)
    remedy = "or lengthen the periods (they are stretched otherwise)"
    if rate * CHECK_CPU_S > cores:
        needed = _round_up(rate * CHECK_CPU_S)
        yield f"{text} x {1000 * CHECK_CPU_S:g} ms = {needed} cores, there are {cores}; add cores, {remedy}"
    workers = settings.worker.count
    if workers and rate * WORKER_CPU_S > workers:
        needed = _round_up(rate * WORKER_CPU_S)
        yield (
            f"{text} x {1000 * WORKER_CPU_S:g} ms = {needed} workers, worker.count is {workers}; add workers, {remedy}"
        )


def _per_s(load: Load, scheduler: SchedulerSettings) -> float:
    return load.key_points / scheduler.key_period_s + load.ordinary / scheduler.ordinary_period_s


def _rates(groups: CameraGroups, scheduler: SchedulerSettings) -> npt.NDArray[np.float64]:
    rates: npt.NDArray[np.float64] = (
        groups.key_points / scheduler.key_period_s + groups.ordinary / scheduler.ordinary_period_s
    )
    return rates


def _in_flight_text(load: Load, scheduler: SchedulerSettings) -> str:
    """Return how many visits are in flight at once, with the arithmetic."""
    visits = _round_up(_per_s(load, scheduler) * VISIT_S)
    if _one_period(load, scheduler):
        period_s = scheduler.key_period_s if load.key_points else scheduler.ordinary_period_s
        return f"{load.cameras:,} cameras x {VISIT_S:g} s / {period_s:,g} s = {visits} visits in flight"
    return f"{_rate_text(load, scheduler, group=True)} x {VISIT_S:g} s = {visits} visits in flight"


def _rate_text(load: Load, scheduler: SchedulerSettings, *, group: bool = False) -> str:
    """Return the visits per second as cameras / period. `group`: in brackets if it is a sum."""
    if _one_period(load, scheduler):
        period_s = scheduler.key_period_s if load.key_points else scheduler.ordinary_period_s
        return f"{load.cameras:,} cameras / {period_s:,g} s"
    text = (
        f"{load.key_points:,} key points / {scheduler.key_period_s:,g} s + {load.ordinary:,} others / "
        f"{scheduler.ordinary_period_s:,g} s"
    )
    return f"({text})" if group else text


def _one_period(load: Load, scheduler: SchedulerSettings) -> bool:
    return not load.key_points or not load.ordinary or scheduler.key_period_s == scheduler.ordinary_period_s


def _others_text(number: int, kind: str) -> str:
    return f" ({number:,} more {kind}{'s' if number > 1 else ''} like it)" if number else ""


def _round_up(value: float) -> str:
    """Return the value rounded up, whole from 100 on, else to a tenth, so that what exceeds a cap reads as above it."""
    if value >= 100:
        return f"{math.ceil(round(value, 6)):,}"
    return f"{math.ceil(round(10 * value, 6)) / 10:g}"
