"""What somebody finds who takes over a worker, a feeder or a demuxer: nothing. And the patrol goes on as before."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine.client import PatrolClient
from engine.config.feed import FeedSettings
from engine.config.runtime import RuntimeSettings
from engine.model.camera import Camera
from engine.model.keyframe import Codec
from engine.overlay.installed import is_installed
from engine.runtime import confinement
from engine.supervisor.app import Supervisor
from tests.support.confinement import REFUSED, Probe, plan
from tests.support.feed.clips import encode, scene
from tests.support.feed.http_site import site
from tests.support.live_engine import scrape, settings
from tests.support.waiting import wait_until

GOOD = encode(Codec.MJPEG, [scene(640, 480)])[0]
DATABASE_PASSWORD = "geheim-datenbank"
EVERYWHERE = (
    "read passwd", "read database", "read evidence", "read configuration", "write outside", "write cache", "write own",
    "list home", "remove", "unix", "raw", "packet", "fork", "exec", "ptrace", "signal", "parent's environment",
    "parent's memory",
)  # fmt: skip
"""What no confined process may do."""

KINDS = {"worker", "feeder", "demuxer"}

Engine = tuple[Supervisor, Probe, PatrolClient]

pytestmark = pytest.mark.skipif(
    bool(confinement.missing()), reason=f"this kernel offers no {'; no '.join(confinement.missing())}"
)


@pytest.fixture
def http_camera() -> Iterator[str]:
    """The URL of a camera that answers with a good picture."""
    with site({"/c.jpg": ("image/jpeg", GOOD)}) as address:
        yield f"{address}/c.jpg"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, http_camera: str) -> Iterator[Engine]:
    """A whole engine that has visited an HTTP camera and an RTSP one, and measured a picture."""
    monkeypatch.setenv("PGPASSWORD", DATABASE_PASSWORD)
    probe = Probe(tmp_path, monkeypatch)
    chosen = settings(
        tmp_path,
        feed=FeedSettings(deadline_s=3, connect_timeout_s=1, demuxers=1, demux_threads=2),
        runtime=RuntimeSettings(confine="required"),
    )
    with (
        plan(probe, tmp_path),
        Supervisor(chosen) as supervisor,
        PatrolClient(supervisor.addresses["grpc"]) as client,
    ):
        client.import_cameras([Camera("http", http_camera), Camera("rtsp", "rtsp://127.0.0.1:1/1")])
        for camera_id in ("http", "rtsp"):
            wait_until(partial(has_verdict, client, camera_id), 60, what=f"a verdict on {camera_id}")
        yield supervisor, probe, client


def has_verdict(client: PatrolClient, camera_id: str) -> bool:
    return any(True for _ in client.verdicts(camera_id))


def shown(supervisor: Supervisor) -> dict[str, float]:
    """How many parts are in force by kind of process, as the metric shows."""
    samples = [
        (dict(labels)["kind"], value)
        for (name, labels), value in scrape(supervisor.addresses["metrics"]).items()
        if name == "patrol_confinement"
    ]
    return {kind: sum(value for other, value in samples if other == kind) for kind, _ in samples}


def test_who_takes_over_a_process_finds_nothing(engine: Engine, tmp_path: Path) -> None:
    supervisor, probe, client = engine
    newest = next(iter(client.verdicts("http")))
    assert newest.scores is not None, "a confined demuxer fetches it, and a confined worker measures it"
    pids = {name.rpartition("-")[0]: pid for name, pid in supervisor.pids().items() if "-" in name}
    assert set(pids) == KINDS
    for role, pid in pids.items():
        found = probe.results(pid)
        allowed = {name: found[name] for name in EVERYWHERE if found[name] not in REFUSED}
        assert not allowed, f"a {role} could: {allowed}"
        assert (found["own status"], found["library"]) == ("done", "done"), role
        if role == "worker":
            assert found["tcp"] in REFUSED
        else:
            assert (found["tcp"], found["name"]) == ("done", "done"), role
        assert found["listen"] in REFUSED, role
        environment = Path(f"/proc/{pid}/environ").read_text()
        assert DATABASE_PASSWORD not in environment
    assert (tmp_path / "kept").exists()
    parts = dict.fromkeys(KINDS, 3) | {"reader": 3 if is_installed() else 0}
    wait_until(lambda: shown(supervisor) == parts, 20, what="the metric")


def test_the_attempts_succeed_in_a_process_that_is_not_confined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = Probe(tmp_path, monkeypatch)
    with plan(probe, tmp_path), subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            wait_until((tmp_path / f"{process.pid}.json").exists, 20)
            found = probe.results(process.pid)
        finally:
            process.kill()
    real = ("read passwd", "read database", "write outside", "list home", "remove", "tcp", "listen", "unix", "fork")
    assert {name: found[name] for name in real} == dict.fromkeys(real, "done")
    assert found["exec"] == "ENOEXEC"
