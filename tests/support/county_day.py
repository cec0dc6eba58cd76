"""Parts of the county test: RTSP cameras that can be covered, `patrol run` as a process, followers of watches."""

import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.client import CallError, PatrolClient
from engine.config import load
from engine.demo.clips import ClipPlan
from engine.demo.server import serve
from engine.model.access import Role, TokenOrder
from engine.model.findings import Finding, LedgerEvent
from engine.model.verdict import Verdict
from tests.support.cluster.county_cluster import CountyCluster
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PHOTO, SHIFT = "astronaut.png", 0.741
CLIPS = {
    "clear": (0, ""),
    "covered": (1, "covered"),
    "blurred": (2, "blurred"),
    "covered next door": (3, "covered"),
    "clear next door": (4, ""),
}
"""Number and fault of each clip, by what it shows. The neighbour's clips show the same with different bits."""


@dataclass
class CameraPorts:
    """Ports of the RTSP server and of one that refuses connections."""

    port: int
    refusing: int

    def url(self, shows: str) -> str:
        """Return the URL of a camera that shows a key of CLIPS, or that refuses connections if `shows` is "nothing"."""
        if shows == "nothing":
            return f"rtsp://inspector:geheim@127.0.0.1:{self.refusing}/cam0"
        return f"rtsp://inspector:geheim@127.0.0.1:{self.port}/cam{CLIPS[shows][0]}"


@contextmanager
def camera_server() -> Iterator[CameraPorts]:
    """Run the demo's RTSP server with the clips of CLIPS."""
    plans = [ClipPlan(number, PHOTO, SHIFT, 640, 360, "libx264", fault) for number, fault in CLIPS.values()]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(plans, theirs), daemon=True)
    process.start()
    theirs.close()
    while (heard := ours.recv())[0] != "ports":
        pass
    yield CameraPorts(heard[1][0], heard[1][2])
    ours.close()
    process.join(2)
    if process.is_alive():
        process.kill()


class PatrolProcess:
    """`patrol run` with a configuration file, as a process that can be stopped and started again."""

    def __init__(self, config: Path, address: str) -> None:
        self.address = address
        self.database_url = load(config).record.url
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, token: str = "") -> None:
        """Start the process and return once the API answers."""
        command = [sys.executable, "-m", "engine.cli", "run", "--config", str(self._config)]
        process = self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        with PatrolClient(self.address, token=token, timeout_s=5) as client:

            def answers() -> bool:
                assert process.poll() is None, "the engine ended"
                try:
                    client.status()
                except CallError as error:
                    if error.status != "UNAVAILABLE":
                        raise
                    return False
                return True

            wait_until(answers, 40, what="an answer of the engine", poll_s=0.1)

    def stop(self) -> None:
        """Stop the process with SIGTERM."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(40) == 0
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.stop()


class Tokens:
    """Tokens made over AccessService, by name; the first is the admin's."""

    def __init__(self, patrol: "PatrolProcess | CountyCluster") -> None:
        self._patrol = patrol
        self.secrets: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.make("root", Role.ADMIN, "")

    def make(self, name: str, role: Role, region: str) -> None:
        """Create a token."""
        with self.client("root" if self.secrets else "") as client:
            token, self.secrets[name] = client.access.create_token(TokenOrder(name, role, region))
            self.numbers[name] = token.token_id

    @property
    def address(self) -> str:
        """The address of the engine."""
        return self._patrol.address

    def client(self, name: str) -> PatrolClient:
        """Return a client that sends this token."""
        return PatrolClient(self._patrol.address, token=self.secrets.get(name, ""))


@dataclass
class WatchLog:
    """What both watches of a token delivered, in order. `resumed`: how often one reconnected; `error`: why one
    ended."""

    verdicts: list[Verdict] = field(default_factory=list)
    changes: list[tuple[LedgerEvent, Finding]] = field(default_factory=list)
    resumed: int = 0
    error: str = ""


@contextmanager
def follow_watches(verdicts: PatrolClient, findings: PatrolClient) -> Iterator[WatchLog]:
    """Follow both watches from now on; when the engine goes away they resume from their tokens."""
    heard, stop = WatchLog(), threading.Event()
    began = threading.Barrier(3)

    def follow(take: Callable[[str], Iterator[str]]) -> None:
        token, waited = "", False
        while not stop.is_set():
            try:
                for token in take(token):  # noqa: B020, B007 (where to go on at, should it end)
                    if not waited:
                        waited = True
                        began.wait(20)
            except CallError as error:
                if stop.is_set():
                    return
                if error.status not in ("UNAVAILABLE", "CANCELLED"):
                    heard.error = str(error)
                    return
                heard.resumed += 1
                time.sleep(0.2)
            except ValueError:  # the channel was closed: the day is over
                return

    def take_verdicts(token: str) -> Iterator[str]:
        for batch in verdicts.watch_batches(resume_token=token):
            heard.verdicts += batch.verdicts
            yield batch.resume_token

    def take_findings(token: str) -> Iterator[str]:
        for batch in findings.findings.watch(resume_token=token):
            heard.changes += batch.changes
            yield batch.resume_token

    threads = [
        threading.Thread(target=follow, args=(take_batches,), daemon=True)
        for take_batches in (take_verdicts, take_findings)
    ]
    for thread in threads:
        thread.start()
    began.wait(20)
    yield heard
    stop.set()
    verdicts.close()
    findings.close()
    for thread in threads:
        thread.join(10)
