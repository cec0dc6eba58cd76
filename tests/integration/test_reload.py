"""A hundred reloads, good and bad, by every way there is, while `patrol run` looks at real RTSP cameras."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.client import CallError, PatrolClient
from engine.config import loads
from engine.config.diff import revision
from engine.demo.county import County
from engine.errors import ConfigError
from engine.model.camera import Camera
from engine.supervisor.app import Supervisor
from tests.support.live_engine import scrape
from tests.support.waiting import wait_until

NUMBERS = frozenset(range(10))
BY_SIGNAL, BY_WATCH, BY_CALL = 16, 14, 70
BAD = [
    ("[scheduler", "is not TOML"),
    ("[scheduler]\nkey_perod_s = 3\n", "did you mean key_period_s?"),
    ("[scheduler]\nordinary_period_s = -1\n", "scheduler.ordinary_period_s = -1"),
    ("[scheduler]\nhours = '6-7'\n", "'6-7' is no interval"),
    ("[scheduler]\norder_timeout_s = 2\n", "must be more than feed.deadline_s"),
    ("[scheduler]\ncalendar_file = '/nowhere.toml'\n", "No such file"),
    ("a = " + "[" * 5000 + "]" * 5000 + "\n", "is nested more than 32 deep"),
    ("[scheduler]\nvisits_max = 0\n[feed]\nschemes = ['gopher']\n", "scheduler.visits_max = 0"),
]


class Running:
    """`patrol run` as a process of its own, with its file, its log and its callers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.log_path = folder / "patrol.toml", folder / "patrol.log"
        self.config.write_text(self.file_text(1.0))
        command = [sys.executable, "-m", "engine.cli", "run", "--config", str(self.config)]
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log)
        self.ready = wait_until(lambda: self.logged("ready"), timeout_s=60)[0]
        self.client = PatrolClient(self.ready["grpc"])

    def file_text(self, key_period_s: float, more: str = "") -> str:
        return (
            f"[record]\nurl = 'sqlite:///{self.folder}/p.db'\nevidence_dir = '{self.folder}/ev'\n"
            "[web]\nenabled = false\n[serve]\ngrpc_listen = '127.0.0.1:0'\nmetrics_listen = '127.0.0.1:0'\n"
            "[intake]\nlisten = 'tcp://127.0.0.1:0'\n[log]\nformat = 'json'\n[worker]\ncount = 1\nspare = false\n"
            "[feed]\ndeadline_s = 3\nconnect_timeout_s = 1.0\ndemuxers = 0\n[reload]\nwatch_s = 0.1\n"
            "[scheduler]\norder_timeout_s = 6\nordinary_period_s = 2\nsuspicious_period_s = 2\nbackoff_max_s = 4\n"
            "backoff_stream_first_s = 2\nbackoff_connect_first_s = 2\nbackoff_lasting_first_s = 2\n"
            f"confirm_spacing_s = 1\nkey_period_s = {key_period_s}\n{more}"
        )

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def scrape(self) -> dict[tuple[str, ...], float]:
        """Samples by name and values of labels."""
        samples = scrape(self.ready["metrics"])
        return {(name, *(value for _, value in labels)): figure for (name, labels), figure in samples.items()}

    def reloads(self) -> Counter[str]:
        found = {key[1]: int(value) for key, value in self.scrape().items() if key[0] == "patrol_config_reloads_total"}
        return Counter(found)

    def write(self, text: str) -> None:
        """As an editor does: a new file in the place of the old one."""
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.config)

    def stop(self) -> int:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def seen(client: PatrolClient) -> dict[str, int]:
    """The latest visit of each camera."""
    return {camera.camera.camera_id: camera.latest.visit_id for camera in client.cameras() if camera.latest is not None}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, list[Camera]]]:
    with County(only=NUMBERS) as county:
        patrol = Running(tmp_path_factory.mktemp("reload"))
        try:
            cameras = [camera.camera for camera in county.cameras]
            patrol.client.import_cameras(cameras)
            wait_until(lambda: len(seen(patrol.client)) == len(cameras))
            yield patrol, cameras
        finally:
            patrol.process.kill()
            patrol.process.wait()


@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.long)])
def test_a_hundred_reloads_good_and_bad_lose_nothing_and_double_nothing(
    running: tuple[Running, list[Camera]], share: int
) -> None:
    """`share`: one in so many of the hundred."""
    patrol, cameras = running
    client, chance = patrol.client, random.Random(1)
    already = Counter(patrol.reloads())
    expected, refusals = Counter(already), []
    periods = itertools.cycle([1.0, 1.25, 1.5, 1.75])
    before, good = seen(client), 1.0
    ways = ["signal"] * BY_SIGNAL + ["watch"] * BY_WATCH + ["call"] * BY_CALL
    chance.shuffle(ways)
    ways = ways[::share]
    asked_bad = len(ways[::3])
    for number, way in enumerate(ways):
        bad = chance.choice(BAD) if number % 3 == 0 else None
        good = good if bad else next(periods)
        text = bad[0] if bad else patrol.file_text(good, f"visits_max = {chance.choice([3, 1000])}\n")
        if way == "call":
            expected["refused" if bad else "applied"] += 1
            if bad:
                with pytest.raises(CallError) as caught:
                    client.apply_config(text)
                assert (bad[1] if "calendar" not in bad[0] else "only the configuration file") in str(caught.value)
            else:
                assert client.apply_config(text).applied
        else:
            refused = len(patrol.logged("configuration refused, the old one stands"))
            patrol.write(text + f"# {number}\n")
            if way == "signal":
                patrol.process.send_signal(signal.SIGHUP)
            expected["refused" if bad else "applied"] += 1
            wait_until(lambda: patrol.reloads().total() >= expected.total())
            if bad:  # the line may come a moment after the count
                wait_until(lambda: len(patrol.logged("configuration refused, the old one stands")) > refused)  # noqa: B023
            read = patrol.logged("configuration refused, the old one stands")[refused:]
            assert [bad is not None and bad[1] in line["detail"] for line in read] == ([True] if bad else [])
            refusals += read
        assert patrol.scrape()["patrol_config_stale",] == (1 if bad else 0)
        assert patrol.reloads() == expected, (number, way)
    assert (expected - already).total() == len(ways)
    assert (expected - already)["refused"] == asked_bad
    assert len(refusals) + ways[::3].count("call") == asked_bad
    assert client.schedule().classes[0].period_s == good
    after = seen(client)
    assert all(after[camera.camera_id] > before[camera.camera_id] for camera in cameras), "the patrol went on"
    assert not patrol.logged("process replaced")


def test_of_two_reloads_at_once_one_comes_after_the_other(running: tuple[Running, list[Camera]]) -> None:
    patrol, _ = running
    client = patrol.client
    for round_ in range(5):
        in_force = client.apply_config(patrol.file_text(2.0)).revision
        texts = [patrol.file_text(period_s, f"visits_max = {round_ + 7}\n") for period_s in (2.5, 3.5)]

        def apply(text: str, expected: str = in_force) -> str:
            try:
                return client.apply_config(text, expected_revision=expected).revision
            except CallError as error:
                return error.status

        before = patrol.reloads()
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(apply, texts)
        won, lost = (texts[0], second) if second == "ABORTED" else (texts[1], first)
        assert lost == "ABORTED"
        assert revision(loads(won)) in (first, second)
        assert patrol.reloads()["applied"] == before["applied"] + 1
        assert client.schedule().classes[0].period_s == loads(won).scheduler.key_period_s


def test_a_signal_and_a_call_at_once_both_have_their_word(running: tuple[Running, list[Camera]]) -> None:
    patrol, _ = running
    before = patrol.reloads()
    patrol.write(patrol.file_text(2.25, "# by signal\n"))
    patrol.process.send_signal(signal.SIGHUP)
    patrol.client.apply_config(patrol.file_text(2.75))
    wait_until(lambda: patrol.reloads()["applied"] == before["applied"] + 2)
    # The call is heard now, the signal within half a second: it has the last word, but for a machine that is very busy.
    assert patrol.client.schedule().classes[0].period_s in (2.25, 2.75)


def test_a_file_that_changed_and_a_signal_for_it_are_one_reload(running: tuple[Running, list[Camera]]) -> None:
    patrol, _ = running
    before = patrol.reloads()
    patrol.write(patrol.file_text(1.1))
    patrol.process.send_signal(signal.SIGHUP)
    wait_until(lambda: patrol.reloads()["applied"] == before["applied"] + 1)
    patrol.write(patrol.file_text(1.2))
    # The file is read again after this change: by then a second reload of the first one would have been counted.
    wait_until(lambda: patrol.reloads()["applied"] == before["applied"] + 2)
    assert patrol.reloads() - before == Counter(applied=2)


def test_a_calendar_that_turns_bad_keeps_the_old_one(running: tuple[Running, list[Camera]]) -> None:
    patrol, cameras = running
    calendar = patrol.folder / "calendar.toml"
    calendar.write_text('timezone = "Asia/Shanghai"\n')
    before = patrol.reloads()
    patrol.write(patrol.file_text(3.0, f"calendar_file = '{calendar}'\n"))
    wait_until(lambda: patrol.reloads()["unchanged"] == before["unchanged"] + 1)  # read once more now that it is named
    calendar.write_text('timezone = "Mars"\n')
    wait_until(lambda: patrol.reloads()["refused"] == before["refused"] + 1)
    (*_, refused) = patrol.logged("configuration refused, the old one stands")
    assert "no such time zone" in refused["detail"]
    assert patrol.client.plan(cameras[0].camera_id).window_open
    calendar.write_text('timezone = "Asia/Shanghai"\n[[holidays]]\nfirst = 2000-01-01\nlast = 2099-12-31\n')
    wait_until(lambda: patrol.reloads()["applied"] == before["applied"] + 2)
    assert not patrol.client.plan(cameras[0].camera_id).window_open
    calendar.write_text('timezone = "Asia/Shanghai"\n')
    wait_until(lambda: patrol.client.plan(cameras[0].camera_id).window_open)


def test_at_the_end_every_order_has_ended_once_and_the_books_balance(running: tuple[Running, list[Camera]]) -> None:
    patrol, cameras = running
    client = patrol.client
    wait_until(lambda: client.schedule().started_total > 100)
    client.import_cameras([replace(camera, enabled=False) for camera in cameras])
    status = wait_until(lambda: (now := client.schedule()).in_flight == 0 and now)
    assert status.started_total == status.ended_total + status.expired_total
    assert status.expired_total == 0
    visits = {key[1:]: value for key, value in patrol.scrape().items() if key[0] == "patrol_visits_total"}
    assert sum(visits.values()) == status.ended_total

    def judged_or_dropped() -> float:
        judged = {("patrol_checks_total", state) for state in ("ok", "fault", "unknown")}
        samples = patrol.scrape().items()
        return sum(value for key, value in samples if key in judged or key[0] == "patrol_intake_dropped_frames_total")

    # The last keyframes are with the worker for a moment more.
    wait_until(lambda: judged_or_dropped() >= visits["keyframe", "rtsp"])
    assert judged_or_dropped() == visits["keyframe", "rtsp"]
    assert patrol.stop() in (0, 130, -signal.SIGTERM)
    log = patrol.log_path.read_text()
    assert "Traceback" not in log, "the hub checks its invariants when it stops"
    assert not patrol.logged("process replaced")


def test_a_hub_that_is_started_anew_has_the_calendar_in_force_though_the_file_has_turned_bad(tmp_path: Path) -> None:
    calendar = tmp_path / "calendar.toml"
    calendar.write_text('timezone = "Asia/Shanghai"\n[[holidays]]\nfirst = 2000-01-01\nlast = 2099-12-31\n')
    text = (
        f"[record]\nurl = 'sqlite:///{tmp_path}/p.db'\nevidence_dir = '{tmp_path}/ev'\n"
        "[worker]\ncount = 1\nspare = false\n"
        "[web]\nenabled = false\n"
        "[serve]\ngrpc_listen = '127.0.0.1:0'\nmetrics_listen = ''\n[intake]\nlisten = ''\n[feed]\ndemuxers = 0\n"
        f"[scheduler]\ncalendar_file = '{calendar}'\n"
    )
    with Supervisor(loads(text)) as engine:
        first = engine.addresses["grpc"]
        with PatrolClient(first) as client:
            client.import_cameras([Camera("c", "rtsp://127.0.0.1:1/c")])
            assert not client.plan("c").window_open
        calendar.write_text('timezone = "Mars"\n')
        os.kill(engine.pids()["hub"], signal.SIGKILL)
        wait_until(lambda: engine.addresses["grpc"] != first, timeout_s=30)
        with PatrolClient(engine.addresses["grpc"]) as client:
            wait_until(lambda: "c" in {camera.camera.camera_id for camera in client.cameras()})
            wait_until(lambda: client.schedule().cameras)
            assert not client.plan("c").window_open


def test_a_calendar_that_is_bad_from_the_start_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "calendar.toml").write_text('timezone = "Mars"\n')
    with pytest.raises(ConfigError, match="no such time zone"):
        Supervisor(loads(f"[scheduler]\ncalendar_file = '{tmp_path}/calendar.toml'\n"))
