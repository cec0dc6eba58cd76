"""A real Prometheus (Debian: prometheus) that scrapes engines each second, with the rules that we ship."""

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.support.docs.pages import ROOT
from tests.support.ports import free_port
from tests.support.waiting import wait_until

RULES = ROOT / "docs" / "alerts.yml"
JOB = "kitchen-patrol"
FOR_S = 2
FIRING_S = 120.0
"""A loaded machine starts a process in half a minute, and most metrics are written every 10 s."""
Test = TypeVar("Test", bound=Callable[..., None])


def quick_rules(text: str) -> str:
    """Return the rules with `for: 2s` wherever they wait longer.

    Expressions, ranges and limits stay as shipped: `increase(x[15m])` sees an increase once there are two samples.
    """
    return re.sub(r"^(\s+for: )\S+$", rf"\g<1>{FOR_S}s", text, flags=re.MULTILINE)


def shows(*alerts: str) -> Callable[[Test], Test]:
    """Say which alerts a test shows firing. tests/contract/test_alerts_shown.py compares them with the rules."""

    def mark(test: Test) -> Test:
        test.shows = alerts  # type: ignore[attr-defined]
        return test

    return mark


class Prometheus:
    """Asks a Prometheus that runs at `address`."""

    def __init__(self, address: str) -> None:
        self.address = address

    def results(self, query: str) -> list[Any]:
        """Return the series that a query brings. A query that Prometheus cannot read raises an HTTPError."""
        return list(self._ask(f"query?{urllib.parse.urlencode({'query': query})}")["result"])

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {series["metric"]["alertname"] for series in self.results('ALERTS{alertstate="firing"}')}

    def wait_silent(self, *alerts: str) -> None:
        """Wait until none of these alerts fires, so that what fires them afterwards is the fault of the test."""
        wait_until(lambda: self.firing().isdisjoint(alerts), FIRING_S, what=f"{alerts} to be silent", poll_s=0.5)

    def wait_firing(
        self, *alerts: str, inject: Callable[[], object] = lambda: None, timeout_s: float = FIRING_S
    ) -> None:
        """Wait until all these alerts have fired; `inject` is called before each try."""
        missing = set(alerts)

        def all_fired() -> bool:
            inject()
            missing.difference_update(self.firing())
            return not missing

        try:
            wait_until(all_fired, timeout_s, poll_s=0.5)
        except AssertionError:
            assert missing == set(), f"not fired within {timeout_s:g} s: {missing}"
            raise

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=10) as reply:
            return json.load(reply)["data"]


@contextmanager
def prometheus(folder: Path, targets: Sequence[str], password: str = "", discovery: str = "") -> Iterator[Prometheus]:
    """Scrape the targets each second with this password, and evaluate `quick_rules` as often. Skips where there is no
    Prometheus. `discovery`: URL that is asked each second for more targets."""
    program = shutil.which("prometheus") or pytest.skip("prometheus is not installed (Debian: prometheus)")
    port = free_port()
    (folder / "alerts.yml").write_text(quick_rules(RULES.read_text(encoding="utf-8")), encoding="utf-8")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [alerts.yml]\n"
        f"scrape_configs: [{{job_name: {JOB}, static_configs: [{{targets: {json.dumps(list(targets))}}}]"
        + (f", http_sd_configs: [{{url: '{discovery}', refresh_interval: 1s}}]" if discovery else "")
        + (f", authorization: {{credentials: {password}}}" if password else "")
        + "}]\n"
    )
    process = subprocess.Popen(
        [
            program,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
    )
    try:
        wait_until(lambda: _is_ready(port), timeout_s=60, what="Prometheus to be ready")
        yield Prometheus(f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
