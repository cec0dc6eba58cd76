"""Idle connections by the thousand, at 1,024 descriptors: the API and the metrics answer, and keyframes are kept."""

import contextlib
import json
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.client import CallError, PatrolClient
from engine.demo.county import County
from tests.support.live_engine import HEALTHY, scrape
from tests.support.waiting import wait_until

DESCRIPTORS, IDLE = 1024, 1100
pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
_RUN = (
    "import os, resource, sys; "
    f"resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS})); "
    "os.execv(sys.executable, [sys.executable, '-m', 'engine.cli', 'run', '--config', sys.argv[1]])"
)
"""Limits hard and soft, so that the engine cannot raise them."""
_CONFIG = """
[record]
url = "sqlite:///{folder}/p.db"
evidence_dir = "{folder}/ev"
[serve]
grpc_listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"
[web]
listen = "127.0.0.1:0"
[intake]
listen = ""
[log]
format = "json"
[worker]
count = 1
spare = false
[feed]
deadline_s = 3
connect_timeout_s = 1
demuxers = 0
[scheduler]
key_period_s = 1
ordinary_period_s = 1
suspicious_period_s = 1
"""


@pytest.fixture(autouse=True)
def _own_descriptors() -> Iterator[None]:
    """The test holds all the connections itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 5000:
        pytest.skip(f"needs 5,000 descriptors, and this user may have {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[dict[str, Any]]:
    """`patrol run` with few descriptors; yields its line `ready`."""
    config, log = folder / "p.toml", folder / "p.log"
    config.write_text(_CONFIG.format(folder=folder))
    with log.open("w") as stderr:
        process = subprocess.Popen([sys.executable, "-c", _RUN, str(config)], stderr=stderr)

    def ready() -> dict[str, Any] | None:
        assert process.poll() is None, log.read_text()
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return next((line for line in lines if line["event"] == "ready"), None)

    try:
        yield wait_until(ready, 150)
    finally:
        process.terminate()
        process.wait(20)


def answered_within_s(folder_limit_s: float, ask: Any) -> float:
    """Return after how many seconds `ask` succeeds; fail after the limit."""
    began_s = time.monotonic()

    def succeeds() -> bool:
        try:
            ask()
        except (CallError, OSError):
            return False
        return True

    wait_until(succeeds, folder_limit_s, what="an answer")
    return time.monotonic() - began_s


def test_idle_connections_take_neither_the_api_nor_the_metrics_nor_keyframes(tmp_path: Path) -> None:
    with County(only={HEALTHY}) as county, engine(tmp_path) as ready, contextlib.ExitStack() as idle:
        with PatrolClient(ready["grpc"]) as client:
            client.import_cameras([camera.camera for camera in county.cameras])
            camera_id = county.cameras[0].camera.camera_id
            wait_until(lambda: client.camera(camera_id).latest is not None, 60)
        hub = wait_until(lambda: _hub_of(ready["metrics"]))
        before = _kept(ready["metrics"])
        for name in ("grpc", "metrics", "web"):
            host, _, port = ready[name].rpartition(":")
            for _ in range(IDLE):
                with contextlib.suppress(OSError):  # refused at once: as good
                    idle.enter_context(socket.create_connection((host, int(port)), timeout=2))
        assert len(list(Path(f"/proc/{hub}/fd").iterdir())) < DESCRIPTORS - 200

        def call() -> None:
            with PatrolClient(ready["grpc"], timeout_s=2) as client:
                client.status()

        def web() -> None:
            urllib.request.urlopen(f"http://{ready['web']}/v1/status", timeout=5).read()

        assert answered_within_s(5, lambda: scrape(ready["metrics"])) < 5
        assert answered_within_s(5, web) < 5
        assert answered_within_s(30, call) < 30, "gRPC closes what never speaks after ten seconds"
        wait_until(lambda: _kept(ready["metrics"])["written"] > before["written"] + 3, 60)
        after = _kept(ready["metrics"])
        assert after["failed"] == before["failed"] == 0
        with PatrolClient(ready["grpc"]) as client:
            assert client.picture(camera_id).jpeg


def _hub_of(metrics: str) -> int | None:
    """Return the process id of the hub: it is the one that listens for scrapes."""
    port = int(metrics.rpartition(":")[2])
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    inodes = {
        f"socket:[{row.split()[9]}]"
        for row in table
        if int(row.split()[1].rpartition(":")[2], 16) == port and row.split()[3] == "0A"
    }
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir()):
                return int(process.name)
    return None


def _kept(metrics: str) -> dict[str, float]:
    """Return how many verdicts were written, and how many writes of keyframes failed."""
    samples = scrape(metrics)
    return {
        "written": samples["patrol_store_written_total", ()],
        "failed": samples["patrol_store_errors_total", (("part", "evidence"),)],
    }
