"""How fast the writer puts visits into a SQLite file, by itself and with a patrol running on the same cores.

    python -m bench.store --json [--record] [--cameras N] [--seconds 10] [--rows N] [--dir DIR] [--data ../shared/data]

Every camera of a province has a latest verdict, a memory and a measurement already (and the log holds `--rows` more
verdicts, if they are asked for); visits come in no order of cameras, each with a new verdict of forty figures, a full
memory and a measurement, as the hub submits them. `writes_per_s`: visits committed a second, with the patrol of
bench.visits (200 live cameras, as fast as it goes) beside; `alone`: without. `cpu_us_per_record`: of the whole
process, making and submitting the record, upkeep and checkpoints included. `bytes_per_row`: of the log with its index.
`batch_ms_p99`: how long a transaction of 500 takes. Reads are those of one caller: a camera, a hundred of its
verdicts, a thousand verdicts from any place in the log, a page of a thousand cameras of a region.
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

from bench.baselines import learned, seen
from bench.history import append
from bench.visits import CLIP, live, load_server
from engine.clock import wall_ns
from engine.config.schema import RecordSettings
from engine.kernels.registry import FIGURES
from engine.model.camera import Camera
from engine.model.registry import CameraCursor, CameraQuery
from engine.model.verdict import FaultKind, State
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer
from engine.worker.wire import pack_measurement

CAMERAS = 131_072
_FILL_ROWS = 2_000
_WAITING_MAX = 2_000
_PERIOD_NS = 900_000_000_000


def main() -> None:
    """Measure and print."""
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
        ours, theirs = context.Pipe()
        with load_server(options.server, clip) as url:
            process = context.Process(target=_patrol, args=(url, options.seconds, theirs))
            process.start()
            ours.recv()
            result["with_patrol"] = _run(path, visits, options.seconds)
            result["patrol"] = ours.recv()
            process.join()
        result["writes_per_s"] = result["with_patrol"]["writes_per_s"]
    result |= _reads(path, visits)
    result |= _sizes(path)
    return result


@dataclass(slots=True)
class Visits:
    """Records without end, as a province's cameras give them."""

    cameras: int

    def ids(self) -> list[str]:
        """Of all cameras, in order."""
        return [f"1301{number:016}" for number in range(self.cameras)]

    def records(self) -> Iterator[VisitRecord]:
        """One after the other, every camera once before any comes again."""
        rng, noise = random.Random(1), np.random.default_rng(1)
        verdict, history = learned()
        body, memory = pack_measurement(seen(1, grey=False)), history.to_bytes()
        names = list(dict.fromkeys([*verdict.figures, *(figure.name for figure in FIGURES)]))
        kinds: Sequence[tuple[FaultKind, ...]] = ((), (), (), (), (FaultKind.BLURRED,), (FaultKind.COVERED,))
        ids = self.ids()
        for number in itertools.count():
            if number % len(ids) == 0:
                rng.shuffle(ids)
            of = rng.choice(kinds)
            figures = dict(zip(names, noise.random(len(names)).tolist(), strict=True))
            one = replace(
                verdict, camera_id=ids[number % len(ids)], visit_id=number + 1, at_wall_ns=wall_ns(), figures=figures,
                kinds=of, state=State.FAULT if of else State.OK,
            )  # fmt: skip
            yield VisitRecord(one, memory, rng.random() < 0.01, body, True)


def _fill(path: Path, visits: Visits, rows: int) -> float:
    began_s = time.perf_counter()
    store = Store.open(f"sqlite:///{path}")
    store.put_cameras(Camera(one, f"rtsp://h/{one}", region=f"13{int(one[-4:]) % 11:02}01") for one in visits.ids())
    coming = visits.records()
    if rows:
        _fill_log(path, store, coming, rows)
    for begin in range(0, visits.cameras, _FILL_ROWS):
        store.write(list(itertools.islice(coming, min(_FILL_ROWS, visits.cameras - begin))))
    store.close()
    return time.perf_counter() - began_s


def _fill_log(path: Path, store: Store, coming: Iterator[VisitRecord], rows: int) -> None:
    """Rows of before, straight into the log: one body is as good as another, and a visit a camera every 15 minutes."""
    (first,) = store.write([next(coming)])
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
    store.claim()
    taken_s: list[float] = []
    settings = RecordSettings()
    writer = Writer(
        store, EvidenceStore(path.parent / "evidence", 10**9), settings, lambda _: None, on_batch=taken_s.append,
        tend=lambda record: store.upkeep.step(record, wall_ns(), UTC),
    )  # fmt: skip
    coming, before = visits.records(), store.history.last_seq()
    cpu_s, began_s = time.process_time(), time.monotonic()
    number = 0
    while time.monotonic() - began_s < seconds:
        if writer.waiting[0] >= _WAITING_MAX:
            time.sleep(0.001)
            continue
        writer.submit(next(coming), None)
        number += 1
    writer.flush(60)
    ended_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    written, dropped = writer.take_counts()
    writer.close()
    if written != number or dropped or store.history.last_seq() - before != number:
        raise AssertionError(f"{number} submitted, {written} written, dropped {dropped}")
    store.close()
    cuts = statistics.quantiles(taken_s, n=100)
    return {
        "writes_per_s": round(number / ended_s, 1),
        "cpu_us_per_record": round(1e6 * cpu_s / number, 1),
        "batch_ms_p50": round(1e3 * cuts[49], 1),
        "batch_ms_p99": round(1e3 * cuts[98], 1),
        "batch_ms_max": round(1e3 * max(taken_s), 1),
    }


def _patrol(url: str, seconds: float, pipe: Any) -> None:
    """The whole engine on live cameras, for as long as the writer is measured and a little more."""
    pipe.send("begun")
    pipe.send(live(url, seconds + 2))


def _reads(path: Path, visits: Visits) -> dict[str, Any]:
    """One caller, nothing else going on; the engine's own start loads verdicts and memories besides."""
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
            lambda: store.page(
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
