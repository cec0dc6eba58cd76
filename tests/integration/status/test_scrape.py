"""What the first scrape of a real engine shows, and what later ones do."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest

from engine.clock import wall_ns
from engine.config.feed import FeedSettings
from engine.config.schema import RecordSettings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.judge.state import JudgeState
from engine.metrics.definitions import METRICS
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera
from engine.model.verdict import State, Verdict
from engine.storage.db.store import Store, VisitRecord
from engine.supervisor.app import Supervisor
from tests.support.certificates import certificate
from tests.support.live_engine import Labels, fast_scheduler, scrape, settings
from tests.support.waiting import wait_until

DAY_S = 86_400
TOKEN_S = 3 * DAY_S
HOUR_NS = 3600 * 10**9
BUDGET = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """An engine without cameras, with TLS, two tokens, a feeder and a demuxer."""
    folder = tmp_path_factory.mktemp("scrape")
    pem, _ = certificate(folder)
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    store.access.create_token(TokenOrder("forever", Role.VIEWER), "test", wall_ns())
    store.access.create_token(TokenOrder("soon", Role.VIEWER, "", wall_ns() + TOKEN_S * 10**9), "test", wall_ns())
    store.close()
    record = RecordSettings(
        url=f"sqlite:///{folder}/patrol.db",
        evidence_dir=f"{folder}/ev",
        quarantine_dir=f"{folder}/q",
        evidence_bytes_max=BUDGET,
    )
    serve = ServeSettings(
        grpc_listen="127.0.0.1:0",
        metrics_listen="127.0.0.1:0",
        tls_cert_file=str(pem),
        tls_key_file=str(folder / "key.pem"),
    )
    with Supervisor(settings(folder, record=record, serve=serve, feed=FeedSettings(feeders=1, demuxers=1))) as engine:
        yield engine


def sample(engine: Supervisor, name: str, **labels: str) -> float | None:
    key: Labels = tuple(sorted(labels.items()))
    return scrape(engine.addresses["metrics"]).get((name, key))


def test_the_first_scrape_shows_every_counter_at_zero(engine: Supervisor) -> None:
    """`increase()` cannot see the first restart, or the first store error, of a series that begins at 1."""
    shown = scrape(engine.addresses["metrics"])
    missing, counted = [], []
    for metric in METRICS:
        name = f"{metric.name}_count" if metric.kind == "histogram" else metric.name
        for values in product(*(label.values for label in metric.labels)):
            key: Labels = tuple(sorted(zip(metric.label_names, values, strict=True)))
            if metric.kind != "info" and (name, key) not in shown:
                missing.append((name, key))
            elif metric.kind == "counter" and shown[name, key]:
                counted.append((name, key))
    assert not missing
    assert not counted


def test_the_first_scrape_shows_what_is_there(engine: Supervisor) -> None:
    wait_until(lambda: sample(engine, "patrol_ready") == 1)  # the feeder and the demuxer start after the hub
    shown = scrape(engine.addresses["metrics"])
    assert shown["patrol_store_writable", ()] == 1
    assert shown["patrol_evidence_budget_bytes", ()] == BUDGET
    assert shown["patrol_evidence_bytes", ()] == 0
    assert shown["patrol_class_coverage_ratio", (("class", "ordinary"),)] == 1
    assert shown["patrol_outage_cameras", (("host", "other"),)] == 0


def test_promtool_finds_nothing_wrong_with_a_live_scrape(engine: Supervisor) -> None:
    promtool = shutil.which("promtool") or pytest.skip("promtool is not installed (Debian: prometheus)")
    wait_until(lambda: sample(engine, "patrol_process_resident_memory_bytes", process="hub"))  # the last that appears
    with urllib.request.urlopen(f"http://{engine.addresses['metrics']}/metrics") as reply:
        text = reply.read()
    linted = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, b"")


def test_feeders_and_demuxers_are_counted_apart(engine: Supervisor) -> None:
    for kind in ("feeder", "demuxer"):
        wait_until(lambda kind=kind: sample(engine, "patrol_feeders_ready", kind=kind) == 1)  # type: ignore[misc]


def test_certificate_and_token_say_how_long_they_hold(engine: Supervisor) -> None:
    certificate_s = wait_until(lambda: sample(engine, "patrol_certificate_remaining_seconds"))
    assert DAY_S - 600 < certificate_s <= DAY_S
    token_s = wait_until(lambda: sample(engine, "patrol_token_remaining_seconds"))
    assert TOKEN_S - 600 < token_s <= TOKEN_S


def test_every_process_says_how_much_memory_it_uses(engine: Supervisor) -> None:
    names = ("supervisor", "hub", "worker-0", "feeder-0", "demuxer-0")
    shown = "patrol_process_resident_memory_bytes"
    wait_until(lambda: all((sample(engine, shown, process=name) or 0) > 5_000_000 for name in names))


def test_the_first_restart_is_an_increase(engine: Supervisor) -> None:
    killed = {"kind": "demuxer", "reason": "signal_9"}
    assert sample(engine, "patrol_feeder_restarts_total", **killed) == 0
    os.kill(engine.pids()["demuxer-0"], signal.SIGKILL)
    wait_until(lambda: sample(engine, "patrol_feeder_restarts_total", **killed) == 1)


def test_a_process_that_is_given_up_is_counted_under_the_reason(engine: Supervisor) -> None:
    os.kill(engine.pids()["feeder-0"], signal.SIGSTOP)
    given_up = {"kind": "feeder", "reason": "stopped"}
    wait_until(lambda: sample(engine, "patrol_feeder_restarts_total", **given_up) == 1, 60)
    wait_until(lambda: sample(engine, "patrol_feeders_ready", kind="feeder") == 1, 60)


def readyz(engine: Supervisor) -> tuple[int, list[str]]:
    try:
        with urllib.request.urlopen(f"http://{engine.addresses['metrics']}/readyz") as reply:
            return reply.status, reply.read().decode().splitlines()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().splitlines()


@pytest.mark.long
def test_an_engine_without_a_worker_is_not_ready_but_lives(tmp_path: Path) -> None:
    with Supervisor(settings(tmp_path, worker=WorkerSettings(count=1, spare=False))) as engine:
        wait_until(lambda: readyz(engine) == (200, ["ok"]))
        pids: list[int] = [0]
        for _ in range(8):  # each loss doubles the wait for the next worker, until callers are to hear of it
            pids.append(wait_until(lambda: (pid := engine.pids().get("worker-0", 0)) not in pids and pid, 60))
            os.kill(pids[-1], signal.SIGKILL)
        status, reasons = wait_until(lambda: readyz(engine) if readyz(engine)[0] == 503 else None)
        assert (status, reasons) == (503, ["no worker is ready; the log says why they end"])
        with urllib.request.urlopen(f"http://{engine.addresses['metrics']}/healthz") as reply:
            assert reply.read() == b"ok\n"
        wait_until(lambda: readyz(engine) == (200, ["ok"]), 60)


def test_an_engine_whose_database_takes_no_writes_is_not_ready_until_it_does(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    with ExitStack() as stack:
        engine = stack.enter_context(Supervisor(chosen))
        wait_until(lambda: readyz(engine) == (200, ["ok"]))
        other = stack.enter_context(contextlib.closing(sqlite3.connect(tmp_path / "patrol.db", isolation_level=None)))
        other.execute("BEGIN IMMEDIATE")
        status, reasons = wait_until(lambda: readyz(engine) if readyz(engine)[0] == 503 else None, 30)
        assert reasons == ["the database does not take writes; the log says why"]
        wait_until(lambda: sample(engine, "patrol_store_writable") == sample(engine, "patrol_ready") == 0)
        other.execute("ROLLBACK")
        wait_until(lambda: readyz(engine) == (200, ["ok"]), 30)
        assert status == 503


def test_cameras_that_were_offline_before_a_restart_are_still_offline_for_long(tmp_path: Path) -> None:
    now_ns = wall_ns()
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    store.registry.upsert([Camera(camera_id, "", push=True) for camera_id in ("long", "short", "ok")])
    long_ns = 2 * HOUR_NS
    since = {"long": (State.OFFLINE, long_ns), "short": (State.OFFLINE, HOUR_NS // 2), "ok": (State.OK, long_ns)}
    store.write(
        [
            VisitRecord(
                Verdict(camera_id, 1, now_ns, state, announced=state, since_wall_ns=now_ns - ago_ns),
                JudgeState(announced=state).to_bytes(),
            )
            for camera_id, (state, ago_ns) in since.items()
        ]
    )
    store.close()
    with Supervisor(settings(tmp_path, scheduler=fast_scheduler(ordinary_period_s=600))) as engine:
        wait_until(lambda: sample(engine, "patrol_cameras_long_offline") == 1)
        shown = scrape(engine.addresses["metrics"])
        offline = [value for (name, labels), value in shown.items() if ("state", "offline") in labels and value]
        assert offline == [2]
