"""The API of a whole engine: pauses and places that outlive it, tokens made beside it, the examples as they stand."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.client import CallError, PatrolClient
from engine.config import Settings
from engine.config.ledger import LedgerSettings
from engine.config.schema import (
    FeedSettings,
    IntakeSettings,
    LogSettings,
    RecordSettings,
    SchedulerSettings,
    WorkerSettings,
)
from engine.config.serve import ServeSettings
from engine.model.camera import Camera
from engine.model.findings import FindingQuery
from engine.model.kpi import KpiName, KpiQuery, LeagueQuery
from engine.model.schedule import PauseKind, PauseScope
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.served import wait_until

ROOT = Path(__file__).resolve().parents[2]
CAMERAS = 12


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def settings(folder: Path, port: int) -> Settings:
    """Cameras whose port nobody listens on: a verdict each second and camera, at next to no cost."""
    period = dict.fromkeys(("key_period_s", "ordinary_period_s", "suspicious_period_s"), 1)
    backoff = dict.fromkeys(("backoff_stream_first_s", "backoff_connect_first_s", "backoff_lasting_first_s"), 1)
    return Settings(
        feed=FeedSettings(deadline_s=3, connect_timeout_s=1, demuxers=0),
        intake=IntakeSettings(listen=""),
        worker=WorkerSettings(count=1),
        scheduler=SchedulerSettings(**period, **backoff, backoff_max_s=1, outage_cameras_min=1000),
        record=RecordSettings(url=f"sqlite:///{folder}/patrol.db", evidence_dir=f"{folder}/ev"),
        serve=ServeSettings(grpc_listen=f"127.0.0.1:{port}", metrics_listen=""),
        ledger=LedgerSettings(offline_min_h=0),
        log=LogSettings(level="error"),
    )


def cameras(port: int) -> list[Camera]:
    regions = ("130102", "130203")
    return [
        Camera(f"c{n}", f"rtsp://u:p@127.0.0.1:{port}/{n}", region=regions[n % 2], uplink=f"u{n}")
        for n in range(CAMERAS)
    ]


def patrol(config: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", *words, "--config", str(config)],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path):
    """Settings, the same as a file for the command line, and cameras that are offline."""
    port = free_port()
    config = tmp_path / "patrol.toml"
    keys = f"[record]\nurl = 'sqlite:///{tmp_path}/patrol.db'\n[serve]\ngrpc_listen = '127.0.0.1:{port}'\n"
    config.write_text(keys, encoding="utf-8")
    return settings(tmp_path, port), config, f"127.0.0.1:{port}"


def test_a_pause_holds_over_a_restart_and_a_resume_ends_it(place) -> None:
    chosen, config, address = place
    with Supervisor(chosen), PatrolClient(address) as client:
        client.import_cameras(cameras(free_port()))
        wait_until(lambda: client.status().cameras_by_state.get("offline") == CAMERAS, 30)
        assert "paused: region 130102, 6 cameras" in patrol(config, "pause", "--region", "130102", "--reason", "works")
        assert "paused by local (works)" in client.plan("c0").because[0]
        told = {one.camera_id: one.outcome for one in client.check_now(["c0", "c1"], timeout_s=20)}
        assert told == {"c0": "paused", "c1": "verdict"}
    with Supervisor(chosen), PatrolClient(address) as client:
        (status,) = client.schedule().pauses
        assert (status.pause.scope, status.pause.reason) == (PauseScope(PauseKind.REGION, "130102"), "works")
        before = client.verdict("c0").visit_id
        wait_until(lambda: client.schedule().started_total > 3 * CAMERAS, 30)
        assert client.verdict("c0").visit_id == before
        assert "resumed" in patrol(config, "resume", "--region", "130102")
        wait_until(lambda: client.verdict("c0").visit_id > before, 20)
    with Supervisor(chosen), PatrolClient(address) as client:
        assert client.schedule().pauses == ()


def test_a_token_made_on_the_command_line_beside_the_engine_is_asked_for_within_seconds(place) -> None:
    chosen, config, address = place
    with Supervisor(chosen), PatrolClient(address) as client:
        client.import_cameras(cameras(free_port()))
        secret = patrol(config, "token", "create", "--name", "county", "--role", "viewer", "--region", "130102").strip()

        def refused() -> bool:
            try:
                client.status()
            except CallError as error:
                return error.status == "UNAUTHENTICATED"
            return False

        wait_until(refused, 10)
        with PatrolClient(address, token=secret) as county:
            assert county.status().cameras == CAMERAS // 2
        assert "county" in patrol(config, "token", "list")
        patrol(config, "token", "revoke", "1")
        log = patrol(config, "audit")
        assert "CameraService/ImportCameras" in log
        assert "AccessService/CreateToken" in log


def test_a_watch_hears_every_verdict_once_though_the_hub_is_killed(place, tmp_path: Path) -> None:
    chosen, _, address = place
    heard: list[tuple[str, int, int]] = []
    stop = threading.Event()

    with Supervisor(chosen) as engine, PatrolClient(address) as client:
        client.import_cameras(cameras(free_port()))

        def follow() -> None:
            with PatrolClient(address) as watching:
                for one in watching.watch(resume_token="dzE6MA=="):  # from the beginning of the log
                    heard.append((one.camera_id, one.visit_id, one.at_wall_ns))
                    if stop.is_set():
                        return

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        for _ in range(2):
            number = len(heard)
            wait_until(lambda number=number: len(heard) > number + 3 * CAMERAS, 40)
            os.kill(engine.pids()["hub"], signal.SIGKILL)
        number = len(heard)
        wait_until(lambda: len(heard) > number + 3 * CAMERAS, 60)
        stop.set()
        thread.join(20)
    store = Store.open(chosen.record.url)
    logged = [
        (one.verdict.camera_id, one.verdict.visit_id, one.verdict.at_wall_ns)
        for one in store.history.after(0, len(heard))
    ]
    store.close()
    assert heard == logged


def test_what_is_announced_can_be_worked_on_watched_and_counted_over_the_api(place) -> None:
    chosen, _, address = place
    with Supervisor(chosen), PatrolClient(address) as client:
        changes = client.findings.watch()
        place_before = next(changes).resume_token
        client.import_cameras(cameras(free_port()))
        wait_until(lambda: len(list(client.findings.list())) == CAMERAS, 40)
        found = {one.subject.camera_id: one for one in client.findings.list(FindingQuery(region_prefix="130102"))}
        assert sorted(found) == sorted(f"c{n}" for n in range(0, CAMERAS, 2))
        assert {one.subject.cause_key for one in found.values()} == {"offline"}
        finding_id = found["c0"].finding_id
        taken = client.findings.acknowledge(finding_id, "on my way", request_id="r1")
        assert client.findings.acknowledge(finding_id, "on my way", request_id="r1").number == taken.number
        client.findings.claim(finding_id, "switched on again")
        wait_until(lambda: any(one.step == "recheck_begun" for one in client.findings.events(finding_id)), 30)
        steps = [one.step.value for one in client.findings.events(finding_id)]
        assert steps[0] == "opened"
        assert {"acknowledged", "claimed", "recheck_begun"} <= set(steps)
        heard: list[tuple[int, int]] = []
        for batch in client.findings.watch(resume_token=place_before):
            heard += [(event.finding_id, event.number) for event, _ in batch.changes]
            if (finding_id, len(steps)) in heard:
                break
        assert len(heard) == len(set(heard))
        assert [number for one, number in heard if one == finding_id] == list(range(1, len(steps) + 1))
        with pytest.raises(CallError) as caught:
            client.findings.dismiss(finding_id, "x", number=1)
        assert caught.value.status == "ABORTED"
        rows = {row.region: row.rates for row in client.kpis(KpiQuery()).rows}
        assert sorted(rows) == ["130102", "130203"]
        online = rows["130102"][KpiName.ONLINE]
        assert (online.numerator, online.denominator) == (0, CAMERAS // 2)
        assert len(client.league(LeagueQuery(kpi=KpiName.ONLINE)).rows) == 2


def test_the_examples_do_what_they_say(place, tmp_path: Path) -> None:
    chosen, _, address = place
    port = free_port()
    rows = ["camera_id,url,name,site_name,region"]
    rows += [f"e{n},rtsp://127.0.0.1:{port}/{n},烹饪间,一中,130102" for n in range(3)]
    (tmp_path / "good.csv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "bad.csv").write_text("\n".join([*rows, "e9,gopher://x,,,13"]), encoding="utf-8")
    where = tmp_path / "place"

    def example(name: str, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, f"examples/{name}", *words, "--server", address]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env=environment
        )

    with Supervisor(chosen):
        bad = example("import_registry.py", str(tmp_path / "bad.csv"))
        assert (bad.returncode, bad.stdout) == (1, "0 added, 0 changed, 0 unchanged, 1 problems\n")
        assert bad.stderr.startswith("row 4: url 'gopher://x': ")
        good = example("import_registry.py", str(tmp_path / "good.csv"))
        assert good.stdout == "3 added, 0 changed, 0 unchanged, 0 problems\n", good.stderr
        where.write_text("dzE6MA==")
        followed = example("follow_verdicts.py", str(where), "--count", "3")
        assert {line.split()[0] for line in followed.stdout.splitlines()} == {"e0", "e1", "e2"}, followed.stderr
        assert where.read_text() != "dzE6MA=="
