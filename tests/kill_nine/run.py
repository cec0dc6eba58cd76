"""Runs the engine and its clients, kills processes, and compares the results."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from engine.client import CallError, PatrolClient
from engine.storage.db.store import Store
from tests.kill_nine.audit import StoredLogs
from tests.kill_nine.clients import (
    CallOutcomes,
    Checker,
    Client,
    FindingWatcher,
    Gateway,
    Inspector,
    PatientWatcher,
    VerdictWatcher,
    cameras,
)
from tests.support.ports import free_ports
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
"""The first start on a machine compiles the kernels."""
RECOVER_S = 45.0
"""A moment is not waited for longer than that; a run that does not recover has failed."""
CATCH_UP_S = 45.0
_FLOWING = 50
"""Verdicts after a kill that show that the patrol goes on."""
_AT_ONCE_SHARE = 0.2
"""Of the moments that fall into the recovery from the last."""
_BETWEEN_S_MAX = 2.0
_OF_POSTGRES = ("postmaster", "backend", "both")
_AWAY_S_MAX = {"postmaster": 1.0, "both": 8.0}

_CONFIG = """
[feed]
deadline_s = 3
connect_timeout_s = 1
demuxers = 0
[intake]
listen = "tcp://127.0.0.1:{intake}"
stale_after_s = 5
[worker]
count = 2
[scheduler]
key_period_s = 4
ordinary_period_s = 4
suspicious_period_s = 4
backoff_stream_first_s = 1
backoff_connect_first_s = 1
backoff_lasting_first_s = 1
backoff_max_s = 1
outage_cameras_min = 1000
[record]
url = "{url}"
evidence_dir = "{folder}/evidence"
quarantine_dir = "{folder}/quarantine"
[serve]
grpc_listen = "127.0.0.1:{grpc}"
metrics_listen = ""
[web]
enabled = false
[ledger]
offline_min_h = 0
settle_h = 0.002
recheck_spacing_s = 1
[log]
level = "warning"
"""


@dataclass
class Outcome:
    """The result of a run; it passed if there are no problems."""

    problems: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


class Run:
    """One run. `postgres`: the server, which is killed too; None if the database is a file."""

    def __init__(self, folder: Path, url: str, postgres: PostgresServer | None, seed: int) -> None:
        self._folder, self._url, self._postgres = folder, url, postgres
        self._rng = random.Random(seed)
        self._seed = seed
        self._ports = dict(zip(("intake", "grpc", "closed"), free_ports(3), strict=True))
        self.address = f"127.0.0.1:{self._ports['grpc']}"
        self._killed: Counter[str] = Counter()
        self._recoveries_s: list[float] = []
        self._problems: list[str] = []

    def execute(self, moments: int) -> Outcome:
        """Run with so many kills and return the outcome."""
        outcomes = CallOutcomes(threading.Event())
        rows = cameras(self._ports["closed"])
        with self._engine() as engine:
            with PatrolClient(self.address) as client:
                client.import_cameras(rows)
            store = Store.open(self._url)
            gateway = Gateway(f"tcp://127.0.0.1:{self._ports['intake']}", outcomes)
            callers: list[Client] = [
                *(Checker(self.address, n, outcomes) for n in range(2)),
                *(Inspector(self.address, n, outcomes) for n in range(2)),
            ]
            watchers = [
                VerdictWatcher("all", self.address, outcomes),
                VerdictWatcher("county", self.address, outcomes, region="130102", leaves=20),
                VerdictWatcher("changes", self.address, outcomes, changes_only=True),
                VerdictWatcher("some", self.address, outcomes, camera_ids=("p1", "p2", "v3")),
                PatientWatcher("patient", self.address, outcomes, region="130203"),
            ]
            ledger = [
                FindingWatcher("ledger", self.address, outcomes),
                FindingWatcher("ledger-county", self.address, outcomes, region="130102"),
            ]
            listeners: list[VerdictWatcher | FindingWatcher] = [*watchers, *ledger]
            clients: list[Client] = [gateway, *callers, *listeners]
            for thread in clients:
                thread.start()
            began_s = time.monotonic()
            try:
                self._moments(engine, store, moments)
                seconds, stored = time.monotonic() - began_s, _head(store)
                gateway.stopping.set()
                gateway.join(10)
                cutoffs = _head(store), _patiently(store.findings.last_seq)
                stored_logs = StoredLogs(self._url, rows, self._folder / "evidence")
                _until(
                    lambda: (
                        all(len(watcher.received) >= stored_logs.due(watcher) for watcher in watchers)
                        and all(len(watcher.received) >= stored_logs.due_events(watcher) for watcher in ledger)
                    ),
                    CATCH_UP_S,
                )
            finally:
                outcomes.stop.set()
                store.close()
            for caller in callers:
                caller.join(30)
            if engine.poll() is not None:
                self._problems.append(f"patrol run ended by itself with {engine.returncode}: {self.log()[-2000:]}")
        for thread in clients:
            # The patient one ends with the next verdict, and there may be none.
            thread.join(30 if thread.name != "patient" else 0)
            if thread.failure is not None or (thread.is_alive() and thread.name != "patient"):
                self._problems.append(f"{thread.name}: {thread.failure!r}, or it did not end")
        logs = StoredLogs(self._url, rows, self._folder / "evidence")
        logs.check_verdicts()
        logs.check_ledger()
        for watcher in watchers:
            logs.check_watcher(watcher, cutoffs[0])
        for follower in ledger:
            logs.check_finding_watcher(follower, cutoffs[1])
        commands = [
            command for inspector in callers if isinstance(inspector, Inspector) for command in inspector.commands
        ]
        checkers = [caller for caller in callers if isinstance(caller, Checker)]
        for checker in checkers:
            logs.check_acknowledged(checker.name, checker.verdicts)
        logs.check_commands("inspectors", commands)
        unexpected = Counter(outcomes.unexpected)
        problems = [*self._problems, *logs.problems, *(f"{n} x {what}" for what, n in unexpected.most_common(20))]
        figures = {
            "seed": self._seed,
            "moments": sum(self._killed.values()),
            "killed": dict(self._killed),
            "seconds": round(seconds, 1),
            "pushed": gateway.sent,
            "verdicts": len(logs.verdicts),
            "checks_per_s": round(stored / seconds, 1),
            "acknowledged_verdicts": sum(len(checker.verdicts) for checker in checkers),
            "checked_now": sum(checker.checked for checker in checkers),
            "events": len(logs.events),
            "findings": len({event.event.finding_id for event in logs.events}),
            "commands_done": sum(command.number > 0 for command in commands),
            "commands_refused": sum(command.number == 0 for command in commands),
            "commands_repeated": sum(caller.repeated for caller in callers if isinstance(caller, Inspector)),
            "heard": {listener.name: len(listener.received) for listener in listeners},
            "resumed": {listener.name: listener.resumed for listener in listeners},
            "statuses": dict(outcomes.statuses),
            "recovery_s_max": round(max(self._recoveries_s, default=0), 1),
        }
        return Outcome(problems, figures)

    def log(self) -> str:
        """Return the engine's log."""
        return (self._folder / "engine.log").read_text(errors="replace")

    def _moments(self, engine: "subprocess.Popen[bytes]", store: Store, moments: int) -> None:
        if not _until(lambda: _head(store) > 2 * _FLOWING, START_S):
            self._problems.append(f"no verdicts within {START_S:g} s of the start: {self.log()[-2000:]}")
            return
        kinds = ["hub", "hub", "worker"] if self._postgres is None else ["hub", "worker", *_OF_POSTGRES]
        for number in range(moments):
            time.sleep(self._rng.uniform(0, _BETWEEN_S_MAX))
            what = self._rng.choice(kinds)
            self._kill(what, engine)
            self._killed[what] += 1
            last = number == moments - 1
            if last or self._rng.random() > _AT_ONCE_SHARE:
                killed_s, before = time.monotonic(), _head(store)
                if not self._flows(store, before + _FLOWING):
                    self._problems.append(f"no recovery from moment {number}, {what}: {self.log()[-2000:]}")
                    return
                self._recoveries_s.append(time.monotonic() - killed_s)

    def _flows(self, store: Store, until: int) -> bool:
        return _until(lambda: _head(store) > until, RECOVER_S)

    def _kill(self, what: str, engine: "subprocess.Popen[bytes]") -> None:
        if what in ("hub", "worker"):
            if _until(lambda: bool(children(engine.pid, what)), RECOVER_S):
                _kill_nine(self._rng.choice(children(engine.pid, what)))
        elif self._postgres is not None and what in ("postmaster", "both"):
            _kill_nine(self._postgres.pid)
            if what == "both":  # a hub that comes back before its database does
                self._kill("hub", engine)
            time.sleep(self._rng.uniform(0, _AWAY_S_MAX[what]))
            assert _until(self._started, 30), "PostgreSQL does not start again"
        elif self._postgres is not None:
            with contextlib.suppress(psycopg.Error), self._superuser() as connection:
                rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname LIKE 'patrol%'").fetchall()
                if rows:
                    _kill_nine(self._rng.choice(sorted(rows))[0])

    def _superuser(self) -> "psycopg.Connection[Any]":
        assert self._postgres is not None
        return psycopg.connect(f"host={self._postgres.folder} user=patrol dbname=postgres", autocommit=True)

    def _started(self) -> bool:
        assert self._postgres is not None
        try:
            self._postgres.start()
        except RuntimeError:
            return False  # a process of the server that was killed still holds its memory
        return True

    @contextlib.contextmanager
    def _engine(self) -> "Iterator[subprocess.Popen[bytes]]":
        config = self._folder / "patrol.toml"
        config.write_text(_CONFIG.format(url=self._url, folder=self._folder, **self._ports), encoding="utf-8")
        with (self._folder / "engine.log").open("wb") as log:
            engine = subprocess.Popen(
                [sys.executable, "-m", "engine.cli", "run", "--config", str(config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
            )  # fmt: skip
        try:
            if not _until(self._answers, START_S):
                raise RuntimeError(f"the engine does not start: {self.log()}")
            yield engine
        finally:
            engine.terminate()
            try:
                engine.wait(20)
            except subprocess.TimeoutExpired:
                engine.kill()
                engine.wait()

    def _answers(self) -> bool:
        try:
            with PatrolClient(self.address, timeout_s=2) as client:
                client.status()
        except CallError:
            return False
        return True


def children(pid: int, role: str) -> list[int]:
    """Processes of this role that the supervisor has."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                if role.encode() in words:
                    found.append(child)
    return found


def _kill_nine(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _head(store: Store) -> int:
    return _patiently(store.history.last_seq)


def _patiently(ask: Callable[[], int]) -> int:
    """The server may be away for a moment."""
    give_up_s = time.monotonic() + RECOVER_S
    while True:
        try:
            return ask()
        except Exception:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.2)


def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Return whether the condition came true in time: a run notes what did not, and goes on."""
    try:
        return wait_until(condition, timeout_s, poll_s=0.1)
    except AssertionError:
        return False
