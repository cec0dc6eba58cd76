"""Commands about single cameras: beside a running engine with real cameras, and on what it has left behind."""

import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from PIL import Image
from typer.testing import CliRunner

from engine.cli.main import app
from engine.client import PatrolClient
from engine.demo.county import County
from engine.errors import PatrolError
from engine.model.findings import FindingQuery
from engine.supervisor.app import Supervisor
from patrol.v1 import access_pb2, cameras_pb2, patrol_pb2, scheduler_pb2, verdicts_pb2
from tests.support.command_line import patrol
from tests.support.live_engine import DARK, HEALTHY, LOCKED, settings
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class World:
    """A running engine with three cameras, a finding about the dark one, and the options that lead to it."""

    client: PatrolClient
    at: tuple[str, ...]
    healthy: str
    dark: str
    locked: str
    finding: int
    offline: tuple[str, ...]
    """Options that lead to a copy of its database and pictures, where no engine runs."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("cameras")
    with ExitStack() as stack:
        county = stack.enter_context(County(only={HEALTHY, DARK, LOCKED}))
        engine = stack.enter_context(Supervisor(settings(folder)))
        address = engine.addresses["grpc"]
        client = stack.enter_context(PatrolClient(address))
        client.import_cameras([camera.camera for camera in county.cameras])
        ids = dict(zip((HEALTHY, DARK, LOCKED), (each.camera.camera_id for each in county.cameras), strict=True))
        (finding, *_) = wait_until(lambda: dark_findings(client, ids[DARK]), timeout_s=60)
        wait_until(lambda: client.camera(ids[HEALTHY]).latest.announced == "ok", timeout_s=60)  # type: ignore[union-attr]
        wait_until(lambda: client.camera(ids[LOCKED]).latest is not None, timeout_s=60)
        config = folder / "patrol.toml"
        config.write_text(f'[record]\nurl = "sqlite:///{folder}/patrol.db"\nevidence_dir = "{folder}/ev"\n')
        at = ("--server", address, "--config", str(config))
        yield World(client, at, ids[HEALTHY], ids[DARK], ids[LOCKED], finding.finding_id, left_behind(folder, config))


def dark_findings(client: PatrolClient, camera_id: str) -> list[Any]:
    """Findings about the dark camera whose opening cites a picture."""
    findings = list(client.findings.list(FindingQuery(camera_id=camera_id)))
    return [each for each in findings if any(event.evidence for event in client.findings.events(each.finding_id))]


def left_behind(folder: Path, config: Path) -> tuple[str, ...]:
    """Copy the database and the pictures of the engine, as a backup would."""
    copy = folder / "copy"
    copy.mkdir()
    assert patrol("db", "backup", str(copy / "patrol.db"), "--config", str(config)).returncode == 0
    shutil.copy(folder / "patrol.db.key", copy)
    shutil.copytree(folder / "ev", copy / "ev", ignore=shutil.ignore_patterns("*.part"))
    ours = copy / "patrol.toml"
    record = f'[record]\nurl = "sqlite:///{copy}/patrol.db"\nevidence_dir = "{copy}/ev"\n'
    ours.write_text(record + '[serve]\ngrpc_listen = "127.0.0.1:1"\n')
    return ("--config", str(ours))


def said(arguments: Sequence[str], code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def lines(arguments: Sequence[str], code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said([*arguments, "--json"], code).splitlines()]


def refused(*arguments: str) -> str:
    """Run a command that is refused, in this process; main() makes one sentence and exit code 2 of its error."""
    done = CliRunner().invoke(app, list(arguments))
    assert isinstance(done.exception, PatrolError), (done.output, done.exception)
    return str(done.exception)


def test_check_now_shows_each_outcome_and_ends_with_0_1_or_2(world: World) -> None:
    head, row = said(["check-now", f"cameras/{world.healthy}", *world.at]).splitlines()[:2]
    assert head.split() == ["camera", "verdict", "why", "sharp", "expo", "hidden", "detail"]
    assert row.split()[:2] == [world.healthy, "ok"]
    assert row.index("ok") == head.index("verdict")
    assert "too_dark" in said(["check-now", world.dark, world.healthy, *world.at], code=1)
    assert "unauthorized" in said(["check-now", world.locked, *world.at], code=2)
    assert "not in the registry" in said(["check-now", "nobody", world.healthy, *world.at], code=2)


def test_check_now_of_a_region_or_canteen_visits_all_of_its_cameras(world: World) -> None:
    camera = world.client.camera(world.healthy).camera
    answers = lines(["check-now", "--region", "", *world.at], code=2)
    messages = [ParseDict(answer, patrol_pb2.CheckNowResponse()) for answer in answers]
    assert {message.camera for message in messages} == {
        f"cameras/{each}" for each in (world.healthy, world.dark, world.locked)
    }
    of_site = lines(["check-now", "--site", camera.site_id, *world.at], code=_site_code(world))
    assert f"cameras/{world.healthy}" in {answer["camera"] for answer in of_site}
    assert "no camera that is visited" in refused("check-now", "--region", "99", *world.at)
    assert "give ids of cameras, or --region, or --site" in refused("check-now", *world.at)


def _site_code(world: World) -> int:
    """The exit code that the healthy camera's canteen deserves: its other cameras may be dark or locked."""
    site_id = world.client.camera(world.healthy).camera.site_id
    codes = {world.healthy: 0, world.dark: 1, world.locked: 2}
    return max(code for each, code in codes.items() if world.client.camera(each).camera.site_id == site_id)


def test_a_camera_is_shown_with_all_that_is_known_of_it(world: World) -> None:
    for options, plan in ((world.at, "because"), (world.offline, "no engine is running")):
        text = said(["cameras", "show", world.dark, *options])
        assert text.startswith(f"{world.dark} ")
        assert ": fault, too_dark" in text.splitlines()[0]
        assert "(UTC+8)" in text.splitlines()[0]
        for word in (
            "canteen",
            "key point",
            "rtsp://",
            "findings",
            f"{world.finding}: too_dark",
            "plan",
            plan,
            "sharp",
        ):
            assert word in text, (word, text)
        assert ":***@" in said(["cameras", "show", world.locked, *options])
        (tree,) = lines(["cameras", "show", f"cameras/{world.dark}", "--visits", "1", *options])
        camera = ParseDict(tree["camera"], cameras_pb2.Camera())
        assert (camera.name, camera.latest_verdict.announced) == (
            f"cameras/{world.dark}", verdicts_pb2.VERDICT_STATE_FAULT,
        )  # fmt: skip
        assert [finding["name"] for finding in tree["findings"]] == [f"findings/{world.finding}"]
        assert len(tree["verdicts"]) == 1
        assert (tree["plan"] is None) == (options is world.offline)
        if tree["plan"] is not None:
            ParseDict(tree["plan"], scheduler_pb2.CameraPlan())
        assert "nobody" in refused("cameras", "show", "nobody", *options)


def test_verdicts_are_listed_newest_first_within_a_time_and_where_something_changed(world: World) -> None:
    for options in (world.at, world.offline):
        kept = [ParseDict(tree, verdicts_pb2.Verdict()) for tree in lines(["verdicts", world.dark, *options])]
        times = [verdict.visit_time.ToNanoseconds() for verdict in kept]
        assert len(kept) >= 2
        assert times == sorted(times, reverse=True)
        changes = lines(["verdicts", world.dark, "--changes", *options])
        assert changes[0]["announced"] == "VERDICT_STATE_FAULT"
        assert (
            changes[-1]["visitTime"] == lines(["verdicts", world.dark, "--rows", "100000", *options])[-1]["visitTime"]
        )
        assert len(changes) < len(kept) or len(kept) == 2
        assert len(lines(["verdicts", world.dark, "--rows", "1", *options])) == 1
        assert lines(["verdicts", world.dark, "--until", "1d", *options]) == []
        table = said(["verdicts", world.dark, "--since", "1h", "--utc", *options]).splitlines()
        assert table[0].split()[:4] == ["visit", "(UTC)", "verdict", "why"]
        assert "too_dark" in table[1]
        assert "nobody" in refused("verdicts", "nobody", *options)
    assert "exchange the two" in refused("verdicts", world.dark, "--since", "1h", "--until", "2h", *world.offline)
    assert "24h" in refused("verdicts", world.dark, "--since", "yesterday", *world.offline)


def drawn(path: Path) -> Image.Image:
    with Image.open(path) as image:
        assert image.format == "JPEG"
        image.load()
        return image


def test_a_picture_is_written_plain_small_or_annotated(world: World, tmp_path: Path) -> None:
    for options in (world.at, world.offline):
        target = tmp_path / "out.jpg"
        said(["picture", world.healthy, "-o", str(target), *options])
        plain = drawn(target)
        said(["picture", world.healthy, "-o", str(target), "--annotated", *options])
        assert drawn(target).height > plain.height
        (tree,) = lines(["picture", world.healthy, "-o", str(target), "--side", "100", *options])
        assert max(drawn(target).size) == 100
        assert (tree["file"], tree["which"], max(tree["width"], tree["height"])) == (str(target), "latest", 100)
        for what in (str(world.finding), f"findings/{world.finding}"):
            said(["picture", what, "-o", str(target), *options])
            grey = drawn(target).convert("L").resize((1, 1)).getpixel((0, 0))
            assert isinstance(grey, int | float)
            assert grey < 60  # the fault: it is dark
    assert "allowed: .jpg, .jpeg" in refused("picture", world.healthy, "-o", "x.png", *world.offline)
    assert "there is no folder" in refused(
        "picture", world.healthy, "-o", str(tmp_path / "no" / "x.jpg"), *world.offline
    )
    assert "findings/999" in refused("picture", "999", "-o", str(tmp_path / "x.jpg"), *world.offline)


def test_the_baseline_and_the_last_good_picture_of_a_camera_are_written(world: World, tmp_path: Path) -> None:
    target = tmp_path / "out.jpg"
    for which in ("baseline", "last-good"):
        said(["picture", world.healthy, "--which", which, "-o", str(target), *world.offline])
        assert drawn(target).width > 100
        assert "no finding" in refused("picture", world.healthy, "--which", which, "-o", str(target), *world.at)
        assert f"no picture ({which})" in refused(
            "picture", world.dark, "--which", which, "-o", str(target), *world.offline
        )


def test_a_finding_without_a_good_picture_before_it_says_so(world: World, tmp_path: Path) -> None:
    for options in (world.at, world.offline):
        for which in ("baseline", "last-good"):
            why = refused("picture", str(world.finding), "--which", which, "-o", str(tmp_path / "x.jpg"), *options)
            assert "picture" in why
    assert list(tmp_path.iterdir()) == []


def test_a_picture_goes_to_standard_output(world: World) -> None:
    command = [sys.executable, "-m", "engine.cli", "picture", world.healthy, "-o", "-", *world.offline]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.format == "JPEG"


def test_cameras_are_added_changed_and_deleted_one_by_one(world: World) -> None:
    for options in (world.at, world.offline):
        fields = ("--name", "新灶台", "--key-point", "cooking", "--required", "--region", "130102", "--disable")
        said(["cameras", "add", "--id", "new", "--url", "rtsp://u:secret@127.0.0.1:1/n", *fields, *options])
        assert "already" in refused("cameras", "add", "--id", "new", "--url", "rtsp://h/1", *options)
        (changed,) = lines(["cameras", "edit", "new", "--url", "rtsp://u:***@127.0.0.1:1/n", "--name", "", *options])
        camera = ParseDict(changed, cameras_pb2.Camera())
        assert (camera.display_name, camera.key_point, camera.required, camera.disabled, camera.region) == (
            "", cameras_pb2.KEY_POINT_COOKING, True, True, "130102",
        )  # fmt: skip
        assert camera.url == "rtsp://u:***@127.0.0.1:1/n"
        said(["cameras", "edit", "new", "--enable", "--push", *options])
        assert "gateway pushes" in said(["cameras", "show", "new", *options])
        for words, why in (
            (("edit", "nobody", "--name", "x"), "nobody"),
            (("edit", "new"), "nothing to change"),
            (("edit", "new", "--url", "gopher://h/1"), "gopher"),
            (("edit", "new", "--region", "1"), "2, 4 or 6 digits"),
            (("add", "--id", "1.30102E+19", "--url", "rtsp://h/1"), "spreadsheet"),
            (("delete", "new"), "--yes"),
        ):
            assert why in refused("cameras", *words, *options), words
        (answer,) = lines(["cameras", "delete", "new", "nobody", "--yes", *options], code=1)
        assert answer == {"deleted": 1, "missing": ["cameras/nobody"]}
        assert "new" in refused("cameras", "show", "new", *options)


def test_a_deletion_asks_on_a_terminal(world: World) -> None:
    said(["cameras", "add", "--id", "asked", "--url", "rtsp://h/1", *world.offline])
    for answer, code, words in (("n", 2, "nothing was deleted"), ("y", 0, "1 deleted")):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "engine.cli", "cameras", "delete", "asked", *world.offline]
        with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            os.close(theirs)
            os.write(ours, answer.encode() + b"\n")
            output, _ = process.communicate(timeout=60)
        os.close(ours)
        assert process.returncode == code, output
        assert "Delete asked, with verdicts and pictures" in output.decode()
        assert words in output.decode()


def test_a_dry_run_of_an_import_says_what_would_change_and_changes_nothing(world: World, tmp_path: Path) -> None:
    known = world.client.camera(world.healthy).camera
    rows = tmp_path / "rows.csv"
    rows.write_text(
        f"camera_id,url,name\n{known.camera_id},{known.url},另一个名字\nbrand-new,rtsp://u:secret@h/1,新\n",
        encoding="utf-8",
    )
    for options in (world.at, world.offline):
        text = said(["cameras", "import", str(rows), "--dry-run", *options])
        assert f"name {known.name} -> 另一个名字" in text
        assert "dry run: would be 1 added, 1 changed, 0 unchanged" in text
        assert "secret" not in text
        (tree,) = lines(["cameras", "import", str(rows), "--dry-run", *options])
        assert (tree["added"], tree["changed"], tree["unchanged"], tree["problems"]) == (1, 1, 0, [])
        assert [(change["camera"], change["new"]) for change in tree["changes"]] == [
            (f"cameras/{known.camera_id}", False), ("cameras/brand-new", True),
        ]  # fmt: skip
        assert "brand-new" in refused("cameras", "show", "brand-new", *options)
    assert world.client.camera(known.camera_id).camera.name == known.name


def test_a_running_engine_answers_for_kpis_and_pauses_in_the_same_json(world: World) -> None:
    table = ParseDict(json.loads(said(["kpi", "--json", *world.at])), patrol_pb2.QueryKpisResponse())
    assert {rate.kpi for rate in table.total.rates} >= {patrol_pb2.KPI_ONLINE, patrol_pb2.KPI_CLARITY}
    ParseDict(json.loads(said(["kpi", "league", "--json", *world.at])), patrol_pb2.QueryLeagueResponse())
    assert "clarity" in said(["kpi", *world.at]).splitlines()[0]
    (paused,) = lines(["pause", "--reason", "大扫除", "--camera", world.healthy, *world.at])
    assert ParseDict(paused, scheduler_pb2.Pause()).scope.camera == f"cameras/{world.healthy}"
    (resumed,) = lines(["resume", "--camera", world.healthy, *world.at])
    assert resumed["reason"] == "大扫除"


def test_tokens_and_the_audit_log_come_in_the_same_json(world: World) -> None:
    (created,) = lines(["token", "create", "--name", "t", "--role", "viewer", *world.offline])
    reply = ParseDict(created, access_pb2.CreateTokenResponse())
    assert reply.secret
    number = reply.token.name.removeprefix("tokens/")
    (revoked,) = lines(["token", "revoke", number, *world.offline])
    assert revoked["revokeTime"]
    entries = [ParseDict(tree, access_pb2.AuditEntry()) for tree in lines(["audit", *world.offline])]
    assert any(entry.method.endswith("RevokeToken") for entry in entries)


def test_the_database_is_described_in_json(world: World, tmp_path: Path) -> None:
    (current,) = lines(["db", "current", *world.offline])
    assert current["schema"] == current["schemaNeeded"]
    assert lines(["db", "check", *world.offline])[0]["usable"] is True
    (backup,) = lines(["db", "backup", str(tmp_path / "b.db"), *world.offline])
    assert int(backup["bytes"]) == (tmp_path / "b.db").stat().st_size
    (restored,) = lines(["db", "restore", str(tmp_path / "b.db"), *world.offline])
    assert restored["upgradeNeeded"] is False
    (exported,) = lines(["export", "verdicts", str(tmp_path / "v.parquet"), *world.offline])
    assert int(exported["rows"]) > 0


_DATA = {"figures", "thresholds", "camerasByState", "countyLags", "shed", "failing", "leftOut", "findingsBySeverity",
         "findingsByLevel", "data"}  # fmt: skip
"""Objects whose names are data, not fields."""


def names_of(tree: Any) -> Iterator[str]:
    """Every name of a field in a tree."""
    if isinstance(tree, list):
        for each in tree:
            yield from names_of(each)
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield name
            if name not in _DATA:
                yield from names_of(value)


def test_every_command_speaks_the_dialect_of_the_api(world: World) -> None:
    finding = str(world.finding)
    running = ["top", f"plan {world.dark}", "findings list", f"findings show {finding}", f"findings ack {finding}"]
    left = ["cameras list", "evidence list", "rejudge --all", "kpi", "kpi league", "token list", "audit", "db current",
            "cameras disagree", "report", f"cameras show {world.dark}", f"verdicts {world.dark}"]  # fmt: skip
    for options, commands in ((world.at, running), (world.offline, left)):
        for command in commands:
            done = CliRunner().invoke(app, [*command.split(), "--json", *options])
            assert done.exit_code in (0, 1), (command, done.exception)
            names = {name for line in done.stdout.splitlines() for name in names_of(json.loads(line))}
            assert [name for name in names if not re.fullmatch(r"[a-z][a-zA-Z0-9]*", name)] == [], command
            assert names or command in ("token list", "audit", "cameras disagree"), command
