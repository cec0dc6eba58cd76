"""What must hold after chaos. Pure: values in, one sentence for each thing that does not hold out."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.api_watchers import WatchCounts
from bench.chaos.deeds import Outcome
from bench.chaos.engine import ProcessUse
from bench.chaos.plan import Deed

RECOVERY_S = {"worker": 2.0, "feeder": 2.0, "demuxer": 2.0, "hub": 10.0, "web": 10.0}
"""Longest recovery from a process that was killed."""
FROZEN_S = 20.0
"""Longest recovery from one that was stopped: it has to be told from one that waits for a core."""
_GROWTH_MB, _GROWTH_SHARE, _GROWTH_DESCRIPTORS = 20.0, 0.15, 16
_SAMPLES_MIN = 40
_LAG_GROWTH_S = 1.0
_SLOPE_POINTS, _SLOPE_POINTS_MIN = 200, 8


@dataclass(frozen=True, slots=True)
class Sample:
    """The engine at one moment. `use`: by process. `checks_per_s`, `lag_s`: None if the metrics did not answer."""

    at_s: float
    use: Mapping[str, ProcessUse]
    checks_per_s: float | None
    lag_s: float | None


def broken(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield each fault that was not recovered from in time, or that no metric shows."""
    for outcome in outcomes:
        fault = outcome.fault
        most_s = RECOVERY_S.get(fault.role, FROZEN_S) if fault.deed is Deed.KILL else FROZEN_S
        where = f"{fault.name} at {fault.at_s:.0f} s"
        if outcome.recovery_s is None:
            yield f"{where}: not whole again after a minute"
        elif outcome.recovery_s > most_s:
            yield f"{where}: whole again after {outcome.recovery_s:.1f} s, allowed: {most_s:g} s"
        if outcome.shown is False:
            yield f"{where}: no metric shows it"


def watched(counts: WatchCounts) -> Iterator[str]:
    """Yield what watchers missed."""
    for what, count in (("lost", counts.lost), ("received twice", counts.twice), ("out of order", counts.disordered)):
        if count:
            yield f"watchers: {count} verdicts {what}"


def drained(in_flight: float | None, queued: float | None) -> Iterator[str]:
    """Yield the orders that did not end after all cameras were paused."""
    for what, count in (("visits in flight", in_flight), ("keyframes in the queue", queued)):
        if count is None:
            yield f"{what}: the metrics do not answer"
        elif count:
            yield f"{count:g} {what} after a pause of everything: orders that never end"


def forgotten(ages_s: Mapping[str, float], most_s: float) -> Iterator[str]:
    """Yield the healthy cameras whose last verdict is older than `most_s` at the end."""
    late = {camera_id: age_s for camera_id, age_s in ages_s.items() if age_s > most_s}
    if late:
        worst = max(late, key=late.__getitem__)
        yield f"{len(late)} cameras were not judged for {most_s:g} s, {worst} for {late[worst]:.0f} s"


def grown(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield the processes that use more at the end than after the first quarter."""
    if len(samples) < _SAMPLES_MIN:
        return
    early, late = (
        _medians(part) for part in (samples[len(samples) // 4 : len(samples) // 2], samples[-len(samples) // 4 :])
    )
    for name in sorted(early.keys() & late.keys()):
        before, after = early[name], late[name]
        most_mb = before.resident_mb * (1 + _GROWTH_SHARE) + _GROWTH_MB
        if after.resident_mb > most_mb:
            yield f"{name}: memory grew from {before.resident_mb:.0f} to {after.resident_mb:.0f} MB"
        if after.descriptors > before.descriptors + _GROWTH_DESCRIPTORS:
            yield f"{name}: open descriptors grew from {before.descriptors} to {after.descriptors}"


def lagging(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield a sentence if cameras are visited later at the end than after the first quarter."""
    early, late = (
        [sample.lag_s for sample in part if sample.lag_s is not None]
        for part in (samples[len(samples) // 4 : len(samples) // 2], samples[-len(samples) // 4 :])
    )
    if early and late and statistics.median(late) > statistics.median(early) + _LAG_GROWTH_S:
        yield f"lag grew from {statistics.median(early):.1f} to {statistics.median(late):.1f} s"


def median_rate(samples: Sequence[Sample]) -> float | None:
    """Return the median of checks a second; None if the metrics never answered."""
    rates = [sample.checks_per_s for sample in samples if sample.checks_per_s is not None]
    return round(statistics.median(rates), 1) if rates else None


def slopes(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """Return how memory (MB) and descriptors of each process grow an hour, over the second half (Theil-Sen, which a
    single restart does not bend)."""
    found: dict[str, dict[str, float]] = {}
    half = samples[len(samples) // 2 :: max(1, len(samples) // (2 * _SLOPE_POINTS))]
    for name in sorted({name for sample in half for name in sample.use}):
        used = [(sample.at_s, sample.use[name]) for sample in half if name in sample.use]
        if len(used) >= _SLOPE_POINTS_MIN:
            found[name] = {
                "mb": round(3600 * _slope([(at_s, use.resident_mb) for at_s, use in used]), 1),
                "descriptors": round(3600 * _slope([(at_s, use.descriptors) for at_s, use in used]), 1),
            }
    return found


def _slope(points: Sequence[tuple[float, float]]) -> float:
    pairs = combinations(points, 2)
    return statistics.median((late - early) / (until_s - from_s) for (from_s, early), (until_s, late) in pairs)


def recoveries(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """Return number, median and longest recovery in seconds by fault."""
    by_fault: defaultdict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.recovery_s is not None:
            by_fault[outcome.fault.name].append(outcome.recovery_s)
    return {
        name: {
            "times": len(taken),
            "median_s": round(statistics.median(taken), 2),
            "longest_s": round(max(taken), 2),
        }
        for name, taken in sorted(by_fault.items())
    }


def _medians(samples: Sequence[Sample]) -> dict[str, ProcessUse]:
    seen: defaultdict[str, list[ProcessUse]] = defaultdict(list)
    for sample in samples:
        for name, use in sample.use.items():
            seen[name].append(use)
    return {
        name: ProcessUse(
            statistics.median(use.resident_mb for use in uses),
            round(statistics.median(use.descriptors for use in uses)),
        )
        for name, uses in seen.items()
    }
