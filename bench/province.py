"""Makes the database of a province: registry, a year of KPIs, latest verdicts with judge states, and a verdict log.

That takes minutes, so a folder is reused when the same is asked for again, and an interrupted run continues after its
last transaction.
"""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from bench.accuracy.imaging.codec import Coding, keyframe
from bench.kpis import cameras as registry
from bench.kpis import fill as fill_kpis
from engine.clock import wall_ns
from engine.config.judge import JudgeSettings
from engine.decode.decoder import Decoder
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.packed.measurement import pack_measurement
from engine.model.verdict import FaultKind, State, Verdict
from engine.model.visit import FeedKind
from engine.storage.db.store import Store, VisitRecord
from engine.worker.process import measure

PERIOD_NS = 900_000_000_000
"""Between two verdicts of a camera in the log."""
_STAGE_KEY = "bench_province"
_KINDS: tuple[tuple[FaultKind, ...], ...] = ((), (), (), (), (FaultKind.BLURRED,), (FaultKind.COVERED,))
_WRITE_ROWS = 2_000
_VISITS = 24
"""Visits that a camera's judge state has seen."""
_LOG_ROWS = 1_000_000
_INDEX = "verdict_log_by_camera"


def make(path: Path, cameras: int, rows: int, days: int) -> float:
    """Make a SQLite file with so many cameras, all pushed by a gateway, verdicts in the log, and days of KPIs.

    Returns the seconds it took, 0 if it existed. Rows are in the order of time, the newest of each camera last.
    """
    began_s = time.perf_counter()
    parameters = f"{cameras} {rows} {days}"
    stage = _stage(path, parameters)
    if stage == "done":
        return 0.0
    if stage == "":
        for leftover in path.parent.glob(f"{path.name}*"):
            leftover.unlink()
        _fill_registry(path, cameras, days)
        _set_stage(path, parameters, "log")
    _fill_log(path, cameras, rows - cameras)
    _fill_latest(path, cameras)
    _set_stage(path, parameters, "done")
    return time.perf_counter() - began_s


def pushed(number: int) -> Iterator[Camera]:
    """Yield the cameras of such a province."""
    return (replace(camera, push=True) for camera in registry(number))


def picture(number: int) -> bytes:
    """Encode a keyframe of 352 x 288: always the same scene of edges and flat parts, with other noise and light."""
    blocks = np.kron(np.random.default_rng(1).integers(30, 220, (18, 22)), np.ones((16, 16)))
    noise = np.random.default_rng(number + 2)
    luma = blocks * noise.uniform(0.95, 1.05) + noise.normal(0, 3, blocks.shape)
    rgb = np.repeat(np.clip(luma, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return keyframe(Coding(Codec.H264, 128, 0.3), rgb, 30, 4)[0]


def _learned() -> tuple[Verdict, JudgeState, Measurement]:
    """Return the last verdict, the judge state and the measurement of a camera that has seen that scene for a day."""
    judge_state, settings, decoder = JudgeState(), JudgeSettings(), Decoder()
    now_ns = wall_ns()
    for visit in range(_VISITS):
        at_ns = now_ns - (_VISITS - visit) * PERIOD_NS
        visited = Keyframe("bench", visit + 1, Codec.H264, picture(visit), at_ns, None, FeedKind.GATEWAY)
        measurement = measure(decoder, visited)
        verdict, judge_state = judge_measurement(measurement, judge_state, settings)
    decoder.close()
    return verdict, judge_state, measurement


def _fill_registry(path: Path, number: int, days: int) -> None:
    store = Store.open(f"sqlite:///{path}")
    fill_kpis(store, f"sqlite:///{path}", number, days, wall_ns())
    store.registry.upsert(pushed(number))
    store.close()


def _fill_log(path: Path, cameras: int, rows: int) -> None:
    """Insert into the table directly, repeating the bodies of some verdicts, each with a visit id of its own.

    The index is made last, and the file is not in WAL mode meanwhile: a transaction of a million rows would be written
    twice.
    """
    samples = _samples(path)
    with _opened(path) as connection:
        _fill_open_log(connection, cameras, rows, samples)


def _fill_open_log(connection: sqlite3.Connection, cameras: int, rows: int, samples: list[tuple[int, bytes]]) -> None:
    for pragma in ("journal_mode=DELETE", "synchronous=OFF", "cache_size=-400000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"DROP INDEX IF EXISTS {_INDEX}")
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM verdict_log").fetchone()
    began_ns = wall_ns() - rows * PERIOD_NS // cameras
    while last < rows:
        end = min(rows, last + _LOG_ROWS)
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO verdict_log VALUES (?, ?, ?, 0, ?, ?)",
            _log_rows(range(last + 1, end + 1), cameras, began_ns, samples),
        )
        connection.execute("COMMIT")
        last = end
    connection.execute(f"CREATE INDEX {_INDEX} ON verdict_log (camera_no, seq)")
    # An engine would have added these to the hourly and daily sums as it wrote them.
    connection.execute("INSERT OR REPLACE INTO patrol_about VALUES ('rolled_seq', ?)", (str(rows),))
    connection.execute("PRAGMA journal_mode=WAL")


def _log_rows(
    seqs: range, cameras: int, began_ns: int, samples: list[tuple[int, bytes]]
) -> Iterator[tuple[int, int, int, int, bytes]]:
    number = len(samples)
    for seq in seqs:
        shape_no, rest = samples[seq % number]
        at_ns = began_ns + seq * PERIOD_NS // cameras
        yield seq, 1 + seq * 40_503 % cameras, at_ns, shape_no, at_ns.to_bytes(8, "little") + rest


def _samples(path: Path) -> list[tuple[int, bytes]]:
    """Return shape and body, without the visit id at its beginning, of some verdicts.

    The log is empty afterwards if it held only those of the day under way, which `fill_kpis` has written.
    """
    if _log_has_begun(path):
        with _opened(path) as connection:
            rows = connection.execute("SELECT shape_no, body FROM verdict_log WHERE seq <= 64").fetchall()
    else:
        store = Store.open(f"sqlite:///{path}")
        store.write(list(islice(_records(64), 64)))
        store.close()
        with _opened(path) as connection:
            query = "SELECT shape_no, body FROM verdict_log ORDER BY seq DESC LIMIT 64"
            rows = connection.execute(query).fetchall()
            connection.execute("DELETE FROM verdict_log")
            connection.execute("INSERT OR REPLACE INTO patrol_about VALUES ('bench_log', 'begun')")
    return [(shape_no, body[8:]) for shape_no, body in rows]


def _log_has_begun(path: Path) -> bool:
    with _opened(path) as connection:
        begun = connection.execute("SELECT value FROM patrol_about WHERE key = 'bench_log'").fetchone()
        (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM verdict_log").fetchone()
    return begun is not None and last >= 64


def _fill_latest(path: Path, cameras: int) -> None:
    """Write every camera's newest verdict with a full judge state and a measurement, as the engine does."""
    store = Store.open(f"sqlite:///{path}")
    records = _records(cameras)
    while chunk := list(islice(records, _WRITE_ROWS)):
        store.write(chunk)
    store.close()


def _records(cameras: int) -> Iterator[VisitRecord]:
    rng = random.Random(1)
    verdict, judge_state, measurement = _learned()
    body, packed_state = pack_measurement(measurement), judge_state.to_bytes()
    for camera in registry(cameras):
        kinds = rng.choice(_KINDS)
        state = State.FAULT if kinds else State.OK
        now_ns = wall_ns()
        figures = {name: rng.random() for name in verdict.figures}
        varied = replace(
            verdict, camera_id=camera.camera_id, visit_id=now_ns, at_wall_ns=now_ns, figures=figures, kinds=kinds,
            state=state,
        )  # fmt: skip
        yield VisitRecord(varied, packed_state, False, body, True)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file; each statement is its own transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def _stage(path: Path, parameters: str) -> str:
    if not path.is_file():
        return ""
    with _opened(path) as connection:
        tables = "SELECT 1 FROM sqlite_master WHERE name = 'patrol_about'"
        if connection.execute(tables).fetchone() is None:
            return ""
        row = connection.execute("SELECT value FROM patrol_about WHERE key = ?", (_STAGE_KEY,)).fetchone()
    made, _, stage = ("" if row is None else str(row[0])).rpartition(" ")
    return stage if made == parameters else ""


def _set_stage(path: Path, parameters: str, stage: str) -> None:
    with _opened(path) as connection:
        connection.execute("INSERT OR REPLACE INTO patrol_about VALUES (?, ?)", (_STAGE_KEY, f"{parameters} {stage}"))
