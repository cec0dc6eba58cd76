"""kill -9 at any moment of a run of 100 checks a second: what was acknowledged is there, once; watchers miss nothing.

The long run, of 50 moments, is `python -m tests.kill_nine`.
"""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from engine.client import PatrolClient
from engine.supervisor.app import Supervisor
from tests.kill_nine.run import Run
from tests.support.expect import present
from tests.support.live_engine import refusing_cameras, refusing_settings
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

MOMENTS = 6


@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost_or_doubled_by_any_kill(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = None if database_url.startswith("sqlite") else request.getfixturevalue("postgres_server")
    run = Run(tmp_path, database_url, server, seed=5)
    outcome = run.execute(MOMENTS)
    assert outcome.problems == [], f"{json.dumps(outcome.figures)}\n{run.log()[-5000:]}"
    figures = outcome.figures
    assert figures["moments"] == MOMENTS
    assert min(figures[what] for what in ("acknowledged_verdicts", "checked_now", "findings", "commands_done")) > 0
    assert min(figures["heard"].values()) > 0
    assert min(number for name, number in figures["resumed"].items() if name != "patient") > 1


def test_a_hub_that_comes_back_before_its_database_is_started_until_it_can_run(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    port = free_port()
    chosen = refusing_settings(tmp_path, port)
    chosen = chosen.model_copy(update={"record": chosen.record.model_copy(update={"url": postgres_server.database()})})
    with Supervisor(chosen) as engine, PatrolClient(f"127.0.0.1:{port}") as client:
        client.import_cameras(refusing_cameras(free_port()))
        wait_until(lambda: present(client.status().machine).checks_total > 0, 30)
        postgres_server.stop("immediate")
        try:
            os.kill(engine.pids()["hub"], signal.SIGKILL)
            before = engine.restarts
            wait_until(lambda: engine.restarts >= before + 2, 60)  # the one that was killed, and one that could not run
            assert engine.running
            assert engine.failure is None
        finally:
            postgres_server.start()
        deadline_s = time.monotonic() + 60

        def patrols() -> bool:
            try:
                return present(client.status().machine).checks_total > 0
            except Exception:
                return False

        wait_until(patrols, deadline_s - time.monotonic())
