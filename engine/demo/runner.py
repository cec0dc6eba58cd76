"""Runs `patrol demo`: the county, an engine that patrols it, and a live view."""

import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.config import Settings
from engine.config.address import host_port
from engine.config.calendar import Calendar
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.judge import JudgeSettings
from engine.config.schema import LogSettings, RecordSettings, SchedulerSettings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.demo.area_map import county_map
from engine.demo.county import County, DemoCamera, tally
from engine.model.registry import CameraStatus
from engine.model.verdict import Verdict
from engine.supervisor.app import Supervisor
from engine.terminal.formatting import state_of, state_text
from engine.terminal.live import render_patrol
from engine.terminal.progress import progress
from engine.terminal.tables import Cell, show_table
from engine.terminal.times import Times

_REFRESH_S = 0.5
_EVENTS = 6


def play(console: Console, seconds: float, seed: int, stop: threading.Event) -> int:
    """Run until `stop` is set, or for `seconds` (0: no end).

    Returns 0 if every injected fault is named and no healthy camera is called faulty, else 1.
    """
    with tempfile.TemporaryDirectory(prefix="patrol-demo-") as folder, ExitStack() as stack:
        with progress(console, "encoding clips", 32) as done:
            county = stack.enter_context(County(seed, lambda clips, _: done(clips)))
        if stop.is_set():
            return 0
        map_file = Path(folder) / "map.json"
        map_file.write_text(county_map())
        listen = WebSettings().listen
        settings = demo_settings(Path(folder), map_file, listen if _is_free(listen) else "127.0.0.1:0")
        engine = stack.enter_context(Supervisor(settings, stop))
        if stop.is_set():
            return 0
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        client.import_cameras([demo.camera for demo in county.cameras])
        return _watch(console, client, engine, county.cameras, seconds, stop)


def demo_settings(folder: Path, map_file: Path | None = None, web_listen: str = "127.0.0.1:0") -> Settings:
    """Return settings for a small county that is visited every few seconds; everything is stored in `folder`.

    `map_file`: GeoJSON for the console; None: it shows tiles. `web_listen`: where the console is.
    """
    return Settings(
        feed=FeedSettings(deadline_s=3.0, connect_timeout_s=1.5, demuxers=0),
        intake=IntakeSettings(listen="tcp://127.0.0.1:0"),
        worker=WorkerSettings(spare=False),
        scheduler=SchedulerSettings(
            key_period_s=4.0,
            ordinary_period_s=4.0,
            suspicious_period_s=4.0,
            confirm_spacing_s=2.0,
            backoff_stream_first_s=4.0,
            backoff_connect_first_s=4.0,
            backoff_lasting_first_s=4.0,
            backoff_max_s=8.0,
            order_timeout_s=6.0,
        ),
        judge=JudgeSettings(frozen_gap_s=2.0),  # a province waits longer before it calls a still picture frozen
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db",
            evidence_dir=str(folder / "evidence"),
            quarantine_dir=str(folder / "quarantine"),
        ),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        web=WebSettings(listen=web_listen, map_file=str(map_file) if map_file else ""),
        log=LogSettings(level="error"),
    )


def _is_free(listen: str) -> bool:
    """Whether an address can be listened on: the console's usual one is easier to remember than another."""
    host, port = host_port(listen)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _watch(
    console: Console,
    client: PatrolClient,
    engine: Supervisor,
    cameras: Sequence[DemoCamera],
    seconds: float,
    stop: threading.Event,
) -> int:
    addresses = engine.addresses
    metrics = f"metrics http://{addresses['metrics']}/metrics"
    footer = f"console http://{addresses['web']}   gRPC {addresses['grpc']}   {metrics}   Ctrl-C ends"
    end_s = time.monotonic() + seconds if seconds else float("inf")
    view = _View(console, footer)
    with view:
        while not stop.wait(_REFRESH_S) and time.monotonic() < end_s and engine.running:
            try:
                view.show(client)
            except CallError:
                break
    statuses = list(client.cameras()) if engine.running else []
    return _summary(console, cameras, statuses)


class _View:
    """A live view on a terminal; on a pipe, a line for each change."""

    def __init__(self, console: Console, footer: str) -> None:
        self._console = console
        self._footer = footer
        self._times = Times(Calendar().timezone, wall_ns())
        self._live = Live(console=console, auto_refresh=False, screen=False) if console.is_terminal else None
        self._announced: dict[str, str] = {}
        self._recent: deque[Verdict] = deque(maxlen=_EVENTS)

    def __enter__(self) -> None:
        if self._live is not None:
            self._live.start()
        else:
            self._console.out(f"{self._footer}   times {self._times.label}", highlight=False)

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, client: PatrolClient) -> None:
        """Fetch the state of the engine and show it."""
        statuses = list(client.cameras())
        for status in statuses:
            latest = status.latest
            if latest is not None and self._is_change(status, latest) and self._live is None:
                self._print(status, latest)
        if self._live is not None:
            view = render_patrol(client.status(), statuses, list(self._recent), self._times, self._footer)
            self._live.update(view, refresh=True)

    def _is_change(self, status: CameraStatus, latest: Verdict) -> bool:
        """Record what is announced; return whether it changed."""
        announced = f"{latest.announced} {' '.join(latest.announced_kinds)}"
        if self._announced.get(status.camera.camera_id) == announced:
            return False
        self._announced[status.camera.camera_id] = announced
        self._recent.append(latest)
        return True

    def _print(self, status: CameraStatus, latest: Verdict) -> None:
        why = ", ".join(latest.announced_kinds) or latest.reason
        camera = status.camera
        line = f"{self._times.clock(latest.at_wall_ns)}  {latest.announced:8}{camera.site_name} {camera.name}  {why}"
        self._console.out(line.rstrip(), highlight=False)


def _summary(console: Console, cameras: Sequence[DemoCamera], statuses: Sequence[CameraStatus]) -> int:
    latest = {status.camera.camera_id: status.latest for status in statuses}
    rows: list[list[Cell]] = []
    for demo in cameras:
        if not demo.fault:
            continue
        verdict = latest.get(demo.camera.camera_id)
        announced = "" if verdict is None else ", ".join(verdict.announced_kinds) or verdict.reason
        named = demo.is_named(verdict)
        rows.append(
            [
                demo.camera.name,
                demo.camera.site_name,
                demo.fault,
                state_text(state_of(verdict)),
                announced,
                Text("yes", style="green") if named else Text("NO", style="bold red"),
            ]
        )
    show_table(console, ["camera", "canteen", "injected", "state", "announced", "named"], rows)
    named_count, faults, accused = tally(cameras, latest)
    healthy = len(cameras) - faults
    console.out(
        f"{named_count} of {faults} injected faults named, {accused} of {healthy} healthy cameras accused",
        highlight=False,
    )
    return 0 if named_count == faults and accused == 0 else 1
