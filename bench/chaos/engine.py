"""The engine under test: `patrol run` as a process of its own, its children, memory, descriptors and metrics."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from bench.ports import free_port
from engine.client import PatrolClient
from engine.errors import PatrolError

_CONFIG = """[feed]
deadline_s = 4
connect_timeout_s = 1.5
feeders = 1
demuxers = 1
[intake]
listen = "tcp://127.0.0.1:{intake}"
[worker]
count = 2
[scheduler]
key_period_s = {period_s}
ordinary_period_s = {period_s}
suspicious_period_s = {period_s}
confirm_spacing_s = 2
backoff_stream_first_s = {period_s}
backoff_connect_first_s = {period_s}
backoff_lasting_first_s = {period_s}
backoff_max_s = {backoff_s}
order_timeout_s = 6
visits_per_uplink_max = 8
[record]
url = "sqlite:///{folder}/patrol.db"
evidence_dir = "{folder}/evidence"
quarantine_dir = "{folder}/quarantine"
evidence_bytes_max = 268435456
[serve]
grpc_listen = "127.0.0.1:{grpc}"
metrics_listen = "127.0.0.1:{metrics}"
[web]
listen = "127.0.0.1:{web}"
[log]
level = "warning"
format = "json"
"""
_CHILD = "engine.supervisor.child"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_START_S = 180.0
_STOP_S = 30.0
_SCRAPE_S = 2.0


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """Resident memory and open descriptors of a process."""

    resident_mb: float
    descriptors: int


class Engine:
    """Runs while the context is open. Its log is `log` in the folder."""

    def __init__(self, folder: Path, period_s: float) -> None:
        self.folder = folder
        self.grpc_port, self.metrics_port, self.intake_port, self.web_port = (free_port() for _ in range(4))
        ports = {"grpc": self.grpc_port, "metrics": self.metrics_port, "intake": self.intake_port, "web": self.web_port}
        self._config = folder / "patrol.toml"
        text = _CONFIG.format(folder=folder, period_s=period_s, backoff_s=2 * period_s, **ports)
        self._config.write_text(text, encoding="utf-8")

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / "patrol.db"

    @property
    def address(self) -> str:
        """The address of the API."""
        return f"127.0.0.1:{self.grpc_port}"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "engine.cli", "run", "--config", str(self._config)]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        give_up_s = time.monotonic() + _START_S
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > give_up_s:
                raise SystemExit(f"the engine did not start; {self.folder}/log says why")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int | None:
        """Stop it; return its exit code, None if it had to be killed. A second call does nothing."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None

    def is_alive(self) -> bool:
        """Whether the supervisor lives."""
        return self._process.poll() is None

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/readyz", timeout=_SCRAPE_S) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def processes_ready(self) -> tuple[int, int]:
        """Return how many workers, and how many feeders and demuxers, take orders now; gauges are a second late."""
        try:
            with PatrolClient(self.address, timeout_s=_SCRAPE_S) as client:
                machine = client.status().machine
        except PatrolError:
            return 0, 0
        return (0, 0) if machine is None else (machine.workers_ready, machine.feeders_ready)

    def pids(self) -> dict[str, int]:
        """Return the process id of each child by its name: hub, worker-0, feeder-0, demuxer-0, web."""
        found = {}
        for task in Path(f"/proc/{self._process.pid}/task").glob("*/children"):
            for pid in _words(task):
                _, module, words = _command(int(pid)).partition(f"\0{_CHILD}\0")
                if module:
                    found[words.split("\0")[1].partition(".")[0]] = int(pid)
        return found

    def use(self) -> dict[str, ProcessUse]:
        """Return what each child uses."""
        used = {}
        for name, pid in self.pids().items():
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
                descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
            except (OSError, IndexError):
                continue  # it has ended
            used[name] = ProcessUse(pages * _PAGE_BYTES / 1e6, descriptors)
        return used

    def metrics(self) -> dict[str, float]:
        """Return the samples, summed over their labels but for `kind`: `patrol_feeders_ready feeder`. Empty if nobody
        answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=_SCRAPE_S) as reply:
                text = reply.read().decode()
        except OSError:
            return {}
        values: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = f"{sample.name} {sample.labels['kind']}" if "kind" in sample.labels else sample.name
                values[name] = values.get(name, 0.0) + sample.value
        return values


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
