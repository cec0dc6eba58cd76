"""Runs the engine, the gateway that pushes, and one measurement after the other."""

import argparse
import math
import os
import sqlite3
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bench import province
from bench.pushing import child, push
from bench.web import chromium, pages, sessions
from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import LogSettings, RecordSettings, SchedulerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.supervisor.app import Supervisor

DEMANDS = {
    "today_first_byte_ms_p95": 150.0, "wall_200_ms": 1500.0, "scroll_blank_ms_max": 300.0, "review_next_ms_p95": 200.0,
    "sessions_web_cores": 0.10, "js_kb_max": 120.0,
}  # fmt: skip
"""At most."""
CHECKS_KEPT_MIN = 0.98
_DAYS = 2
_DAY_S = 86_400
_FILL_PER_S = 250.0
_FILL_S_MAX = 900.0
_STEP = 40_503
_SETTLE_S = 15.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Generate the province unless it is there, start the engine on it, and measure."""
    database = folder / "patrol.db"
    province.make(database, options.cameras, max(options.rows, options.cameras), _DAYS)
    regions = {camera.camera_id: camera.region for camera in province.pushed(options.cameras)}
    city = Counter(region[:4] for region in regions.values()).most_common(1)[0][0]
    shown = _coprime([camera_id for camera_id, region in regions.items() if region.startswith(city)], options.pictures)
    with Supervisor(_settings(folder)) as engine, ExitStack() as stack:
        address, intake = engine.addresses["web"], engine.addresses["intake"]
        fill_s = _fill(database, intake, shown)
        pusher = stack.enter_context(child(push, intake, list(regions), options.checks))
        pusher.recv()
        time.sleep(_SETTLE_S)  # what waited while the pusher began is judged; the spare worker is loaded
        result = {
            "cameras": options.cameras,
            "checks": options.checks,
            "seconds": options.seconds,
            "sessions": options.sessions,
            "pictures": len(shown),
            "fill_s": round(fill_s, 1),
            **_with_sessions(engine, database, address, options),
            **pages.measure(address, shown[0]),
            **chromium.measure(address, city, len(shown)),
        }
        pusher.send("stop")
        pusher.recv()
    missed = {name: result[name] for name, most in DEMANDS.items() if result[name] is not None and result[name] > most}
    if result["sessions_checks_kept"] < CHECKS_KEPT_MIN:
        missed["sessions_checks_kept"] = result["sessions_checks_kept"]
    return {**result, "missed": missed}


def _with_sessions(engine: Supervisor, database: Path, address: str, options: argparse.Namespace) -> dict[str, Any]:
    quiet_per_s, quiet_cores = _watched(engine, database, options.seconds)
    with child(sessions.hold, address, options.sessions) as holder:
        opened = holder.recv()
        per_s, cores = _watched(engine, database, options.seconds)
        holder.send("stop")
        seen = holder.recv()
    return {
        "checks_per_s": round(quiet_per_s, 1),
        "sessions_open": opened,
        "sessions_live": seen["live"],
        "sessions_events_per_s": round(seen["events"] / options.seconds, 1),
        "sessions_kb_per_s": round(seen["bytes"] / 1000 / options.seconds, 1),
        "sessions_requests": seen["requests"],
        "sessions_errors": seen["errors"],
        "sessions_checks_per_s": round(per_s, 1),
        "sessions_checks_kept": round(per_s / quiet_per_s, 3) if quiet_per_s else 0.0,
        "sessions_web_cores": round(max(0.0, cores - quiet_cores), 3),
    }


def _watched(engine: Supervisor, database: Path, seconds: float) -> tuple[float, float]:
    """Return checks a second, and the cores that the web process used, over so many seconds."""
    pid = engine.pids()["web"]
    before, cpu_s, began_s = _last_seq(database), _cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    took_s = time.monotonic() - began_s
    return (_last_seq(database) - before) / took_s, (_cpu_s(pid) - cpu_s) / took_s


def _fill(database: Path, intake: str, ids: list[str]) -> float:
    """Push a picture of each of these cameras, and wait until all are judged; return the seconds it took."""
    began_s, before = time.monotonic(), _last_seq(database)
    with child(push, intake, ids, _FILL_PER_S) as pusher:
        pusher.recv()
        while _last_seq(database) - before < len(ids):
            if time.monotonic() - began_s > _FILL_S_MAX:
                raise SystemExit("the pictures were not judged in time; give fewer --pictures")
            time.sleep(0.2)
        pusher.send("stop")
        pusher.recv()
    return time.monotonic() - began_s


def _coprime(ids: list[str], most: int) -> list[str]:
    """Return so many of the ids at most that the pusher comes to each of them."""
    number = min(most, len(ids))
    while math.gcd(number, _STEP) > 1:
        number -= 1
    return ids[:number]


def _last_seq(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        (last,) = connection.execute("SELECT max(seq) FROM verdict_log").fetchone()
    return int(last)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _settings(folder: Path) -> Settings:
    periods: dict[str, Any] = dict.fromkeys(
        ("key_period_s", "ordinary_period_s", "suspicious_period_s", "offhours_period_s"), _DAY_S
    )
    return Settings(
        feed=FeedSettings(demuxers=0),
        intake=IntakeSettings(listen="tcp://127.0.0.1:0"),
        scheduler=SchedulerSettings(**periods),
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db",
            evidence_dir=f"{folder}/evidence",
            quarantine_dir=f"{folder}/quarantine",
        ),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="", address_calls_per_s_max=0),
        web=WebSettings(listen="127.0.0.1:0"),
        log=LogSettings(level="error"),
    )
