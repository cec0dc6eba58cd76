"""Steps: a real Prometheus scrapes the engine, and its rules fire when something is broken on purpose."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from typing import Any

from tests.support.ports import free_port
from tests.trial.machine import ROOT, Trial
from tests.trial.servers import listens, running
from tests.trial.steps import CannotRunError, expect, step

RULES = ROOT / "docs" / "alerts.yml"
FIRING_MIN = 6
FIRING_S = 120.0
FOR = "2s"
RANGE = "60s"
JOB = "kitchen-patrol"
"""What the rules call the scrape job."""


def shortened_rules(text: str) -> str:
    """Rules with waits of FOR and ranges of RANGE, so that minutes become seconds. Counts stay as they are."""
    text = re.sub(r"(\bfor:\s*)\S+", rf"\g<1>{FOR}", text)
    return re.sub(r"\[\d+(?:ms|s|m|h|d)(:[^\]]*)?\]", f"[{RANGE}]", text)


@step("Prometheus scrapes the engine")
def prometheus(trial: Trial) -> str:
    program = shutil.which("prometheus")
    if program is None:
        raise CannotRunError("apt-get install prometheus")
    folder = trial.folder / "prometheus"
    folder.mkdir(exist_ok=True)
    rules = ""
    if RULES.exists():
        (folder / "alerts.yml").write_text(shortened_rules(RULES.read_text(encoding="utf-8")), encoding="utf-8")
        rules = "rule_files: [alerts.yml]\n"
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n{rules}"
        f"scrape_configs:\n- job_name: {JOB}\n  static_configs:\n  - targets: ['127.0.0.1:{trial.metrics}']\n"
    )
    trial.prometheus = free_port()
    trial.stack.enter_context(
        running(
            program,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{trial.prometheus}",
        )
    )
    trial.wait(lambda: listens(trial.prometheus), 20, "Prometheus listens")
    trial.wait(lambda: _value(trial, "sum(patrol_visits_total)") > 0, 30, "a sample of patrol_visits_total")
    return (
        f"{len(_ask(trial, 'label/__name__/values'))} metrics, {_value(trial, 'sum(patrol_visits_total)'):.0f} visits"
    )


@step("at least six alert rules fire once things are broken on purpose")
def alerts(trial: Trial) -> str:
    if not RULES.exists():
        raise CannotRunError(f"there is no {RULES.relative_to(ROOT)}")
    if not trial.prometheus:
        raise CannotRunError("no Prometheus runs")
    trial.wait(lambda: "PatrolDown" not in _firing(trial), 30, "no PatrolDown while the engine runs")
    quiet = _firing(trial)
    _break_things(trial)
    fired: set[str] = set()
    give_up_s = time.monotonic() + FIRING_S
    hub_from_s = give_up_s - FIRING_S / 2  # a hub that is killed shows nothing else: first the rest
    while time.monotonic() < give_up_s and len(fired) < FIRING_MIN:
        if trial.answers():
            os.kill(trial.engine_pid, signal.SIGHUP)
            roles = ("worker", "feeder") if time.monotonic() < hub_from_s else ("worker", "feeder", "hub")
            for process in [process for role in roles for process in trial.children(role)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        for _ in range(4):
            time.sleep(1)
            fired |= _firing(trial) - quiet
    told = f"{len(fired)} fired: {', '.join(sorted(fired))}; before: {', '.join(sorted(quiet)) or 'none'}"
    expect(len(fired) >= FIRING_MIN, f"only {told}")
    return told


@step("promtool finds no fault in the rules")
def promtool(trial: Trial) -> str:
    del trial
    program = shutil.which("promtool")
    if program is None:
        raise CannotRunError("apt-get install prometheus")
    if not RULES.exists():
        raise CannotRunError(f"there is no {RULES.relative_to(ROOT)}")
    done = subprocess.run([program, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    expect(done.returncode == 0, done.stdout + done.stderr)
    return " ".join(done.stdout.split())[-80:]


def _break_things(trial: Trial) -> None:
    """Restart the engine broken on purpose, stop every media server, and leave a file that a reload refuses."""
    trial.stop_engine()
    trial.configure(trouble=True)
    trial.start_engine()
    trial.media.close()
    with (trial.folder / "patrol.toml").open("a", encoding="utf-8") as file:
        file.write("\n[nonsense]\nkey = 1\n")


def _firing(trial: Trial) -> set[str]:
    found = _ask(trial, "alerts")["alerts"]
    return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}


def _value(trial: Trial, query: str) -> float:
    result = _ask(trial, f"query?{urllib.parse.urlencode({'query': query})}")["result"]
    return float(result[0]["value"][1]) if result else 0.0


def _ask(trial: Trial, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{trial.prometheus}/api/v1/{path}", timeout=10) as reply:
        return json.load(reply)["data"]
