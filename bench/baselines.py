"""Measures how long a start takes to load the judge states of a province's cameras, and how large they are.

    python -m bench.baselines [--json] [--record] [--cameras N] [--dir DIR]

Writes N cameras with a verdict and a full judge state (day and infrared baseline) into a SQLite file, then opens it
again and reads all of it as the hub does at its start. `load_s`: reading every judge state with its packed verdict, and
unpacking the judge state. `start_s`: the same plus opening the database. `history_bytes`: size of one camera's judge
state; `rss_mb`: memory that loading added.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.history import append
from engine.config.judge import JudgeSettings
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.kernels import signature
from engine.model.camera import Camera
from engine.model.keyframe import Codec
from engine.model.measurement import Measurement, Scores
from engine.model.picture import TileMap
from engine.model.verdict import Verdict
from engine.model.visit import FeedKind
from engine.storage.db.store import Store, VisitRecord

CAMERAS = 131_072
_BATCH = 2_000
_NS_PER_H = 3_600_000_000_000
_FIGURES = {
    "luma_mean": 120.0, "luma_p1": 30.0, "luma_p5": 40.0, "luma_p50": 118.0, "luma_p95": 200.0, "luma_p99": 220.0,
    "clipped_bright_share": 0.0, "structureless_share": 0.1, "edge_tiles": 100.0, "flat_share": 0.0, "noise_floor": 0.6,
    "row_pattern": 1.0, "column_pattern": 1.0, "acutance": 0.5,
}  # fmt: skip


def main() -> None:
    """Measure and print the result."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="patrol-baselines-") as folder:
        result = {"bench": "baselines", **measure(f"sqlite:///{folder}/patrol.db", options.cameras)}
    if options.record:
        append(result)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:14} {value:.3f}" if isinstance(value, float) else f"{name:14} {value}")


def measure(url: str, cameras: int) -> dict[str, Any]:
    """Fill a database, load it, and return the result. Raises AssertionError if it is not read as it was written."""
    verdict, judge_state = learned()
    blob = judge_state.to_bytes()
    fill_s = _fill(url, cameras, verdict, blob)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s = time.perf_counter()
    store = Store.open(url)
    opened_s = time.perf_counter()
    loaded = {camera_id: JudgeState.from_bytes(stored) for camera_id, _, stored in store.latest()}
    ended_s = time.perf_counter()
    store.close()
    if len(loaded) != cameras or next(iter(loaded.values())) != judge_state:
        raise AssertionError("the judge states that were loaded differ from those that were written")
    after_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "cameras": cameras,
        "history_bytes": len(blob),
        "fill_s": fill_s,
        "load_s": ended_s - opened_s,
        "start_s": ended_s - began_s,
        "rss_mb": (after_kb - before_kb) / 1024,
    }


def _fill(url: str, cameras: int, verdict: Verdict, blob: bytes) -> float:
    began_s = time.perf_counter()
    store = Store.open(url)
    for begin in range(0, cameras, _BATCH):
        ids = [f"1301{number:016}" for number in range(begin, min(cameras, begin + _BATCH))]
        store.registry.upsert([Camera(camera_id, f"rtsp://h/{camera_id}") for camera_id in ids])
        store.write([VisitRecord(_with_camera(verdict, camera_id), blob) for camera_id in ids])
    store.close()
    return time.perf_counter() - began_s


def _with_camera(verdict: Verdict, camera_id: str) -> Verdict:
    return Verdict(**{name: getattr(verdict, name) for name in Verdict.__slots__} | {"camera_id": camera_id})


def learned() -> tuple[Verdict, JudgeState]:
    """Return the verdict and judge state of a camera visited by day and by night, with as many outcomes as are kept."""
    judge_state, settings = JudgeState(), JudgeSettings()
    for visit in range(24):
        verdict, judge_state = judge_measurement(good_measurement(visit, grey=visit % 2 == 1), judge_state, settings)
    return verdict, judge_state


def good_measurement(visit: int, *, grey: bool) -> Measurement:
    """Return a good measurement, the same for the same visit. `grey`: of an infrared picture."""
    rng = np.random.default_rng(visit)
    scene = np.random.default_rng(1).uniform(40, 200, (18, 32)) + rng.normal(0, 2, (18, 32))
    cells = np.rint(scene * signature.UNITS_PER_LEVEL).astype(np.uint16)
    luma, structure, u, v = rng.uniform(1, 20, (4, 9, 16)).astype(np.float32)
    tiles = TileMap(luma, structure, rng.uniform(0.3, 0.7, (2, 9, 16)).astype(np.float32), u, v)
    return Measurement(
        camera_id="bench", visit_id=visit, arrival_wall_ns=visit * _NS_PER_H, stream_time_ns=None,
        source=FeedKind.RTSP, codec=Codec.H264, width=1920, height=1080, pixel_format="yuv420p", full_range=False,
        interlaced=False, damage=(), figures=_FIGURES | {"chroma_std": 0.2 if grey else 12.0},
        scores=Scores(80.0, 100.0, 10.0), tiles=tiles, signature=signature.pack(cells),
    )  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures loading the judge states of a province's cameras.")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--record", action="store_true", help="append the result to bench/history.jsonl")
    parser.add_argument("--cameras", type=int, default=CAMERAS, help="number of cameras")
    parser.add_argument("--dir", type=Path, help="directory for the database; default: the temporary directory")
    return parser.parse_args()


if __name__ == "__main__":
    main()
