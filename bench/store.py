"""Measures how fast the writer stores visits in a SQLite file, alone and beside a patrol on the same cores.

    python -m bench.store --json [--record] [--cameras N] [--seconds 10] [--rows N] [--dir DIR] [--data ../shared/data]

Every camera of a province has a latest verdict, a judge state and a measurement already, and the log holds `--rows`
more verdicts. Visits come in random order of cameras, each with a new verdict of forty figures, a full judge state and
a measurement, as the hub submits them.

`writes_per_s`: visits committed a second beside the patrol of bench.visits (200 live cameras, as fast as it goes);
`alone`: without it. `cpu_us_per_record`: of the whole process, including making and submitting the record, maintenance
and checkpoints. `bytes_per_row`: of the log with its index. `batch_ms_p99`: how long a transaction of 500 takes. Reads
are those of one caller: a hundred verdicts of a camera, a thousand verdicts from any position in the log, a page of a
thousand cameras of a region.
"""

import argparse
import itertools
import json
import multiprocessing
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines import good_measurement, learned
from bench.history import append
from bench.visits import CLIP, load_server, measure_live
from engine.clock import wall_ns
from engine.config.schema import RecordSettings
from engine.kernels.registry import FIGURES
from engine.model.camera import Camera
from engine.model.packed.measurement import pack_measurement
from engine.model.registry import CameraCursor, CameraQuery
from engine.model.verdict import FaultKind, State
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer

CAMERAS = 131_072
_FILL_ROWS = 2_000
_WAITING_MAX = 2_000
_PERIOD_NS = 900_000_000_000


def main() -> None:
    """Run and print."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="patrol-store-") as folder:
        result = {"bench": "store", "cameras": options.cameras, **measure(Path(folder), options)}
    if options.record:
        append(result)
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Fill a database, then write to it alone, then beside a patrol."""
    path = folder / "patrol.db"
    visits = Visits(options.cameras)
    fill_s = _fill(path, visits, options.rows)
    result: dict[str, Any] = {"rows_before": options.rows, "fill_s": round(fill_s, 1)}
    result["alone"] = _run(path, visits, options.seconds)
    clip = options.data / CLIP
    if not clip.is_file():
        result["patrol"] = f"needs {clip}; give its place with --data"
        result["writes_per_s"] = result["alone"]["writes_per_s"]
    else:
        context = multiprocessing.get_context("spawn")
        parent_end, child_end = context.Pipe()
        with load_server(options.server, clip) as url:
            process = context.Process(target=_patrol, args=(url, options.seconds, child_end))
            process.start()
            parent_end.recv()
            result["with_patrol"] = _run(path, visits, options.seconds)
            result["patrol"] = parent_end.recv()
            process.join()
        result["writes_per_s"] = result["with_patrol"]["writes_per_s"]
    result |= _reads(path, visits)
    result |= _sizes(path)
    return result


@dataclass(slots=True)
class Visits:
    """Endless visit records, like those of a province's cameras."""

    cameras: int

    def ids(self) -> list[str]:
        """Return the ids of all cameras, in order."""
        return [f"1301{number:016}" for number in range(self.cameras)]

    def records(self) -> Iterator[VisitRecord]:
        """Yield records; every camera has one before any has a second."""
        rng, noise = random.Random(1), np.random.default_rng(1)
        verdict, judge_state = learned()
        measurement, packed_state = pack_measurement(good_measurement(1, grey=False)), judge_state.to_bytes()
        names = list(dict.fromkeys([*verdict.figures, *(figure.name for figure in FIGURES)]))
        kinds: Sequence[tuple[FaultKind, ...]] = ((), (), (), (), (FaultKind.BLURRED,), (FaultKind.COVERED,))
        ids = self.ids()
        for number in itertools.count():
            if number % len(ids) == 0:
                rng.shuffle(ids)
            chosen = rng.choice(kinds)
            figures = dict(zip(names, noise.random(len(names)).tolist(), strict=True))
            varied = replace(
                verdict, camera_id=ids[number % len(ids)], visit_id=number + 1, at_wall_ns=wall_ns(), figures=figures,
                kinds=chosen, state=State.FAULT if chosen else State.OK,
            )  # fmt: skip
            yield VisitRecord(varied, packed_state, rng.random() < 0.01, measurement, True)


def _fill(path: Path, visits: Visits, rows: int) -> float:
    began_s = time.perf_counter()
    store = Store.open(f"sqlite:///{path}")
    store.registry.upsert(
        Camera(camera_id, f"rtsp://h/{camera_id}", region=f"13{int(camera_id[-4:]) % 11:02}01")
        for camera_id in visits.ids()
    )
    records = visits.records()
    if rows:
        _fill_log(path, store, records, rows)
    for begin in range(0, visits.cameras, _FILL_ROWS):
        store.write(list(itertools.islice(records, min(_FILL_ROWS, visits.cameras - begin))))
    store.close()
    return time.perf_counter() - began_s


def _fill_log(path: Path, store: Store, records: Iterator[VisitRecord], rows: int) -> None:
    """Insert older rows into the log directly: one visit per camera every 15 minutes, all with the same body."""
    (first,) = store.write([next(records)])
    with sqlite3.connect(path, isolation_level=None) as connection:
        query = "SELECT shape_no, body FROM verdict_log WHERE seq = ?"
        (shape_no, body), cameras = connection.execute(query, (first.seq,)).fetchone(), CAMERAS
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-400000")
        connection.execute("DROP INDEX verdict_log_by_camera")
        began_ns = wall_ns() - rows // cameras * _PERIOD_NS
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO verdict_log VALUES (?, ?, ?, 0, ?, ?)",
            (
                (seq, 1 + seq * 40_503 % cameras, began_ns + seq * _PERIOD_NS // cameras, shape_no, body)
                for seq in range(2, rows + 2)
            ),
        )
        connection.execute("COMMIT")
        connection.execute("CREATE INDEX verdict_log_by_camera ON verdict_log (camera_no, seq)")
        connection.execute("INSERT OR REPLACE INTO patrol_about VALUES ('rolled_seq', ?)", (str(rows + 1),))


def _run(path: Path, visits: Visits, seconds: float) -> dict[str, Any]:
    store = Store.open(f"sqlite:///{path}")
    store.acquire_writer_lock()
    batches_s: list[float] = []
    settings = RecordSettings()
    writer = Writer(
        store, EvidenceStore(path.parent / "evidence", 10**9), settings, on_batch=batches_s.append,
        maintain=lambda record: store.maintenance.step(record, wall_ns(), UTC),
    )  # fmt: skip
    writer.start(lambda _: None)
    records, before = visits.records(), store.history.last_seq()
    cpu_s, began_s = time.process_time(), time.monotonic()
    number = 0
    while time.monotonic() - began_s < seconds:
        if writer.waiting[0] >= _WAITING_MAX:
            time.sleep(0.001)
            continue
        writer.submit(next(records), None)
        number += 1
    writer.flush(60)
    ended_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    written, dropped = writer.drain_counts()
    writer.close()
    if written != number or dropped or store.history.last_seq() - before != number:
        raise AssertionError(f"{number} submitted, {written} written, dropped {dropped}")
    store.close()
    cuts = statistics.quantiles(batches_s, n=100)
    return {
        "writes_per_s": round(number / ended_s, 1),
        "cpu_us_per_record": round(1e6 * cpu_s / number, 1),
        "batch_ms_p50": round(1e3 * cuts[49], 1),
        "batch_ms_p99": round(1e3 * cuts[98], 1),
        "batch_ms_max": round(1e3 * max(batches_s), 1),
    }


def _patrol(url: str, seconds: float, pipe: Any) -> None:
    """Run the whole engine on live cameras for a little longer than the writer is measured."""
    pipe.send("begun")
    pipe.send(measure_live(url, seconds + 2))


def _reads(path: Path, visits: Visits) -> dict[str, Any]:
    """Measure reads of one caller with nothing else running."""
    rng, ids = random.Random(2), visits.ids()
    began_s = time.perf_counter()
    store = Store.open(f"sqlite:///{path}")
    store.history.last_seq()
    opened_s = time.perf_counter() - began_s
    calls: dict[str, tuple[int, Callable[[], Any]]] = {
        "history_ms": (300, lambda: store.history.of_camera(rng.choice(ids), limit=100)),
        "resume_ms": (30, lambda: store.history.after(rng.randrange(store.history.last_seq()), 1000)),
        "page_ms": (
            15,
            lambda: store.registry.page(
                CameraQuery(f"13{rng.randrange(11):02}", page_size=1000, after=CameraCursor(rng.choice(ids)))
            ),
        ),
    }  # fmt: skip
    result: dict[str, Any] = {"open_s": round(opened_s, 3)}
    for name, (times, call) in calls.items():
        taken_ms: list[float] = []
        for _ in range(times):
            began_s = time.perf_counter()
            call()
            taken_ms.append(1e3 * (time.perf_counter() - began_s))
        cuts = statistics.quantiles(taken_ms, n=100, method="inclusive")
        result |= {f"{name}_p50": round(cuts[49], 2), f"{name}_p99": round(cuts[98], 2)}
    store.close()
    return result


def _sizes(path: Path) -> dict[str, Any]:
    with sqlite3.connect(path) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM verdict_log").fetchone()
        sizes = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
        (body,) = connection.execute("SELECT avg(length(body)) FROM verdict_log").fetchone()
    log, index = sizes["verdict_log"], sizes["verdict_log_by_camera"]
    return {
        "bytes_per_row": round((log + index) / rows, 1),
        "bytes_per_row_index": round(index / rows, 1),
        "body_bytes": round(body, 1),
        "rows": rows,
        "file_mb": round(path.stat().st_size / 1e6, 1),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="keep the result in bench/history.jsonl")
    parser.add_argument("--cameras", type=int, default=CAMERAS)
    parser.add_argument("--rows", type=int, default=0, help="verdicts that the log holds before")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--dir", type=Path, help="where the database is made; default: the system's own place")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--server", type=Path, default=Path("../shared/tools/rtsp_replay.py"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
