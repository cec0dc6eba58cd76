"""Cameras behind links that lose, delay and cut: visits end in time and in the right reason, and cameras come back.

The hosts are network namespaces of the test's own; docs/faults.md says what an operator sees.
"""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.expect import present
from tests.support.network.hosts import FAR, ROOT, Hosts, two_hosts
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

CONFIG = """
[feed]
demuxers = 0
deadline_s = 4
connect_timeout_s = 2
[worker]
count = 1
spare = false
[intake]
listen = ""
[scheduler]
key_period_s = 2
ordinary_period_s = 2
suspicious_period_s = 2
backoff_stream_first_s = 2
backoff_connect_first_s = 2
backoff_lasting_first_s = 2
backoff_max_s = 3
confirm_spacing_s = 1
[record]
url = "sqlite:///{folder}/patrol.db"
evidence_dir = "{folder}/ev"
quarantine_dir = "{folder}/q"
[serve]
grpc_listen = "127.0.0.1:7702"
metrics_listen = ""
[web]
enabled = false
"""
"""The ports are those of a host of the test's own."""
CUT_S = 30.0
VISITS = 24


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with two_hosts() as hosts:
        yield hosts


@contextmanager
def cameras(hosts: Hosts) -> Iterator[int]:
    """RTSP cameras on the far host; gives their port."""
    command = hosts.command(hosts.far, "tests.support.feed.rtsp_peers", FAR)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            yield int(present(process.stdout).readline())
        finally:
            process.kill()


def visits(hosts: Hosts, url: str, deadline_s: float) -> tuple[Counter[str], float]:
    """Visit from the near host; returns the visits by how they ended, and the seconds of the longest."""
    command = hosts.command(hosts.near, "tests.support.network.visits", url, str(VISITS), str(deadline_s))
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=True)
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(ends) == VISITS
    return Counter(how for how, _ in ends), max(took_s for _, took_s in ends)


def test_cameras_behind_a_lossy_slow_link_are_visited_or_end_in_the_right_reason(hosts: Hosts) -> None:
    with cameras(hosts) as port:
        url = f"rtsp://{FAR}:{port}/good"
        hosts.impair(0.05, 0.15)  # a round trip of 300 ms
        ends, longest_s = visits(hosts, url, 12)
        assert set(ends) <= {"keyframe", "timeout_connect", "timeout_keyframe"}
        assert ends["keyframe"] > VISITS // 2
        assert longest_s < 12 + 5

        hosts.impair(0.0, 2.0)  # no dialogue ends within the deadline
        ends, longest_s = visits(hosts, url, 6)
        assert set(ends) <= {"timeout_connect", "timeout_keyframe"}
        assert longest_s < 6 + 5

        hosts.cut()
        ends, longest_s = visits(hosts, url, 4)
        assert ends == {"timeout_connect": VISITS}
        assert longest_s < 4 + 5


class Patrol:
    """An engine on the near host that patrols four cameras of the far one."""

    def __init__(self, hosts: Hosts, folder: Path, port: int) -> None:
        self._hosts = hosts
        self._folder = folder
        (folder / "patrol.toml").write_text(CONFIG.format(folder=folder), encoding="utf-8")
        rows = "".join(f"camera{n},rtsp://{FAR}:{port}/good,130102,recorder{n}\n" for n in range(4))
        (folder / "cameras.csv").write_text("camera_id,url,region,uplink\n" + rows, encoding="utf-8")
        self.command("cameras", "import", "cameras.csv")

    @contextmanager
    def running(self) -> Iterator[None]:
        with (self._folder / "engine.log").open("ab") as log:
            engine = subprocess.Popen(self._words("run"), stdout=log, stderr=log, cwd=self._folder)
        try:
            yield
        finally:
            engine.terminate()
            engine.wait(60)

    def command(self, *words: str) -> str:
        done = subprocess.run(
            self._words(*words), capture_output=True, text=True, cwd=self._folder, timeout=100, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def verdicts(self) -> list[dict[str, Any]]:
        """The latest verdicts of the cameras that have one."""
        rows = map(json.loads, self.command("cameras", "list", "--json").splitlines())
        return [row["latestVerdict"] for row in rows if "latestVerdict" in row]

    def all_are(self, announced: bool) -> bool:
        """Whether all four cameras are announced offline, or none is."""
        states = [verdict["announced"] == "VERDICT_STATE_OFFLINE" for verdict in self.verdicts()]
        return states == [announced] * 4

    def _words(self, *words: str) -> list[str]:
        return self._hosts.command(self._hosts.near, "engine.cli", *words, "--config", "patrol.toml")


def test_cameras_behind_a_cut_link_go_offline_by_the_rules_and_come_back(hosts: Hosts, tmp_path: Path) -> None:
    with cameras(hosts) as port:
        patrol = Patrol(hosts, tmp_path, port)
        with patrol.running():
            wait_until(lambda: patrol.all_are(False), 200, what="four cameras with a picture")
            hosts.cut()
            cut_s = time.monotonic()
            wait_until(lambda: patrol.all_are(True), 60, what="four cameras offline")
            # A visit that was connected when the link was cut ends at its deadline, a later one finds no connection.
            assert {verdict["reason"] for verdict in patrol.verdicts()} <= {"timeout_connect", "timeout_keyframe"}
            time.sleep(max(0.0, cut_s + CUT_S - time.monotonic()))  # for as long as the link is to be cut
            hosts.impair(0, 0)
            wait_until(lambda: patrol.all_are(False), 60, what="four cameras back")
