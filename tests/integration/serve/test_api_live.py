"""The API of a whole engine: pauses and places that outlive it, tokens made beside it, the examples as they stand."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sized
from functools import partial
from pathlib import Path

import pytest

from engine.client import CallError, PatrolClient
from engine.config import Settings
from engine.model.findings import FindingQuery
from engine.model.kpi import KpiName, KpiQuery, LeagueQuery
from engine.model.schedule import PauseKind, PauseScope
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.live_engine import REFUSING_CAMERAS, refusing_cameras, refusing_settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]


def more_than(heard: Sized, number: int) -> bool:
    return len(heard) > number


def patrol(config: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", *words, "--config", str(config)],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


Place = tuple[Settings, Path, str]
"""Settings of an engine, the same as a file for the command line, and its address."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Settings, the same as a file for the command line, and cameras that are offline."""
    port = free_port()
    config = tmp_path / "patrol.toml"
    keys = f"[record]\nurl = 'sqlite:///{tmp_path}/patrol.db'\n[serve]\ngrpc_listen = '127.0.0.1:{port}'\n"
    config.write_text(keys, encoding="utf-8")
    return refusing_settings(tmp_path, port), config, f"127.0.0.1:{port}"


@pytest.mark.long
def test_a_pause_holds_over_a_restart_and_a_resume_ends_it(place: Place) -> None:
    chosen, config, address = place
    with Supervisor(chosen), PatrolClient(address) as client:
        client.import_cameras(refusing_cameras(free_port()))
        wait_until(lambda: client.status().cameras_by_state.get("offline") == REFUSING_CAMERAS, 30)
        assert "paused: region 130102, 6 cameras" in patrol(config, "pause", "--region", "130102", "--reason", "works")
        assert "paused by local (works)" in client.plan("c0").because[0]
        told = {checked.camera_id: checked.outcome for checked in client.check_now(["c0", "c1"], timeout_s=20)}
        assert told == {"c0": "paused", "c1": "verdict"}
    with Supervisor(chosen), PatrolClient(address) as client:
        (status,) = client.schedule().pauses
        assert (status.pause.scope, status.pause.reason) == (PauseScope(PauseKind.REGION, "130102"), "works")
        before = client.verdict("c0").visit_id
        wait_until(lambda: client.schedule().started_total > 3 * REFUSING_CAMERAS, 30)
        assert client.verdict("c0").visit_id == before
        assert "resumed" in patrol(config, "resume", "--region", "130102")
        wait_until(lambda: client.verdict("c0").visit_id > before, 20)
    with Supervisor(chosen), PatrolClient(address) as client:
        assert client.schedule().pauses == ()


def test_a_token_made_on_the_command_line_beside_the_engine_is_asked_for_within_seconds(place: Place) -> None:
    chosen, config, address = place
    with Supervisor(chosen), PatrolClient(address) as client:
        client.import_cameras(refusing_cameras(free_port()))
        secret = patrol(config, "token", "create", "--name", "county", "--role", "viewer", "--region", "130102").strip()

        def refused() -> bool:
            try:
                client.status()
            except CallError as error:
                return error.status == "UNAUTHENTICATED"
            return False

        wait_until(refused, 10)
        with PatrolClient(address, token=secret) as county:
            assert county.status().cameras == REFUSING_CAMERAS // 2
        assert "county" in patrol(config, "token", "list")
        patrol(config, "token", "revoke", "1")
        log = patrol(config, "audit")
        assert "CameraService/ImportCameras" in log
        assert "AccessService/CreateToken" in log


@pytest.mark.long
def test_a_watch_hears_every_verdict_once_though_the_hub_is_killed(place: Place, tmp_path: Path) -> None:
    chosen, _, address = place
    heard: list[tuple[str, int, int]] = []
    stop = threading.Event()

    with Supervisor(chosen) as engine, PatrolClient(address) as client:
        client.import_cameras(refusing_cameras(free_port()))

        def follow() -> None:
            with PatrolClient(address) as watching:
                for verdict in watching.watch(resume_token="dzE6MA=="):  # from the beginning of the log
                    heard.append((verdict.camera_id, verdict.visit_id, verdict.at_wall_ns))
                    if stop.is_set():
                        return

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        for _ in range(2):
            wait_until(partial(more_than, heard, len(heard) + 3 * REFUSING_CAMERAS), 40)
            os.kill(engine.pids()["hub"], signal.SIGKILL)
        wait_until(partial(more_than, heard, len(heard) + 3 * REFUSING_CAMERAS), 60)
        stop.set()
        thread.join(20)
    store = Store.open(chosen.record.url)
    logged = [
        (row.verdict.camera_id, row.verdict.visit_id, row.verdict.at_wall_ns)
        for row in store.history.after(0, len(heard))
    ]
    store.close()
    assert heard == logged


def test_what_is_announced_can_be_worked_on_watched_and_counted_over_the_api(place: Place) -> None:
    chosen, _, address = place
    with Supervisor(chosen), PatrolClient(address) as client:
        changes = client.findings.watch()
        place_before = next(changes).resume_token
        client.import_cameras(refusing_cameras(free_port()))
        wait_until(lambda: len(list(client.findings.list())) == REFUSING_CAMERAS, 40)
        found = {
            finding.subject.camera_id: finding for finding in client.findings.list(FindingQuery(region_prefix="130102"))
        }
        assert sorted(found) == sorted(f"c{n}" for n in range(0, REFUSING_CAMERAS, 2))
        assert {finding.subject.cause_key for finding in found.values()} == {"offline"}
        finding_id = found["c0"].finding_id
        taken = client.findings.acknowledge(finding_id, "on my way", request_id="r1")
        assert client.findings.acknowledge(finding_id, "on my way", request_id="r1").number == taken.number
        client.findings.claim(finding_id, "switched on again")
        wait_until(lambda: any(event.step == "recheck_begun" for event in client.findings.events(finding_id)), 30)
        steps = [event.step.value for event in client.findings.events(finding_id)]
        assert steps[0] == "opened"
        assert {"acknowledged", "claimed", "recheck_begun"} <= set(steps)
        heard: list[tuple[int, int]] = []
        for batch in client.findings.watch(resume_token=place_before):
            heard += [(event.finding_id, event.number) for event, _ in batch.changes]
            if (finding_id, len(steps)) in heard:
                break
        assert len(heard) == len(set(heard))
        assert [number for event, number in heard if event == finding_id] == list(range(1, len(steps) + 1))
        with pytest.raises(CallError) as caught:
            client.findings.dismiss(finding_id, "x", number=1)
        assert caught.value.status == "ABORTED"
        rows = {row.region: row.rates for row in client.kpis(KpiQuery()).rows}
        assert sorted(rows) == ["130102", "130203"]
        online = rows["130102"][KpiName.ONLINE]
        assert (online.numerator, online.denominator) == (0, REFUSING_CAMERAS // 2)
        assert len(client.league(LeagueQuery(kpi=KpiName.ONLINE)).rows) == 2


def test_the_examples_do_what_they_say(place: Place, tmp_path: Path) -> None:
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
