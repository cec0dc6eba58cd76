"""Rehearses a configuration as a process of its own: `python -m engine.simulation.rehearsal`, started by the hub.

It reads lines of JSON from stdin: the task, then lists of cameras, then null. It writes lines of JSON to stdout: how
far it is, at last the result, or why there is none. The hub keeps stdin open: at its end nobody waits for the result.
"""

import contextlib
import gc
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S, ns
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.errors import PatrolError
from engine.model.camera import KeyPoint
from engine.model.rehearsal import Rehearsal, RehearsalClass, RehearsalPoint
from engine.runtime.memory_ceiling import MemoryCeiling
from engine.scheduler.classes import CLASSES
from engine.scheduler.events import CameraPlan
from engine.simulation.bottlenecks import bottleneck_sentence
from engine.simulation.faults import Faults
from engine.simulation.fleet import fleet_from_plans
from engine.simulation.report import Report, simulate
from engine.simulation.simulation import Scenario
from engine.simulation.world import World

POINTS_MAX = 200
_NICE = 19
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_CALLER_GONE = 1
_GARBAGE_THRESHOLD = 100_000
"""By default the garbage collector would scan a hundred thousand plans again and again, for nothing."""


def main() -> None:
    """Rehearse what stdin says."""
    os.nice(_NICE)
    with contextlib.suppress(OSError):  # where memory is short, the kernel ends this process and not the patrol
        _OOM_SCORE.write_text("1000", encoding="ascii")
    lines = sys.stdin.buffer
    task = _read(lines)
    MemoryCeiling(task["memory_bytes_max"]).enforce()
    try:
        scenario = _scenario(task, _plans(lines))
        threading.Thread(target=_end_with_caller, name="caller", daemon=True).start()
        gc.set_threshold(_GARBAGE_THRESHOLD, 50, 50)
        gc.freeze()
        minutes = max(1.0, 60 * task["hours"])
        report = simulate("rehearsal", scenario, lambda done: _tell(progress=min(1.0, done / minutes)))
        _tell(progress=1.0, result=asdict(result_of(report)))
    except PatrolError as error:
        _tell(error=str(error))
    except MemoryError:
        _tell(error="it needed more memory than a rehearsal may have; rehearse fewer hours")


def result_of(report: Report) -> Rehearsal:
    """Return what callers are told of a simulation. The revision is empty: it has only part of the settings."""
    figures, scenario = report.figures, report.scenario
    notes = [bottleneck_sentence(gate) for gate in figures["bottlenecks"]["worst"]]
    more = figures["bottlenecks"]["count"] - len(notes)
    notes += [f"and {more:,} more recorders and platforms like these"] if more else []
    notes += [] if report.due.enough else [report.due.sentence()]
    return Rehearsal(
        revision="",
        cameras=figures["cameras"],
        hours=figures["hours"],
        start_wall_ns=scenario.wall_ns,
        visits=figures["visits"],
        visits_in_flight_max=figures["connections"]["max"],
        classes=tuple(_class(figures, camera_class.label) for camera_class in CLASSES),
        timeline=tuple(
            RehearsalPoint(row.at_s / 3600, *row.lag_s_all, row.in_flight_max) for row in report.rows[:POINTS_MAX]
        ),
        broken_promises=tuple(figures["promises"]["broken"]),
        notes=tuple(notes),
        promises_held=report.promises_held,
    )


def _class(figures: Mapping[str, Any], label: str) -> RehearsalClass:
    lag = figures["lag_s"][label]
    visits, coverage = figures["visits_by_class"][label], figures["coverage"][label]
    return RehearsalClass(label, visits, coverage, lag["p50"], lag["p99"], lag["max"])


def _scenario(task: Mapping[str, Any], plans: Iterator[CameraPlan]) -> Scenario:
    settings, calendar = Settings.model_validate(task["settings"]), Calendar.model_validate(task["calendar"])
    world, seed = World(), task["seed"]
    start = world.start.replace(tzinfo=ZoneInfo(calendar.timezone))
    return Scenario(
        settings=settings,
        calendar=calendar,
        fleet=fleet_from_plans(plans, world, settings.scheduler, seed),
        world=world,
        faults=Faults(),
        cores=task["cores"],
        span_ns=ns(task["hours"] * 3600),
        seed=seed,
        wall_ns=round(start.timestamp()) * NS_PER_S,
        rows_max=POINTS_MAX - 1,
    )


def _plans(lines: BinaryIO) -> Iterator[CameraPlan]:
    """Yield the cameras that follow the task."""
    while (rows := _read(lines)) is not None:
        for row in rows:
            plan = CameraPlan(*row)
            yield plan._replace(key_point=KeyPoint(plan.key_point))


def _read(lines: BinaryIO) -> Any:
    """Return the value of the next line; end the process if there is none."""
    line = lines.readline()
    if not line:
        sys.exit(_CALLER_GONE)
    return json.loads(line)


def _end_with_caller() -> None:
    sys.stdin.buffer.read()
    os._exit(_CALLER_GONE)


def _tell(**told: Any) -> None:
    try:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(_CALLER_GONE)


if __name__ == "__main__":
    main()
