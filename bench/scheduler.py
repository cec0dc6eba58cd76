"""Measures the cost of one event and the memory of one camera in the scheduler, from a county to a nation.

    python -m bench.scheduler --json [--sizes 1000,16384,131072,1000000] [--events 60000] [--rounds 5] [--record]

A world in virtual time answers the visits of each size (one in twenty fails); an event is one call of `handle` and one
of `next_wakeup_ns`, as the hub makes them. Sizes take turns, round by round, so that another load on the machine slows
all of them; figures are medians of the rounds. Every camera has been visited once before the first round. Bytes are
those that Python allocated for a scheduler (tracemalloc), ids included, in a separate one, right after a reload.
"""

import argparse
import gc
import json
import math
import statistics
import time
import tracemalloc
from heapq import heappop, heappush
from random import Random
from typing import Any

from bench.history import append
from engine.clock import NS_PER_S
from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import KeyPoint
from engine.model.verdict import State
from engine.model.visit import FailureReason
from engine.scheduler.core import Scheduler
from engine.scheduler.events import (
    Action,
    CameraPlan,
    CamerasUpserted,
    Event,
    Judged,
    SettingsChanged,
    StartVisit,
    Tick,
    VisitEnded,
)

SIZES = (1_000, 16_384, 131_072, 1_000_000)
_CHUNK = 4096
_CAMERAS_PER_CANTEEN, _CAMERAS_PER_RECORDER, _CAMERAS_PER_COUNTY, _CAMERAS_PER_PLATFORM = 8, 3, 771, 3855
_FAILED_SHARE = 0.05
_VERDICT = 1
_KEY_POINTS = tuple(KeyPoint)
_TICK = Tick()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--events", type=int, default=60_000, help="events of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    arguments = parser.parse_args()
    result = run([int(size) for size in arguments.sizes.split(",")], arguments.events, arguments.rounds)
    if arguments.record:
        append({"bench": "scheduler", **result})
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


def run(sizes: list[int], events: int, rounds: int) -> dict[str, Any]:
    """Measure all sizes. `growth`: of the median event cost from the first size to the last; `log_growth`: of log n."""
    _bytes_per_camera(_CHUNK)  # loads time zones and the like, which are no cost of a camera
    sizes_bytes = {size: _bytes_per_camera(size) for size in sizes}
    patrols = [Patrol(size) for size in sizes]
    for patrol in patrols:
        patrol.visit_all()
    gc.collect()
    gc.freeze()  # the collector need not walk what lives for the whole run
    samples: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for patrol in patrols:
            samples[patrol.cameras].append(patrol.measure(events))
    figures = [
        {
            "cameras": size,
            "event_us_p50": round(statistics.median(sample[0] for sample in samples[size]), 2),
            "event_us_p99": round(statistics.median(sample[1] for sample in samples[size]), 2),
            "bytes_per_camera": round(sizes_bytes[size], 1),
        }
        for size in sizes
    ]
    return {
        "sizes": figures,
        "growth": round(figures[-1]["event_us_p50"] / figures[0]["event_us_p50"], 3),
        "log_growth": round(math.log(sizes[-1]) / math.log(sizes[0]), 3),
        "events": events,
        "rounds": rounds,
    }


class Patrol:
    """One scheduler and a world that answers it."""

    def __init__(self, cameras: int) -> None:
        self.cameras = cameras
        self._random = Random(cameras)
        self._scheduler = _scheduler(cameras)
        self._now_ns = 0
        self._answers: list[tuple[int, int, str, int]] = []  # a heap of when, visit or 0, camera, what

    def visit_all(self) -> None:
        """Run until each camera has been visited once."""
        while self._scheduler.statistics.started < self.cameras:
            self._step()

    def measure(self, events: int) -> tuple[float, float]:
        """Return median and 99th percentile of the cost of `events` events, in microseconds."""
        costs = sorted(self._step() for _ in range(events))
        return costs[events // 2] / 1000, costs[int(0.99 * events)] / 1000

    def _step(self) -> int:
        """Handle one event; return its cost in nanoseconds."""
        wakeup_ns = self._scheduler.next_wakeup_ns()
        event: Event = _TICK
        if self._answers and (wakeup_ns is None or self._answers[0][0] <= wakeup_ns):
            self._now_ns, visit_id, camera_id, what = heappop(self._answers)
            if what == _VERDICT:
                event = Judged(camera_id, State.OK, State.OK)
            else:
                failed = self._random.random() < _FAILED_SHARE
                event = VisitEnded(visit_id, FailureReason.TIMEOUT_KEYFRAME if failed else None)
                if not failed:
                    heappush(self._answers, (self._now_ns + NS_PER_S // 50, 0, camera_id, _VERDICT))
        elif wakeup_ns is not None:
            self._now_ns = max(self._now_ns, wakeup_ns)
        began_ns = time.perf_counter_ns()
        actions = self._scheduler.handle(event, self._now_ns)
        self._scheduler.next_wakeup_ns()
        spent_ns = time.perf_counter_ns() - began_ns
        self._start_visits(actions)
        return spent_ns

    def _start_visits(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, StartVisit):
                ends_ns = self._now_ns + round(self._random.uniform(0.2, 5.8) * NS_PER_S)
                heappush(self._answers, (ends_ns, action.visit_id, action.camera_id, 0))


def _scheduler(cameras: int) -> Scheduler:
    """Return a scheduler filled in chunks, so that filling leaves no other garbage."""
    settings = SchedulerSettings(visits_max=100_000, visits_per_host_max=100_000, starts_per_s_max=10_000)
    scheduler = Scheduler(settings)
    for begin in range(0, cameras, _CHUNK):
        scheduler.handle(CamerasUpserted([_plan(number) for number in range(begin, min(begin + _CHUNK, cameras))]), 0)
    return scheduler


def _plan(number: int) -> CameraPlan:
    county = f"{130_101 + number // _CAMERAS_PER_COUNTY}"
    return CameraPlan(
        camera_id=f"{county}0011132{number:07d}",
        uplink=f"recorder-{number // _CAMERAS_PER_RECORDER}",
        host=f"platform-{number // _CAMERAS_PER_PLATFORM}",
        county=county,
        site_id=f"canteen-{number // _CAMERAS_PER_CANTEEN}",
        hours="05:00-20:00" if number % 3 else "",
        key_point=_KEY_POINTS[number % len(_KEY_POINTS)],
    )


def _bytes_per_camera(cameras: int) -> float:
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    scheduler = _scheduler(cameras)
    scheduler.handle(SettingsChanged(scheduler.settings, Calendar()), NS_PER_S)  # reschedules all: the worst case
    gc.collect()
    per_camera = (tracemalloc.get_traced_memory()[0] - before) / cameras
    tracemalloc.stop()
    del scheduler
    return per_camera


if __name__ == "__main__":
    main()
