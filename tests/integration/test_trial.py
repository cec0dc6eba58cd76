"""The trial's own parts, a small part of it, and that its steps can be listed. `python -m tests.trial` runs all."""

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from engine.model.verdict import FaultKind, State, Verdict
from tests.trial.cameras import Addresses, TrialCamera, cameras
from tests.trial.machine import ROOT, Trial
from tests.trial.snapshots import snapshot_camera
from tests.trial.steps import STEPS, CannotRunError, Step, expect, run_steps
from tests.trial.steps_monitoring import shortened_rules


def test_the_trial_has_forty_cameras() -> None:
    gst = dict.fromkeys(("clear-h264", "clear-h265", "covered-h264", "login"), 2)
    assert len(cameras(Addresses(1, gst, 3, 4, [5, 6, 7, 8], [9, 10], 11, 12, 13))) == 40


def test_its_steps_are_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.trial", "--list"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert len(done.stdout.splitlines()) >= 15
    assert "verdicts" in done.stdout


def test_a_camera_is_as_expected_only_if_state_and_reason_are() -> None:
    camera = TrialCamera("x", "rtsp://h/1", "fault", ("blurred", "grease"))
    grease = Verdict("1", 1, 1, State.FAULT, announced=State.FAULT, announced_kinds=(FaultKind.GREASE,))
    covered = Verdict("1", 1, 1, State.FAULT, announced=State.FAULT, announced_kinds=(FaultKind.COVERED,))
    assert camera.holds(grease)
    assert not camera.holds(covered)
    assert not camera.holds(None)
    frozen = Verdict("1", 1, 1, State.FAULT, announced=State.FAULT, announced_kinds=(FaultKind.FROZEN,))
    assert TrialCamera("x", "rtsp://h/1", "ok", looped=True).holds(frozen)
    assert not TrialCamera("x", "rtsp://h/1", "ok").holds(frozen)


def test_the_engine_of_the_trial_starts_and_is_broken_on_purpose(tmp_path: Path) -> None:
    with Trial(tmp_path) as trial:
        trial.start_engine()
        assert len(trial.children("worker")) == 1
        assert len(trial.children("hub")) == 1
        assert trial.patrol("cameras", "list", "--config", "patrol.toml").returncode == 0
        trial.stop_engine()
        trial.configure(trouble=True)
        assert trial.patrol("config", "check", "patrol.toml").returncode in (0, 1)


def test_a_step_that_fails_or_cannot_run_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def passes(trial: Trial) -> str:
        del trial
        return "seen"

    def fails(trial: Trial) -> str:
        del trial
        expect(False, "it is wrong")
        return ""

    def breaks(trial: Trial) -> str:
        raise KeyError("x")

    def cannot(trial: Trial) -> str:
        raise CannotRunError("apt-get install it")

    steps = [Step(run.__name__, "a step", run) for run in (passes, fails, breaks, cannot)]
    monkeypatch.setattr("tests.trial.steps.STEPS", steps)
    results = run_steps(Trial(tmp_path), [], float("inf"), lambda _: None)
    assert [(result.outcome, result.seen) for result in results] == [
        ("ok", "seen"),
        ("failed", "it is wrong"),
        ("failed", "KeyError: 'x'"),
        ("skipped", "apt-get install it"),
    ]
    late = run_steps(Trial(tmp_path), ["passes"], 0.0, lambda _: None)
    assert [(result.outcome, result.seen) for result in late] == [("failed", "no time was left for it")]


def test_a_camera_with_digest_gives_pictures_to_those_who_know_the_password() -> None:
    with snapshot_camera({"a.jpg": [b"\xff\xd8picture"]}, "user", "trial") as port:
        url = f"http://127.0.0.1:{port}/a.jpg"

        def fetched(password: str) -> bytes:
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, url, "user", password)
            opener = urllib.request.build_opener(urllib.request.HTTPDigestAuthHandler(passwords))
            with opener.open(url, timeout=5) as reply:
                content: bytes = reply.read()
            return content

        assert fetched("trial") == b"\xff\xd8picture"
        with pytest.raises(OSError, match="401"):
            fetched("wrong")


def test_waits_and_ranges_of_rules_become_seconds() -> None:
    rule = "expr: increase(a_total[15m]) > 3 or changes(b[30m]) > 2\n        for: 10m\n"
    assert shortened_rules(rule) == "expr: increase(a_total[60s]) > 3 or changes(b[60s]) > 2\n        for: 2s\n"


def test_steps_have_names_of_their_own() -> None:
    import tests.trial.__main__  # noqa: F401 (imports every module of steps)

    assert len({step.name for step in STEPS}) == len(STEPS)
