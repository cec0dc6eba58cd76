"""Runs the engine of a checkout for some seconds and records what it leaves: database, keyframes, configuration.

    PYTHONPATH=CHECKOUT python tests/support/upgrade/record.py FOLDER

Only the engine's commands and the wire of gateways are used, so that it runs with any release. FOLDER gets
`database.sql` (the rows), `ev/` (keyframes), `patrol.toml` (every key, with @FOLDER@ and @PORTS@ to fill in),
`push.json` (a gateway's message, its frames in base64) and `replies.json` (what commands answered, and a token).
Four cameras have passwords and nobody listens on their port; one is pushed a black picture until it is a finding.
"""

import base64
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import zmq
from PIL import Image

from engine.feed import wire
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind

PASSWORD = "sesame-of-before"
CAMERAS = "camera_id,url,name,site_id,site_name,region,key_point,required,uplink,push\n" + "".join(
    f"1301021320000000000{n},rtsp://admin:{PASSWORD}@127.0.0.1:9/{n},烹饪间{n},S{n},第{n}小学食堂,130102,cooking,true,,\n"
    for n in range(1, 5)
) + "pushed,,留样间,S1,第1小学食堂,130102,sample_retention,true,,true\n"  # fmt: skip
CONFIG = """
[feed]
demuxers = 0
deadline_s = 3
connect_timeout_s = 1
[worker]
count = 1
[intake]
listen = "tcp://127.0.0.1:{0}"
[scheduler]
key_period_s = 2
ordinary_period_s = 2
suspicious_period_s = 2
backoff_stream_first_s = 2
backoff_connect_first_s = 2
backoff_lasting_first_s = 2
backoff_max_s = 3
confirm_spacing_s = 1
[ledger]
offline_min_h = 0
[record]
url = "sqlite:///{folder}/patrol.db"
evidence_dir = "{folder}/ev"
quarantine_dir = "{folder}/q"
keep_verdicts_days = 3650
[serve]
grpc_listen = "127.0.0.1:{1}"
metrics_listen = ""
audit_days = 3650
[web]
enabled = false
[notices]
source = "urn:kitchen-patrol:before"
age_max_h = 8760
[[notices.endpoints]]
name = "office"
url = "http://127.0.0.1:9/patrol"
secret_file = "{folder}/secret"
events = ["finding.*"]
"""
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
_STARTS_MAX = 5
REPLIES = {
    "cameras": ["cameras", "list"],
    "findings": ["findings", "list"],
    "verdicts": ["verdicts", "pushed"],
    "notices": ["notices", "list"],
    "tokens": ["token", "list"],
    "audit": ["audit"],
}
"""What is asked, by name; each is asked with --json."""


class Commands:
    """The commands of one checkout, run in a folder with its `patrol.toml`."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self._folder = folder
        self.environment = os.environ | {"PYTHONPATH": str(checkout)}

    def run(self, *words: str, config: tuple[str, ...] = ("--config", "patrol.toml")) -> str:
        """Run a command; return what it prints. Raises RuntimeError with its message if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "engine.cli", *words, *config],
            cwd=self._folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run a command with --json; return its objects, one a line."""
        return [json.loads(line) for line in self.run(*words, "--json").splitlines()]

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the engine and wait until its log, `engine.log`, says that it is ready.

        A checkout in a new folder compiles its kernels at the first start. Where the machine is busy the engine gives
        up meanwhile, and the next start finds what was compiled.
        """
        log = self._folder / "engine.log"
        for _ in range(_STARTS_MAX):
            log.unlink(missing_ok=True)
            engine = self._start()
            while engine.poll() is None:
                if '"event": "ready"' in log.read_text(encoding="utf-8"):
                    return engine
                time.sleep(0.3)
        raise AssertionError(log.read_text(encoding="utf-8"))

    def _start(self) -> "subprocess.Popen[bytes]":
        with (self._folder / "engine.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "engine.cli", "run", "--config", "patrol.toml"],
                cwd=self._folder, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 90.0) -> Any:
    """Wait until a condition holds; a command that fails meanwhile counts as no."""
    give_up_s = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < give_up_s:
        try:
            if last := condition():
                return last
        except RuntimeError as error:
            last = error
        time.sleep(0.3)
    raise AssertionError(f"waited in vain for: {what}; last: {last}")


def black_picture() -> bytes:
    """Return a JPEG that is too dark to see anything on."""
    file = BytesIO()
    Image.new("RGB", (320, 240), (3, 3, 3)).save(file, "JPEG")
    return file.getvalue()


def push(frames: list[bytes], address: str) -> None:
    """Send one message to the engine as a gateway does."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as gateway:
        gateway.setsockopt(zmq.LINGER, 5000)
        gateway.connect(address)
        gateway.send_multipart(frames)


@contextmanager
def pushing(frames: list[bytes], address: str) -> Iterator[None]:
    """Push a message twice a second while the context is open."""
    stop = threading.Event()

    def again() -> None:
        while not stop.wait(0.5):
            push(frames, address)

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def free_ports(number: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def record(checkout: Path, folder: Path) -> None:
    """Run the engine of a checkout in `folder`/run, and write the recording to `folder`."""
    run, ports = folder / "run", free_ports(2)
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    (run / "patrol.toml").write_text(CONFIG.format(*ports, folder=run), encoding="utf-8")
    (run / "secret").write_text(SECRET, encoding="utf-8")
    (run / "cameras.csv").write_text(CAMERAS, encoding="utf-8")
    patrol = Commands(checkout, run)
    patrol.run("cameras", "import", "cameras.csv")
    token = patrol.run("token", "create", "--name", "desk", "--role", "operator", "--region", "1301").strip()
    patrol.environment["PATROL_TOKEN"] = token
    frames = wire.pack_keyframe(Keyframe("pushed", 0, Codec.MJPEG, black_picture(), 0, None, FeedKind.GATEWAY))
    message = [bytes(frame) for frame in frames]
    engine = patrol.start()
    try:
        with pushing(message, f"tcp://127.0.0.1:{ports[0]}"):
            wait_for(lambda: len(patrol.rows("findings", "list")) == 5, "five findings")
            patrol.run("pause", "--reason", "recorded", "--region", "1301")
        time.sleep(4)  # the visits under way end
        newest = patrol.rows("findings", "list")[0]
        patrol.run("findings", "ack", newest["name"].removeprefix("findings/"))
        replies: dict[str, Any] = {name: patrol.rows(*words) for name, words in REPLIES.items()}
    finally:
        engine.terminate()
        engine.wait(60)
    replies["token"] = token
    replies["schema"] = patrol.rows("db", "current")[0]["schema"]
    shown = patrol.run("config", "show", "--toml").replace(str(run), "@FOLDER@")
    config = "".join(f"{line}\n" for line in shown.splitlines() if not line.startswith("#"))
    for number, port in enumerate(ports):
        config = config.replace(f":{port}", f":@PORT{number}@")
    (folder / "patrol.toml").write_text(config, encoding="utf-8")
    with closing(sqlite3.connect(run / "patrol.db")) as database:
        (folder / "database.sql").write_text("\n".join(database.iterdump()) + "\n", encoding="utf-8")
    shutil.rmtree(folder / "ev", ignore_errors=True)
    shutil.copytree(run / "ev", folder / "ev")
    push_text = json.dumps([base64.b64encode(frame).decode() for frame in message])
    (folder / "push.json").write_text(push_text + "\n", encoding="utf-8")
    text = json.dumps(_short(replies), ensure_ascii=False, indent=1)
    (folder / "replies.json").write_text(text + "\n", encoding="utf-8")


def _short(reply: Any) -> Any:
    """Return a reply without thresholds and figures, which are many and are in the database."""
    if isinstance(reply, list):
        return [_short(row) for row in reply[:20]]
    if isinstance(reply, dict):
        return {key: _short(value) for key, value in reply.items() if key not in ("thresholds", "figures")}
    return reply


if __name__ == "__main__":
    record(Path(os.environ["PYTHONPATH"]), Path(sys.argv[1]).absolute())
