"""The log of a real engine: a line for each thing that happens, bounded, of one form, without colours and secrets."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.client import PatrolClient
from engine.clock import wall_ns
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera
from engine.model.schedule import PauseKind, PauseScope
from engine.runtime.log import LINES_MAX
from engine.runtime.log_events import EVENTS, LogEvent
from engine.storage.db.store import Store
from tests.support.ports import free_port
from tests.support.waiting import wait_until

CAMERAS = 60
"""More than are logged in a second."""
SECRET = "geheim"
COMMAND = [sys.executable, "-m", "engine.cli", "run", "--config"]


class Patrol:
    """`patrol run` as a process of its own, whose stderr is a file. Python is told to write much to stderr itself."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config, self.path = folder, folder / "patrol.toml", folder / "patrol.log"
        self.write_config(2.0)
        environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
        with self.path.open("w") as log:
            self.process = subprocess.Popen([*COMMAND, str(self.config)], stderr=log, env=environment)
        (self.ready,) = wait_until(lambda: self.lines("ready"), 60)

    def write_config(self, key_period_s: float) -> None:
        quick = "".join(
            f"{name} = 1\n"
            for name in (
                "ordinary_period_s", "suspicious_period_s", "confirm_spacing_s", "outage_probe_s", "backoff_max_s",
                "backoff_stream_first_s", "backoff_connect_first_s", "backoff_lasting_first_s",
            )
        )  # fmt: skip
        self.config.write_text(
            f"[record]\nurl = 'sqlite:///{self.folder}/p.db'\nevidence_dir = '{self.folder}/ev'\n"
            "[serve]\ngrpc_listen = '127.0.0.1:0'\nmetrics_listen = ''\n[intake]\nlisten = ''\n"
            "[web]\nenabled = false\n[worker]\ncount = 1\nspare = false\n"
            "[feed]\ndeadline_s = 3\nconnect_timeout_s = 1.0\n[ledger]\noffline_min_h = 0\n"
            f"[scheduler]\norder_timeout_s = 6\nkey_period_s = {key_period_s}\n{quick}"
        )

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of a kind so far. What is no JSON was written by the parent itself, see `raw`."""
        return [line for line in self.all() if line["event"] == event]

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines() if line.startswith("{")]

    def raw(self) -> list[str]:
        return [line for line in self.path.read_text().splitlines() if not line.startswith("{")]

    def pids(self, role: str) -> list[int]:
        """Process ids of the children of a role."""
        found = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
        rows = (line.split(None, 2) for line in found.splitlines()[1:])
        ours = str(self.process.pid)
        return [int(pid) for pid, ppid, args in rows if ppid == ours and f"supervisor.child {role} " in args]


@contextmanager
def snapshots(port: int, folder: Path) -> Iterator[None]:
    """A camera platform: it serves a picture under every name asked for."""
    grain = np.random.default_rng(1).integers(0, 255, (360, 640, 3), dtype=np.uint8)
    Image.fromarray(grain).save(folder / "picture.jpg")

    class Platform(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return str(folder / "picture.jpg")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Platform) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def patrol(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patrol]:
    """An engine whose sixty cameras, all of one platform, do not answer; then they do, and much else happens."""
    folder = tmp_path_factory.mktemp("log")
    patrol = Patrol(folder)
    try:
        happen(patrol, folder)
        patrol.process.send_signal(signal.SIGTERM)
        patrol.process.wait(20)
        yield patrol
    finally:
        patrol.process.kill()
        patrol.process.wait()


def happen(patrol: Patrol, folder: Path) -> None:
    port = free_port()
    cameras = [
        Camera(f"c{n}", f"http://user:{SECRET}@127.0.0.1:{port}/{n}.jpg", region="130102") for n in range(CAMERAS)
    ]
    with PatrolClient(patrol.ready["grpc"]) as client:
        assert client.import_cameras([Camera("bad", f"gopher://user:{SECRET}@h/1")]).problems
        client.import_cameras(cameras)
        wait_until(lambda: patrol.lines("outage began"), 60)
        wait_until(lambda: client.status().cameras_by_state.get("offline", 0) == CAMERAS, 60)
        wait_until(lambda: any(line["of"] == "announced" for line in patrol.lines("lines summed")))
        with snapshots(port, folder):
            wait_until(lambda: patrol.lines("outage ended"), 60)
        client.pause(PauseScope(PauseKind.CAMERA, "c0"), "disks exchanged", wall_ns() + 3_600_000_000_000)
        client.resume(PauseScope(PauseKind.CAMERA, "c0"))
        patrol.write_config(3.0)
        patrol.process.send_signal(signal.SIGHUP)
        wait_until(lambda: patrol.lines("configuration changed"))
        (worker,) = patrol.pids("worker")
        os.kill(worker, signal.SIGKILL)
        (feeder,), (demuxer,) = patrol.pids("feeder"), patrol.pids("demuxer")
        wait_until(lambda: len(patrol.lines("process replaced")) == 1)
        os.kill(feeder, signal.SIGSTOP)
        wait_until(lambda: len(patrol.lines("process replaced")) == 2, 60)
        os.kill(demuxer, signal.SIGSEGV)
        wait_until(lambda: len(patrol.lines("process replaced")) == 3)
    store = Store.open(f"sqlite:///{folder}/p.db")
    token, secret = store.access.create_token(TokenOrder("county", Role.VIEWER, "130102"), "test", wall_ns())
    wait_until(lambda: patrol.lines("token created"))
    store.access.revoke_token(token.token_id, wall_ns())
    wait_until(lambda: patrol.lines("token revoked"))
    store.close()
    assert secret not in patrol.path.read_text()


OF_GATEWAYS = ("push refused", "pushes refused", "gateways refused", "gateways closed")
"""These need gateways and a minute; tests/unit/hub/test_gateways.py checks their fields."""
ELSEWHERE = ("visit expired", "keyframe quarantined", "keyframe not stored", "sub-stream set aside")
"""These need a fault of the machine, or a camera with two streams; test_visit_lines.py, test_pipeline_stories.py and
test_evidence_lines.py below tests/unit check their fields."""


@pytest.mark.parametrize(
    "event",
    [event for event in EVENTS if event.name not in (*OF_GATEWAYS, *ELSEWHERE)],
    ids=lambda event: event.name,
)
def test_everything_that_happens_is_a_line_with_its_fields(patrol: Patrol, event: LogEvent) -> None:
    lines = patrol.lines(event.name)
    assert lines
    for line in lines:
        assert set(line) == {"event", "level", "timestamp", "process", *event.fields}
        assert line["level"] == event.level


def test_the_lines_say_what_happened(patrol: Patrol) -> None:
    began, ended = patrol.lines("outage began")[0], patrol.lines("outage ended")[0]
    assert began["host"] == ended["host"] == "127.0.0.1"
    assert began["cameras"] > 0
    assert ended["lasted_s"] > 0
    announced = patrol.lines("announced")[0]
    assert (announced["before"], announced["state"], announced["region"]) == ("unknown", "offline", "130102")
    assert patrol.lines("finding step")[0]["step"] == "opened"
    (refused,) = patrol.lines("camera refused")
    assert (refused["camera_id"], refused["column"]) == ("bad", "url")
    (changed,) = patrol.lines("configuration changed")
    assert changed["changes"] == ["scheduler.key_period_s: 2.0 -> 3.0"]
    (pause,) = patrol.lines("pause began")
    assert (pause["kind"], pause["value"], pause["reason"], pause["cameras"]) == ("camera", "c0", "disks exchanged", 1)
    assert pause["until"].endswith("+00:00")
    (created,) = patrol.lines("token created")
    assert (created["name"], created["role"], created["region"], created["expires"]) == (
        "county",
        "viewer",
        "130102",
        "",
    )
    replaced = patrol.lines("process replaced")
    assert [(line["name"], line["reason"]) for line in replaced] == [
        ("worker-0.1", "signal_9"),
        ("feeder-0.1", "stopped"),
        ("demuxer-0.1", "signal_11"),
    ]
    (crashed,) = patrol.lines("process crashed")
    assert "engine/feed/demuxer.py" in crashed["stacks"]


def test_an_outage_is_bounded_lines_and_the_rest_is_summed_up(patrol: Patrol) -> None:
    offline = [line for line in patrol.lines("announced") if line["state"] == "offline"]
    by_second = [line["timestamp"][:19] for line in offline]
    assert (
        max(by_second.count(second) for second in by_second) <= 2 * LINES_MAX
    )  # a window is not a second of the clock
    summed = [line for line in patrol.lines("lines summed") if line["of"] == "announced"]
    told = len(offline) + sum(line["by"].get("offline", 0) for line in summed)
    assert told >= CAMERAS
    assert all(line["number"] == sum(line["by"].values()) for line in summed)


def test_what_children_write_to_stderr_is_logged_under_their_names(patrol: Patrol) -> None:
    written = patrol.lines("stderr")
    assert {line["line"].partition(":")[0] for line in written} == {"import time"}
    assert {line["process"] for line in written} == {"patrol"}
    of = {line["name"] for line in written} | {
        name for line in patrol.lines("lines summed") if line["of"] == "stderr" for name in line["by"]
    }
    assert {"hub.1", "worker-0.1", "feeder-0.1", "demuxer-0.1"} <= of
    assert all(line.startswith("import time") for line in patrol.raw()), "the parent's own, and nothing else"


def test_a_file_gets_no_colours_and_no_secrets(patrol: Patrol) -> None:
    text = patrol.path.read_text()
    assert "\x1b" not in text
    assert SECRET not in text
    assert {line["process"].partition("-")[0].partition(".")[0] for line in patrol.all()} >= {"patrol", "hub"}


WARN = (
    "import logging, sys, warnings\n"
    "from engine.runtime.log import configure_logging, logger\n"
    "configure_logging('info', sys.argv[1], 'test')\n"
    "logging.getLogger('grpc._server').error('rtsp://user:geheim@h/1 %s', 'failed')\n"
    "logging.getLogger('httpx').info('chatter')\n"
    "warnings.warn('old', stacklevel=1)\n"
    "logger().info('ours', urls=['rtsp://user:geheim@h/1'])\n"
)


def run_warn(layout: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WARN, layout], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert (done.returncode, done.stdout) == (0, "")
    return done.stderr


def test_libraries_and_warnings_log_as_we_do() -> None:
    grpc, warning, ours = map(json.loads, run_warn("auto").splitlines())
    assert (grpc["event"], grpc["level"], grpc["logger"]) == ("rtsp://user:***@h/1 failed", "error", "grpc._server")
    assert warning["logger"] == "py.warnings"
    assert "old" in warning["event"]
    assert ours["urls"] == ["rtsp://user:***@h/1"]
    assert grpc["process"] == warning["process"] == ours["process"] == "test"


def test_a_pipe_gets_no_colours_even_when_the_console_s_form_is_asked_for() -> None:
    text = run_warn("console")
    assert "\x1b" not in text
    assert "ours" in text


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_no_color_is_set(no_color: str, coloured: bool) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm"}
    done = subprocess.run([sys.executable, "-c", WARN, "auto"], stderr=slave, env=environment)
    os.close(slave)
    text = b"".join(iter(partial(_read, master), b"")).decode()
    os.close(master)
    assert done.returncode == 0
    assert "ours" in text
    assert ("\x1b[" in text) == coloured


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:  # the other end is closed, and all is read
        return b""
