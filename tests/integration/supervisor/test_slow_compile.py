"""A whole engine whose worker compiles for longer than a start may last, or hangs while it says that it compiles."""

import time
from pathlib import Path

import pytest
import structlog

from engine.clock import NS_PER_S
from engine.errors import PatrolError
from engine.supervisor import processes, start_wait
from engine.supervisor.app import Supervisor
from engine.supervisor.liveness import Limits
from tests.support.live_engine import settings
from tests.support.slow_start import HANG, compute_until, slow_import

pytestmark = pytest.mark.timeout(400)


@pytest.mark.long
def test_a_start_waits_for_a_worker_that_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = tmp_path / "compiled"
    slow_import(tmp_path / "site", monkeypatch, "worker", compute_until(compiled))
    monkeypatch.setattr(start_wait, "START_TIMEOUT_S", 45.0)
    began_s = time.monotonic()

    class Timed(start_wait.StartWait):
        def turn(self, compiles: bool, now_ns: int) -> PatrolError | None:
            if time.monotonic() - began_s > 46:
                compiled.touch()
            return super().turn(compiles, now_ns)

    monkeypatch.setattr("engine.supervisor.app.StartWait", Timed)
    with structlog.testing.capture_logs() as log, Supervisor(settings(tmp_path)) as engine:
        assert "worker-0" in engine.pids()
        assert engine.restarts == 0
    assert any("compiling the engine's code" in line["event"] for line in log)


def test_a_start_on_a_machine_that_is_too_slow_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_import(tmp_path / "site", monkeypatch, "worker", compute_until(tmp_path / "never"))
    monkeypatch.setattr(start_wait, "COMPILE_S_MAX", 3.0)
    with pytest.raises(PatrolError, match="too slow or too busy"), Supervisor(settings(tmp_path)):
        pass


def test_a_worker_that_hangs_while_it_says_that_it_compiles_is_ended_and_the_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = tmp_path / "hung"
    action = f"os.path.exists({str(once)!r}) or (open({str(once)!r}, 'w').close(), {HANG})"
    slow_import(tmp_path / "site", monkeypatch, "worker", action)
    monkeypatch.setattr(processes, "Limits", lambda: Limits(start_idle_ns=3 * NS_PER_S))
    with structlog.testing.capture_logs() as log, Supervisor(settings(tmp_path)) as engine:
        assert "worker-0" in engine.pids()
    assert [line["reason"] for line in log if line["event"] == "process stuck"] == ["not_ready"]


def test_a_start_in_which_a_worker_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_import(tmp_path / "site", monkeypatch, "worker", HANG)
    monkeypatch.setattr(start_wait, "START_TIMEOUT_S", 6.0)
    with pytest.raises(PatrolError, match="not ready after 6 s"), Supervisor(settings(tmp_path)):
        pass
