"""What a caller, or a file, can do to an engine by way of its configuration: not read files, not hold up the hub."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client import CallError, PatrolClient
from engine.config.describe import toml
from engine.config.feed import FeedSettings
from engine.model.camera import Camera
from engine.runtime.memory import resident_bytes
from engine.supervisor.app import Supervisor
from tests.support.live_engine import scrape, settings
from tests.support.waiting import wait_until

DEEP = "a = " + "[" * 5000 + "]" * 5000


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """An engine whose operator allows files."""
    folder = tmp_path_factory.mktemp("config")
    feed = FeedSettings(deadline_s=3, connect_timeout_s=1, demuxers=0, schemes=("rtsp", "file"))
    with Supervisor(settings(folder, feed=feed)) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(engine: Supervisor) -> Iterator[PatrolClient]:
    with PatrolClient(engine.addresses["grpc"], timeout_s=10) as client:
        yield client


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[feed]\nschemes = ['rtsp', 'file', 'http']\n", "feed.schemes: only the configuration file"),
        ("[scheduler]\ncalendar_file = '/dev/zero'\n", "scheduler.calendar_file: only the configuration file"),
        ("[scheduler]\ncalendar_file = '/etc/passwd'\n", "scheduler.calendar_file: only the configuration file"),
        ("[scheduler]\ncalendar_file = '/etc/none'\n", "scheduler.calendar_file: only the configuration file"),
        (DEEP, "is nested more than 32 deep"),
        (".".join("a" * 400_000) + " = 1", "is nested more than 32 deep"),
    ],
    ids=["schemes", "device", "file", "no-file", "deep", "dotted"],
)
def test_a_call_leads_the_engine_to_no_file_and_is_refused_as_any_bad_configuration(
    client: PatrolClient, text: str, why: str
) -> None:
    before = client.schedule().classes[0].period_s
    for call in (client.apply_config, client.diff_config):
        with pytest.raises(CallError) as caught:
            call(text)
        assert (caught.value.status, caught.value.reason) == ("INVALID_ARGUMENT", "CONFIG_INVALID")
        assert why in str(caught.value)
    problems, _ = client.validate_config(text)
    assert len(problems) == 1
    assert why in problems[0]
    assert client.schedule().classes[0].period_s == before


@pytest.mark.parametrize("url", ["file:///etc/passwd", "FILE:///etc/passwd", "file://localhost/etc/passwd"])
def test_a_file_is_no_camera_over_the_api_even_where_the_operator_allows_files(client: PatrolClient, url: str) -> None:
    client.import_cameras([Camera("own", "rtsp://127.0.0.1:1/1", enabled=False)])
    with pytest.raises(CallError, match="cannot be given over the API"):
        client.create_camera(Camera("new", url))
    with pytest.raises(CallError, match="cannot be given over the API"):
        client.update_camera(Camera("own", url))
    report = client.import_cameras([Camera("own", url), Camera("new", url)], keep_good=True)
    assert [(problem.index, problem.column) for problem in report.problems] == [(0, "url"), (1, "url")]
    assert client.camera("own").camera.url == "rtsp://127.0.0.1:1/1"


@pytest.mark.parametrize("what", ["deep", "fifo", "zero", "calendar-fifo", "calendar-zero"])
def test_a_file_that_cannot_be_read_is_refused_and_the_hub_goes_on(
    engine: Supervisor, client: PatrolClient, tmp_path: Path, what: str
) -> None:
    refused = ("patrol_config_reloads_total", (("outcome", "refused"),))
    hub = engine.pids()["hub"]
    before = scrape(engine.addresses["metrics"])[refused]
    file, thing = tmp_path / "bad.toml", tmp_path / "thing"
    if "fifo" in what:
        os.mkfifo(thing)
    elif "zero" in what:
        thing.symlink_to("/dev/zero")
    else:
        thing.write_text(DEEP)
    scheduler = engine.settings.scheduler.model_copy(update={"calendar_file": str(thing)})
    file.write_text(toml(engine.settings.model_copy(update={"scheduler": scheduler})))
    memory = resident_bytes({"hub": hub})["hub"]
    engine.reload(file if what.startswith("calendar") else thing)
    wait_until(lambda: scrape(engine.addresses["metrics"])[refused] == before + 1)
    client.schedule()  # answered by the hub's thread
    assert engine.pids()["hub"] == hub
    assert resident_bytes({"hub": hub})["hub"] < memory + 200_000_000
    good = engine.settings.scheduler.model_copy(update={"key_period_s": 2.0 + before})
    file.write_text(toml(engine.settings.model_copy(update={"scheduler": good})))
    engine.reload(file)
    wait_until(lambda: client.schedule().classes[0].period_s == 2.0 + before)
