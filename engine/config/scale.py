"""Whether caps and machine can carry the periods for so many cameras, with the arithmetic said. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.schema import Settings

VISIT_S = 3.0
"""A visit's mean duration: connecting, and half a keyframe interval of 5 s (fields of 1 to 10 s are usual)."""
CHECK_CPU_S = 0.0090
"""CPU of one check of a 1080p H.264 camera at 2 Mbit/s: 7.2 ms in bench.end_to_end, 1.1 ms visit, 0.6 ms hub."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Cameras to be visited. `uplink`, `host`: the largest, with its cameras."""

    key_points: int
    ordinary: int
    uplink: tuple[str, int] = ("", 0)
    host: tuple[str, int] = ("", 0)

    @property
    def cameras(self) -> int:
        """All of them."""
        return self.key_points + self.ordinary


def cannot_keep(settings: Settings, fleet: Fleet, cores: int) -> Iterator[str]:
    """One sentence for each bound that makes full coverage impossible."""
    scheduler = settings.scheduler
    if not fleet.cameras:
        return
    rate = fleet.key_points / scheduler.key_period_s + fleet.ordinary / scheduler.ordinary_period_s
    period_s = fleet.cameras / rate
    text = f"{fleet.cameras:,} cameras"
    remedy = "raise the cap, or lengthen the periods"
    wanted = rate * VISIT_S
    if wanted > scheduler.visits_max:
        yield (
            f"{text} x {VISIT_S:g} s / {period_s:g} s = {wanted:,.0f} visits in flight, scheduler.visits_max is "
            f"{scheduler.visits_max:,}; {remedy}"
        )
    if rate > scheduler.starts_per_s_max:
        yield (
            f"{text} / {period_s:g} s = {rate:,.0f} visits a second, scheduler.starts_per_s_max is "
            f"{scheduler.starts_per_s_max:g}; {remedy}"
        )
    feeders, each = settings.feed.feeders, settings.feed.visits_per_feeder_max
    if wanted > feeders * each:
        yield (
            f"{text} x {VISIT_S:g} s / {period_s:g} s = {wanted:,.0f} visits in flight, {feeders} feeders x {each:,} "
            f"(feed.visits_per_feeder_max) carry {feeders * each:,}; add feeders"
        )
    yield from _gate("recorder", fleet.uplink, scheduler.visits_per_uplink_max, "visits_per_uplink_max", period_s)
    name, count = fleet.host
    cap = scheduler.host_visits_max.get(name, scheduler.visits_per_host_max)
    yield from _gate("platform", fleet.host, cap, "visits_per_host_max", period_s)
    if count / period_s > scheduler.host_starts_per_s_max:
        yield (
            f"platform {name}: {count:,} cameras / {period_s:g} s = {count / period_s:.1f} connections a second, "
            f"scheduler.host_starts_per_s_max is {scheduler.host_starts_per_s_max:g}; {remedy}"
        )
    needed = rate * CHECK_CPU_S
    if needed > cores:
        yield (
            f"{text} / {period_s:g} s x {1000 * CHECK_CPU_S:g} ms = {needed:.1f} cores, this machine has {cores}; "
            "add cores, or lengthen the periods (they are stretched otherwise)"
        )


def _gate(kind: str, largest: tuple[str, int], cap: int, key: str, period_s: float) -> Iterator[str]:
    name, count = largest
    if count * VISIT_S / period_s > cap:
        yield (
            f"{kind} {name}: {count:,} cameras x {VISIT_S:g} s / {period_s:g} s = {count * VISIT_S / period_s:.1f} "
            f"visits in flight, scheduler.{key} is {cap}; raise the cap, or lengthen the periods"
        )
