"""`patrol story`: of a camera that is dark, one that is locked, one that is well; beside an engine and without one."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from typer.testing import CliRunner

from engine.cli.main import app
from engine.client import PatrolClient
from engine.config.web import WebSettings
from engine.demo.county import County
from engine.errors import PatrolError
from engine.model.stories.story import CameraStory, StoryStep
from engine.supervisor.app import Supervisor
from patrol.v1 import stories_pb2
from tests.support.command_line import patrol
from tests.support.live_engine import DARK, HEALTHY, LOCKED, scrape, settings
from tests.support.waiting import wait_until
from tests.support.web.gateway import caller


@dataclass(frozen=True)
class World:
    """A running engine with three cameras, the options that lead to it, and those to a copy of its database."""

    engine: Supervisor
    client: PatrolClient
    at: tuple[str, ...]
    offline: tuple[str, ...]
    healthy: str
    dark: str
    locked: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("story")
    with ExitStack() as stack:
        county = stack.enter_context(County(only={HEALTHY, DARK, LOCKED}))
        web = WebSettings(listen="127.0.0.1:0")
        engine = stack.enter_context(Supervisor(settings(folder, web=web)))
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        client.import_cameras([camera.camera for camera in county.cameras])
        ids = [camera.camera.camera_id for camera in county.cameras]
        healthy, dark, locked = ids
        for camera_id, step in ((dark, StoryStep.FINDING), (locked, StoryStep.ANNOUNCED)):
            wait_until(lambda camera_id=camera_id, step=step: has(client.story(camera_id), step), timeout_s=90)  # type: ignore[misc]
        wait_until(lambda: (latest := client.camera(healthy).latest) and latest.announced == "ok", timeout_s=90)
        wait_until(lambda: not client.story(healthy).open, timeout_s=30)
        config = folder / "patrol.toml"
        config.write_text(f'[record]\nurl = "sqlite:///{folder}/patrol.db"\nevidence_dir = "{folder}/ev"\n')
        at = ("--server", engine.addresses["grpc"], "--config", str(config))
        yield World(engine, client, at, left_behind(folder, config), healthy, dark, locked)


def left_behind(folder: Path, config: Path) -> tuple[str, ...]:
    """Copy the database, as a backup would; returns the options that lead to it."""
    copy = folder / "copy"
    copy.mkdir()
    assert patrol("db", "backup", str(copy / "patrol.db"), "--config", str(config)).returncode == 0
    shutil.copy(folder / "patrol.db.key", copy)
    ours = copy / "patrol.toml"
    ours.write_text(f'[record]\nurl = "sqlite:///{copy}/patrol.db"\n[serve]\ngrpc_listen = "127.0.0.1:1"\n')
    return ("--config", str(ours))


def has(story: CameraStory, step: StoryStep) -> bool:
    return any(event.step is step for event in story.events)


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def steps(lines: Sequence[str]) -> set[str]:
    """The steps in the table of a story."""
    return {step for line in lines for step in StoryStep if re.search(rf" {step}  ", line)}


def test_the_story_of_a_dark_camera_answers_why(world: World) -> None:
    text = said("story", world.dark, "--visits", "1000", *world.at)
    lines = text.splitlines()
    assert lines[0].startswith(f"{world.dark} ")
    assert ": fault, too_dark" in lines[0]
    assert re.search(r"too_dark: mean level \d+: a fault below 48 \(judge\.dark_mean_max\)", text)
    assert "2 of the last 3 visits must agree (judge.confirm_n, confirm_m)" in text
    assert "(UTC+8)" in text
    assert {"ordered", "connected", "keyframe", "scored", "judged", "announced", "finding"} <= steps(lines)
    assert re.search(r" announced +fault +too_dark", text)
    last = said("story", f"cameras/{world.dark}", "--utc", "--visits", "1", *world.at)
    assert "UTC+8" not in last
    assert len(set(re.findall(r" (\d{19}) ", last))) == 1
    assert re.search(r"\d+ older events are left out", last)


def test_the_story_of_a_camera_that_refuses_us_says_so(world: World) -> None:
    text = said("story", world.locked, *world.at)
    assert {"ordered", "connected", "failed", "judged"} <= steps(text.splitlines())
    assert "unauthorized" in text


def test_a_camera_that_is_well_is_told_of_from_the_verdict_log(world: World) -> None:
    assert not world.client.story(world.healthy).open
    text = said("story", world.healthy, "--visits", "3", *world.offline)
    assert "this visit: ok" in text
    assert "from the verdict log" in text
    assert steps(text.splitlines()) >= {"scored", "judged"}
    assert 1 <= len(re.findall(r" judged +ok", text)) <= 3


def test_without_an_engine_the_database_tells_in_the_same_form(world: World) -> None:
    text = said("story", world.dark, "--visits", "1000", *world.offline)
    assert "too_dark: mean level" in text
    assert {"scored", "judged", "announced", "finding"} <= steps(text.splitlines())
    for options in (world.at, world.offline):
        answer: dict[str, Any] = json.loads(said("story", world.dark, "--json", *options))
        assert set(answer) == {"story", "because", "latest_verdict"}
        message = ParseDict(answer["story"], stories_pb2.CameraStory())
        assert message.camera == f"cameras/{world.dark}"
        judged = [event for event in message.events if event.step == stories_pb2.STORY_STEP_JUDGED]
        assert all(event.sequence > 0 for event in judged)
        assert any("mean level" in sentence for sentence in answer["because"])


def test_an_unknown_camera_is_refused_in_words(world: World) -> None:
    for options in (world.at, world.offline):
        done = CliRunner().invoke(app, ["story", "nobody", *options])
        assert isinstance(done.exception, PatrolError)
        assert "nobody" in str(done.exception)


def test_the_call_gives_the_same_over_grpc_and_http(world: World) -> None:
    def same() -> bool:
        over_grpc = world.client.story(world.dark)
        with caller(world.engine.addresses["web"]) as http:
            reply = http.get(f"/v1/cameras/{world.dark}/story").json()
        assert reply["open"] is True
        first = reply["events"][0]
        assert set(first) <= {"step", "eventTime", "verdict", "sequence", "reason", "detail", "finding"}
        return len(reply["events"]) == len(over_grpc.events)

    wait_until(same)
    with caller(world.engine.addresses["web"]) as http:
        assert http.get("/v1/cameras/nobody/story").status_code == 404
    story = world.client.story(world.dark)
    times = [event.at_wall_ns for event in story.events]
    assert times == sorted(times)
    assert all(event.seq for event in story.events if event.step in (StoryStep.JUDGED, StoryStep.ANNOUNCED))


def test_the_metrics_tell_of_open_stories(world: World) -> None:
    wait_until(lambda: scrape(world.engine.addresses["metrics"])["patrol_stories_open", ()] == 2)
    assert scrape(world.engine.addresses["metrics"])["patrol_stories_bytes", ()] > 1000
