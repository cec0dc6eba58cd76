"""Commands of operators against an engine that runs: cameras that are files, and cameras that refuse."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.client import PatrolClient
from engine.config.describe import toml
from engine.config.feed import FeedSettings
from engine.model.camera import Camera, KeyPoint
from engine.model.keyframe import Codec
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.command_line import patrol
from tests.support.expect import present
from tests.support.feed.clips import write_clip
from tests.support.live_engine import Labels, fast_scheduler, scrape, settings
from tests.support.waiting import wait_until

FILES, REFUSED = 6, 9
COMMAND = [sys.executable, "-m", "engine.cli"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Supervisor, PatrolClient, Path]]:
    """Six cameras that answer, nine of one platform that do not."""
    folder = tmp_path_factory.mktemp("operate")
    clip = write_clip(folder / "clip.mp4", Codec.H264, frames=3, size=(640, 360))
    chosen = settings(
        folder,
        feed=FeedSettings(deadline_s=3, connect_timeout_s=1, schemes=("rtsp", "file")),
        scheduler=fast_scheduler(key_period_s=3, ordinary_period_s=3, outage_probe_s=1),
    )
    cameras = [
        Camera(f"file-{n}", clip.as_uri(), region="130102", key_point=KeyPoint.COOKING, uplink=f"nvr-{n}")
        for n in range(FILES)
    ]
    cameras += [Camera(f"refused-{n}", f"rtsp://127.0.0.1:1/{n}", region="130181") for n in range(REFUSED)]
    with closing(Store.open(chosen.record.url)) as store:
        store.registry.upsert(cameras)  # the API takes no files
    with Supervisor(chosen) as engine, PatrolClient(engine.addresses["grpc"]) as client:
        wait_until(lambda: client.status().cameras_by_state.get("offline", 0) == REFUSED)
        wait_until(lambda: client.schedule().outages and client.schedule().classes[0].achieved_period_s)
        yield engine, client, folder


def at(engine: Supervisor) -> list[str]:
    return ["--server", engine.addresses["grpc"]]


def test_top_prints_one_look_on_a_pipe(world: tuple[Supervisor, PatrolClient, Path]) -> None:
    engine, _, _ = world
    done = patrol("top", *at(engine))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"offline {REFUSED}" in lines[0]
    assert "out: 127.0.0.1; one camera of each probes, the others wait" in lines
    (key_points,) = [line.split() for line in lines if line.startswith("key point")]
    assert key_points[2:5] == [str(FILES), "3", "s"]
    (recorders,) = [line.split() for line in lines if line.startswith("recorders")]
    assert recorders[2] == str(FILES + 1)
    assert any(line.split() == ["refused", str(count)] for line in lines for count in range(1, REFUSED + 1))


def test_top_as_json_is_what_the_api_says(world: tuple[Supervisor, PatrolClient, Path]) -> None:
    engine, client, _ = world
    done = patrol("top", "--json", *at(engine))
    told = json.loads(done.stdout)
    assert told["engine"]["cameras"] == told["schedule"]["cameras"] == str(FILES + REFUSED)
    assert [camera_class["name"] for camera_class in told["schedule"]["classes"]] == [
        "key_point",
        "ordinary",
        "suspicious",
        "offline",
    ]
    assert told["schedule"]["outages"] == ["127.0.0.1"]
    assert told["schedule"]["visitsMax"] == client.schedule().visits_max == 1000
    assert told["schedule"]["classes"][0]["achievedPeriodS"] == pytest.approx(3, rel=0.5)


def test_top_looks_again_every_interval(world: tuple[Supervisor, PatrolClient, Path]) -> None:
    engine, _, _ = world
    command = [*COMMAND, "top", "--json", "--interval", "0.3", *at(engine)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        looks = [json.loads(present(process.stdout).readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0
    started = [int(look["schedule"]["startedTotal"]) for look in looks]
    assert started == sorted(started)


def test_top_is_live_on_a_terminal_until_ctrl_c(world: tuple[Supervisor, PatrolClient, Path]) -> None:
    engine, _, _ = world
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}
    command = [*COMMAND, "top", "--interval", "0.2", *at(engine)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while shown.count(b"patrol top") < 3:  # ends with the process, or with the test's time limit
            shown += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                shown += os.read(ours, 65_536)
            except OSError:  # the terminal's other end is closed: it has ended
                break
        assert process.wait(timeout=5) == 0
    os.close(ours)
    text = shown.decode()
    assert text.count("patrol top · 15 cameras") >= 3
    assert "Ctrl-C ends" in text
    assert "\x1b[?1049h" in text  # a screen of its own,
    assert text.rindex("\x1b[?1049l") > text.rindex("patrol top")  # and what was there before comes back


def test_plan_says_why_a_camera_is_due(world: tuple[Supervisor, PatrolClient, Path]) -> None:
    engine, client, _ = world
    done = patrol("plan", "file-0", *at(engine))
    assert done.returncode == 0
    assert done.stdout.startswith("file-0: ")
    assert "key point; one visit in 3 s while its kitchen works" in done.stdout
    assert "brought a keyframe" in done.stdout or "is being visited" in done.stdout
    failed = next(camera_id for n in range(REFUSED) if client.plan(camera_id := f"refused-{n}").failures)
    told = json.loads(patrol("plan", failed, "--json", *at(engine)).stdout)
    assert (told["camera"], told["kind"], told["lastReason"]) == (f"cameras/{failed}", "offline", "refused")
    assert any("backed off" in reason for reason in told["because"])


def test_plan_of_a_camera_that_is_not_there_is_one_sentence_and_2(world: tuple[Supervisor, PatrolClient, Path]) -> None:
    engine, _, _ = world
    for name, sentence in (
        ("nobody", "camera 'nobody' is not in the registry; import it first"),
        ("x" * 65, "1 to 64"),
    ):
        done = patrol("plan", name, *at(engine))
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1


def changed(engine: Supervisor, folder: Path, **scheduler: Any) -> Path:
    """The engine's settings with other keys of the scheduler, as a file."""
    now = engine.settings.model_copy(update={"scheduler": engine.settings.scheduler.model_copy(update=scheduler)})
    file = folder / "changed.toml"
    file.write_text(toml(now), encoding="utf-8")
    return file


def test_apply_shows_a_dry_run_then_takes_it_once(world: tuple[Supervisor, PatrolClient, Path]) -> None:
    engine, client, folder = world
    file = changed(engine, folder, key_period_s=4.0, seed=7)
    row = ["scheduler.key_period_s", "3.0", "4.0", "hot"]
    dry = patrol("config", "apply", str(file), "--dry-run", *at(engine))
    assert dry.returncode == 0, dry.stderr
    lines = dry.stdout.splitlines()
    assert [line.split() for line in lines[1:3]] == [row, ["scheduler.seed", "0", "7", "restart"]]
    assert "warning: scheduler.seed: needs a restart; 0 stays in force until then" in lines
    assert lines[-1].startswith("dry run: nothing was changed; in force is revision ")
    assert client.schedule().classes[0].period_s == 3
    revision = lines[-1].split()[-1]
    taken = patrol("config", "apply", str(file), "--revision", revision, *at(engine))
    assert taken.returncode == 0, taken.stderr
    assert taken.stdout.splitlines()[1].split() == row
    assert "applied; in force is revision " in taken.stdout
    assert client.schedule().classes[0].period_s == 4
    late = patrol("config", "apply", str(file), "--revision", revision, *at(engine))
    assert late.returncode == 2
    assert "somebody changed them meanwhile" in late.stderr
    again = json.loads(patrol("config", "apply", str(file), "--json", *at(engine)).stdout)
    assert "applied" not in again
    assert [change["key"] for change in again["changes"]] == ["scheduler.seed"]


def test_apply_warns_of_caps_that_cannot_carry_the_cameras_there_are(
    world: tuple[Supervisor, PatrolClient, Path],
) -> None:
    engine, _, folder = world
    done = patrol("config", "apply", str(changed(engine, folder, ordinary_period_s=2.0)), "--dry-run", *at(engine))
    assert (
        "warning: recorder 127.0.0.1:1: 9 cameras x 3 s / 2 s = 13.5 visits in flight, scheduler.visits_per_uplink_max "
        "is 1; raise the cap, or lengthen the periods"
    ) in done.stdout.splitlines()


def test_what_is_refused_is_said_in_full_and_the_old_settings_stand(
    world: tuple[Supervisor, PatrolClient, Path],
) -> None:
    engine, client, folder = world
    before = client.schedule().classes
    bad = folder / "bad.toml"
    bad.write_text("[scheduler]\nkey_perod_s = 3\nordinary_period_s = 0\n[fead]\n")
    done = patrol("config", "apply", str(bad), *at(engine))
    assert (done.returncode, done.stdout) == (2, "")
    assert len([line for line in done.stderr.splitlines() if str(bad) in line]) == 3
    done = patrol("config", "apply", str(changed(engine, folder, calendar_file="/nowhere.toml")), *at(engine))
    assert done.returncode == 2
    assert "scheduler.calendar_file: only the configuration file may change this key" in done.stderr
    assert "No such file" not in done.stderr
    assert [camera_class.period_s for camera_class in client.schedule().classes] == [
        camera_class.period_s for camera_class in before
    ]


def test_the_scrape_says_that_a_reload_was_refused_until_one_is_taken(
    world: tuple[Supervisor, PatrolClient, Path],
) -> None:
    engine, client, folder = world
    stale, refused = ("patrol_config_stale", ()), ("patrol_config_reloads_total", (("outcome", "refused"),))
    before = scrape(engine.addresses["metrics"]).get(refused, 0)
    good = changed(engine, folder, key_period_s=4.0)
    bad = folder / "bad.toml"
    bad.write_text("[scheduler]\nkey_period_s = -1\n")
    engine.reload(good)
    wait_until(lambda: scrape(engine.addresses["metrics"]).get(stale) == 0)
    engine.reload(bad)
    wait_until(lambda: scrape(engine.addresses["metrics"])[stale] == 1)
    good = changed(engine, folder, key_period_s=5.0)
    engine.reload(good)
    wait_until(lambda: scrape(engine.addresses["metrics"])[stale] == 0)
    assert client.schedule().classes[0].period_s == 5
    assert scrape(engine.addresses["metrics"])[refused] == before + 1


def test_the_scrape_shows_periods_lags_and_outages_of_the_running_patrol(
    world: tuple[Supervisor, PatrolClient, Path],
) -> None:
    engine, client, _ = world
    period_s = client.schedule().classes[0].period_s

    def of_key_points(which: str) -> tuple[str, Labels]:
        return "patrol_class_period_seconds", (("class", "key_point"), ("which", which))

    # Gauges are set once a second: the settings may be newer.
    now = wait_until(
        lambda: (read := scrape(engine.addresses["metrics"]))[of_key_points("configured")] == period_s and read
    )
    assert now[of_key_points("stretched")] == period_s
    assert now[of_key_points("achieved")] > 0
    assert now["patrol_outages", ()] == 1
    assert now["patrol_outage_cameras", (("host", "127.0.0.1"),)] > 0
    assert now["patrol_outage_cameras", (("host", "other"),)] == 0
    assert now["patrol_cameras_failing", (("reason", "refused"),)] > 0
    assert now["patrol_scheduler_overloaded", ()] == 0
    assert any(name == "patrol_county_lag_seconds" for name, _ in now)


def test_without_an_engine_the_commands_say_what_to_start() -> None:
    for command in (["top"], ["plan", "c"]):
        done = patrol(*command, "--server", "127.0.0.1:1")
        assert done.returncode == 2
        assert "no engine answers at 127.0.0.1:1; start `patrol run`" in done.stderr
