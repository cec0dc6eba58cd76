"""Runs a province beside faults and load, and says what did not hold."""

import argparse
import json
import multiprocessing
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.api_watchers import WatchCounts, watch
from bench.chaos import checks
from bench.chaos.checks import Sample
from bench.chaos.deeds import Outcome, inject
from bench.chaos.engine import Engine
from bench.chaos.load import PUSHED, Load
from bench.chaos.plan import Fault
from bench.chaos.report import plot
from bench.history import append
from engine.client import PatrolClient
from engine.clock import wall_ns
from engine.demo.county import County
from engine.model.camera import Camera
from engine.model.schedule import PauseKind, PauseScope
from engine.storage.db.store import Store

PERIOD_S = 4.0
_CAMERAS = 24
_WATCHERS = 8
_CAPACITY_S = 15.0
_CAPACITY_PUSHES_PER_S = 1500.0
"""More than two cores can check."""
_SAMPLE_S = 1.0
_DRAIN_S = 20.0
_SETTLE_S = 3.0
_FORGOTTEN_PERIODS = 6
_ORPHANS_S = 5.0
_REGION = "139901"


def options(prog: str, doc: str | None, minutes: float) -> argparse.ArgumentParser:
    """Return a parser with the options that chaos and soak share."""
    parser = argparse.ArgumentParser(prog=prog, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path, help="folder for database, log, result and plot; default: a temporary one")
    parser.add_argument("--json", action="store_true", help="one JSON object on a line")
    parser.add_argument("--record", action="store_true", help="keep the result in bench/history.jsonl")
    return parser


def report(bench: str, given: argparse.Namespace, faults: Sequence[Fault], load_share: float = 0.0) -> int:
    """Run, print, and return the exit code: 1 if anything did not hold."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the engine is stopped too
    with ExitStack() as stack:
        made = None if given.dir else stack.enter_context(tempfile.TemporaryDirectory(prefix=f"patrol-{bench}-"))
        folder = Path(given.dir or str(made)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        result = {"bench": bench, **run(folder, given.minutes, given.seed, faults, load_share)}
        (folder / "result.json").write_text(json.dumps(result, indent=2), encoding="utf-8")
    if given.record:
        append(result)
    sys.stdout.write((json.dumps(result) if given.json else json.dumps(result, indent=2)) + "\n")
    return 1 if result["broken"] else 0


def run(folder: Path, minutes: float, seed: int, faults: Sequence[Fault], load_share: float = 0.0) -> dict[str, Any]:
    """Run once. `load_share`: of the checks a second that the engine reaches beside all this, how many are pushed."""
    seconds = 60.0 * minutes
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        county = stack.enter_context(County(seed=seed, healthy=True, only=range(_CAMERAS)))
        streaming = [demo.camera for demo in county.cameras]
        engine = Engine(folder, PERIOD_S)
        _fill(engine, streaming)
        stack.enter_context(engine)
        watchers = stack.enter_context(_watchers(engine))
        ids = [camera.camera_id for camera in streaming] + list(PUSHED)
        load = Load(engine.address, f"tcp://127.0.0.1:{engine.intake_port}", ids, seed)
        load.start()
        capacity_per_s = _push_share(engine, load, load_share) if load_share else None
        sampler = _Sampler(engine)
        sampler.start()
        began_s = time.monotonic()
        for number, fault in enumerate(faults):
            time.sleep(max(0.0, began_s + fault.at_s - time.monotonic()))
            outcomes.append(inject(fault, engine, load, number))
        time.sleep(max(0.0, began_s + seconds - time.monotonic()))
        samples = sampler.stop()
        broken = [*checks.broken(outcomes), *checks.grown(samples)]
        if not faults:
            broken += checks.lagging(samples)
        broken += checks.forgotten(_ages_s(engine, streaming), _FORGOTTEN_PERIODS * PERIOD_S)
        load.stop()
        broken += [f"acknowledged, and lost: {camera_id}" for camera_id in load.acknowledged_changes_lost()]
        broken += checks.drained(*_drain(engine))
        watchers.send(_last_seq(engine))
        counts: WatchCounts = watchers.recv()
        broken += checks.watched(counts)
        pids = engine.pids()
        code = engine.stop()
        broken += [] if code == 0 else [f"the engine ended with {code}"]
        broken += _orphans(pids)
    plot(folder / "chaos.png", samples, outcomes)
    return {
        "minutes": minutes,
        "seed": seed,
        "faults": len(outcomes),
        "recovery": checks.recoveries(outcomes),
        "capacity_per_s": capacity_per_s,
        "checks_per_s": checks.median_rate(samples),
        "growth_an_hour": checks.slopes(samples),
        "watch_received": counts.received,
        "watch_cut": counts.cut,
        "pushed": load.pushed,
        "calls": load.read,
        "calls_failed": dict(load.failed),
        "changes": len(load.created) + len(load.removed),
        "broken": broken,
    }


def _push_share(engine: Engine, load: Load, share: float) -> float:
    """Measure the checks a second while keyframes are pushed as fast as they are accepted; then push `share` of it."""
    load.push_per_s = _CAPACITY_PUSHES_PER_S
    time.sleep(_CAPACITY_S / 3)
    began_s, before = time.monotonic(), engine.metrics().get("patrol_checks_total", 0.0)
    time.sleep(_CAPACITY_S)
    checks_done = engine.metrics().get("patrol_checks_total", 0.0) - before
    capacity_per_s = checks_done / (time.monotonic() - began_s)
    load.push_per_s = max(1.0, share * capacity_per_s - _CAMERAS / PERIOD_S)
    time.sleep(_CAPACITY_S / 3)
    return round(capacity_per_s, 1)


class _Sampler(threading.Thread):
    """Notes each second what the engine uses."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._stopped = threading.Event()
        self._samples: list[Sample] = []

    def run(self) -> None:
        """Sample until `stop`."""
        began_s = time.monotonic()
        before: tuple[float, float] | None = None
        while not self._stopped.wait(_SAMPLE_S):
            metrics, at_s = self._engine.metrics(), time.monotonic() - began_s
            checks_total = metrics.get("patrol_checks_total")
            rate = None
            if checks_total is not None and before is not None and checks_total >= before[1]:
                rate = (checks_total - before[1]) / (at_s - before[0])
            before = None if checks_total is None else (at_s, checks_total)
            self._samples.append(Sample(at_s, self._engine.use(), rate, metrics.get("patrol_period_lag_seconds")))

    def stop(self) -> list[Sample]:
        """Stop, and return the samples."""
        self._stopped.set()
        self.join()
        return self._samples


def _fill(engine: Engine, streaming: list[Camera]) -> None:
    store = Store.open(f"sqlite:///{engine.database}")
    pushed = [Camera(camera_id, f"rtsp://127.0.0.1:1/{camera_id}", region=_REGION, push=True) for camera_id in PUSHED]
    store.registry.upsert([*streaming, *pushed])
    store.close()


@contextmanager
def _watchers(engine: Engine) -> "Iterator[Connection[Any, Any]]":
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=watch, args=(engine.address, _WATCHERS, engine.database, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield ours
    finally:
        process.terminate()
        process.join()


def _ages_s(engine: Engine, streaming: list[Camera]) -> dict[str, float]:
    """Return the age of each healthy camera's last verdict in seconds."""
    with PatrolClient(engine.address) as client:
        latest = {status.camera.camera_id: status.latest for status in client.cameras()}
    now = wall_ns()
    found = {}
    for camera in streaming:
        verdict = latest.get(camera.camera_id)
        found[camera.camera_id] = float("inf") if verdict is None else (now - verdict.at_wall_ns) / 1e9
    return found


def _drain(engine: Engine) -> tuple[float | None, float | None]:
    """Pause everything, and return the visits and keyframes that are still there after a while."""
    with PatrolClient(engine.address) as client:
        client.pause(PauseScope(PauseKind.REGION, _REGION), "chaos ends")
    until_s = time.monotonic() + _DRAIN_S
    while True:
        metrics = engine.metrics()
        left = metrics.get("patrol_visits_in_flight"), metrics.get("patrol_intake_queue_frames")
        if all(count == 0 for count in left) or time.monotonic() > until_s:
            break
        time.sleep(_SAMPLE_S)
    time.sleep(_SETTLE_S)
    return left


def _last_seq(engine: Engine) -> int:
    store = Store.open_existing(f"sqlite:///{engine.database}")
    try:
        return store.history.last_seq()
    finally:
        store.close()


def _orphans(pids: dict[str, int]) -> list[str]:
    until_s = time.monotonic() + _ORPHANS_S
    while time.monotonic() < until_s:
        alive = [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]
        if not alive:
            return []
        time.sleep(0.1)
    return [f"{name} outlives the engine" for name in alive]
