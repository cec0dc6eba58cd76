"""The machine of the trial: a folder, the media servers, an engine that was started as its users start it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.client import CallError, PatrolClient
from engine.model.verdict import Verdict
from tests.support.ports import free_port, free_ports
from tests.support.waiting import wait_until
from tests.trial import servers
from tests.trial.cameras import Addresses, TrialCamera, cameras, write_registry
from tests.trial.clips import jpegs, write_clips
from tests.trial.snapshots import snapshot_camera

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
[feed]
deadline_s = 5
connect_timeout_s = 2

[intake]
listen = "tcp://127.0.0.1:{intake}"

[worker]
count = 1
spare = false

[scheduler]
key_period_s = 4
ordinary_period_s = 4
suspicious_period_s = 4
backoff_stream_first_s = 2
backoff_connect_first_s = 2
backoff_lasting_first_s = 2
backoff_max_s = 4
confirm_spacing_s = 2
visits_per_uplink_max = 4
outage_cameras_min = 20
outage_probe_s = 2
outage_probe_max_s = 4

[ledger]
offline_min_h = 0
blind_hours = {{ school = {hours}, county = {hours}, city = {hours}, province = {hours} }}

[record]
url = "sqlite:///var/patrol.db"
evidence_bytes_max = {evidence}

[serve]
grpc_listen = "127.0.0.1:{grpc}"
metrics_listen = "127.0.0.1:{metrics}"

[judge]
frozen_gap_s = 2

[web]
listen = "127.0.0.1:{web}"
"""
TROUBLE = """
[notices]
wait_first_s = 1
wait_max_s = 1

[[notices.endpoints]]
name = "nobody"
url = "http://127.0.0.1:{refusing}/"
secret_file = "nobody.secret"
"""
"""What is added to the configuration to break things: an endpoint that is not there."""
SECRET_LINE = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"
QUIET = {"evidence": 2**32, "hours": 24}
BROKEN = {"evidence": 2_000_000, "hours": 0.001}
"""Room for evidence, in bytes, and the time to put a finding right, in hours: enough, and too little."""


class Trial:
    """What the steps share.

    `cameras`: by id. `media`: the media servers; closing it stops them all. `prometheus`: its port; 0 before it runs.
    `stack`: is unwound at the end.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.grpc, self.metrics, self.intake, self.web = free_ports(4)
        self.cameras: dict[str, TrialCamera] = {}
        self.media = contextlib.ExitStack()
        self.prometheus = 0
        self.stack = contextlib.ExitStack()
        self._engine: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.configure()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_engine()
        self.stack.close()

    def configure(self, trouble: bool = False) -> None:
        """Write patrol.toml, as it should be or broken on purpose."""
        ports = {"grpc": self.grpc, "metrics": self.metrics, "intake": self.intake, "web": self.web}
        text = CONFIG.format(**ports, **(BROKEN if trouble else QUIET))
        if trouble:
            (self.folder / "nobody.secret").write_text(SECRET_LINE)
            text += TROUBLE.format(refusing=free_port())
        (self.folder / "patrol.toml").write_text(text, encoding="utf-8")

    @property
    def registry(self) -> Path:
        return self.folder / "cameras.csv"

    @property
    def engine_pid(self) -> int:
        assert self._engine is not None
        return self._engine.pid

    @property
    def log(self) -> str:
        path = self.folder / "engine.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def start_servers(self) -> None:
        """Start every media server, and write the registry. Raises CannotRunError if a server cannot be had."""
        clips = write_clips(self.folder / "clips")
        start = self.media.enter_context
        self.stack.callback(self.media.close)
        live555 = start(servers.live555_server(clips))
        gst = start(servers.gst_servers(clips))
        rtmp, hls = start(servers.nginx(self.folder / "nginx", clips))
        clear = clips["clear-h264"].movie
        mpegts = start(servers.ffmpeg_servers(clear, "mpegts", "live.ts", 4))
        flv = start(servers.ffmpeg_servers(clear, "flv", "live.flv", 2))
        pictures = {f"{name}.jpg": jpegs(clips[f"{name}-h264"].movie) for name in ("clear", "covered")}
        snapshots = start(snapshot_camera(pictures, "user", "trial"))
        silent = start(servers.silent_server())
        addresses = Addresses(live555, gst, rtmp, hls, mpegts, flv, snapshots, silent, refusing=free_port())
        self.cameras = write_registry(self.registry, cameras(addresses))

    def patrol(self, *words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run `patrol` with these words in the trial's folder."""
        return subprocess.run(
            [sys.executable, "-m", "engine.cli", *words],
            capture_output=True, text=True, cwd=self.folder, env=_environment(), timeout=timeout_s, check=False,
        )  # fmt: skip

    def start_engine(self) -> None:
        """Start `patrol run` and wait until it answers."""
        with (self.folder / "engine.log").open("ab") as log:
            self._engine = subprocess.Popen(
                [sys.executable, "-m", "engine.cli", "run", "--config", "patrol.toml"],
                cwd=self.folder, env=_environment(), stdout=log, stderr=log,
            )  # fmt: skip
        engine = self._engine
        wait_until(lambda: engine.poll() is not None or self.answers(), 180, what="the engine answers", poll_s=0.2)
        if engine.poll() is not None:
            raise AssertionError(f"patrol run ended with {engine.returncode}: {self.log[-500:]}")

    def stop_engine(self) -> None:
        """Stop the engine as its operator does."""
        if self._engine is not None:
            self._engine.send_signal(signal.SIGTERM)
            self._engine.wait(30)
            self._engine = None

    def answers(self) -> bool:
        """Whether the engine answers."""
        with contextlib.suppress(CallError), self.client() as client:
            return bool(client.status())
        return False

    @contextmanager
    def client(self) -> Iterator[PatrolClient]:
        """A client of the engine."""
        with PatrolClient(f"127.0.0.1:{self.grpc}") as client:
            yield client

    def latest(self) -> dict[str, Verdict | None]:
        """The latest verdict of each camera, by id."""
        with self.client() as client:
            return {status.camera.camera_id: status.latest for status in client.cameras()}

    def children(self, role: str) -> list[int]:
        """Process ids of the engine's children in this role: hub, feeder, demuxer, worker."""
        assert self._engine is not None
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if parent == str(self._engine.pid) and role in words:
                    found.append(int(entry.name))
        return found

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until the condition is true. Raises AssertionError."""
        wait_until(lambda: bool(condition()), seconds, what=what, poll_s=0.5)


def outcomes(trial_cameras: dict[str, TrialCamera], latest: dict[str, Verdict | None]) -> list[str]:
    """What is not as expected, a line a camera."""
    wrong = []
    for camera_id, camera in trial_cameras.items():
        verdict = latest.get(camera_id)
        if not camera.holds(verdict):
            kinds = "" if verdict is None else " ".join(verdict.announced_kinds) or verdict.reason
            announced = "not visited" if verdict is None else f"{verdict.announced} {kinds}"
            wrong.append(f"{camera.server} {camera.url.rpartition('/')[2]}: {announced}, expected {camera.expected}")
    return wrong


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
