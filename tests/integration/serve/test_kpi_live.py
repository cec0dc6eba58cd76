"""KPIs and evidence of a running engine with real cameras, one dark and one locked; and what the commands say."""

import csv
import hashlib
import json
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.main import app
from engine.client import PatrolClient
from engine.decode.decoder import Decoder
from engine.demo.county import County
from engine.hub.services.kpis import kpi_table
from engine.model.keyframe import Codec, Keyframe
from engine.model.kpi import Counts, KpiChanges, KpiQuery
from engine.model.measurement import Scores
from engine.model.verdict import FaultKind, State, Verdict
from engine.model.visit import FeedKind
from engine.storage.db.database import write_transaction
from engine.storage.db.store import Store
from engine.storage.evidence.exhibits import Exhibits
from engine.supervisor.app import Supervisor
from engine.worker.process import render_annotated
from tests.support.feed.clips import encode, scene
from tests.support.live_engine import DARK, HEALTHY, LOCKED, scrape, settings
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def patrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a patrol left behind, and its configuration."""
    folder: Path = tmp_path_factory.mktemp("kpi")
    (folder / "patrol.toml").write_text(
        f'[record]\nurl = "sqlite:///{folder}/patrol.db"\nevidence_dir = "{folder}/ev"\n', encoding="utf-8"
    )
    with ExitStack() as stack:
        county = stack.enter_context(County(only={HEALTHY, DARK, LOCKED}))
        engine = stack.enter_context(Supervisor(settings(folder)))
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        client.import_cameras([camera.camera for camera in county.cameras])
        store = Store.open(f"sqlite:///{folder}/patrol.db")
        stack.callback(store.close)
        wait_until(lambda: counted(store).cameras_visited == 3 and counted(store).periods_due > 0, timeout_s=40)
        wait_until(lambda: Exhibits(folder / "ev" / "exhibits").digests(), timeout_s=40)
        wait_until(
            lambda: any(name == "patrol_kpi_ratio" for name, _ in scrape(engine.addresses["metrics"])), timeout_s=40
        )
    return folder


def counted(store: Store) -> Counts:
    return kpi_table(store.kpis, KpiQuery()).total.counts


def patrol(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--config", str(folder / "patrol.toml")])
    assert done.exit_code in (0, 1), done.output
    return done.stdout


def test_the_commands_say_what_the_patrol_saw(patrolled: Path) -> None:
    report = json.loads(patrol(patrolled, "kpi", "--json"))
    total = {rate["kpi"]: rate for rate in report["total"]["rates"]}
    assert report["fromDay"] == report["toDay"]
    online, clarity = total["KPI_ONLINE"], total["KPI_CLARITY"]
    assert (online["numerator"], online["denominator"], online["registered"]) == ("2", "3", "3")
    assert (clarity["denominator"], clarity["notMeasured"]) == ("2", "1")
    assert int(clarity.get("numerator", 0)) <= 1
    assert int(total["KPI_PATROL_COVERAGE"]["denominator"]) > 0
    by_canteen = json.loads(patrol(patrolled, "kpi", "--by", "canteen", "--json"))
    rates = [rate for row in by_canteen["rows"] for rate in row["rates"] if rate["kpi"] == "KPI_ONLINE"]
    assert sum(int(rate["registered"]) for rate in rates) == 3
    assert all(row["siteName"] for row in by_canteen["rows"])
    table = patrol(patrolled, "kpi", "--by", "province")
    assert table.splitlines()[0].split()[:4] == ["region", "name", "days", "clarity"]
    assert "河北省" in table


def test_the_course_of_a_day_is_shown_hour_by_hour(patrolled: Path) -> None:
    store = Store.open(f"sqlite:///{patrolled}/patrol.db")
    today, counts = date(2026, 3, 2), Counts(cameras=4, cameras_enabled=4, cameras_visited=2, cameras_online=1)
    hours = {(today.toordinal(), hour, "139901"): counts._replace(cameras_online=hour) for hour in (0, 3)}
    with write_transaction(store._engine) as connection:
        store.kpis.write(connection, KpiChanges(hours=hours), 400, 40)
    store.close()
    days = ("--from", "2026-03-02", "--to", "2026-03-02")
    rows = json.loads(patrol(patrolled, "kpi", "--each-hour", "--json", *days))["rows"]
    online = [next(rate for rate in row["rates"] if rate["kpi"] == "KPI_ONLINE") for row in rows]
    assert [row["hour"] for row in rows] == [0, 3]
    assert [(rate.get("numerator", "0"), rate["denominator"]) for rate in online] == [("0", "4"), ("3", "4")]
    head, first, second, *rest = patrol(patrolled, "kpi", "--each-hour", "--by", "city", *days).splitlines()
    assert ("2026-03-02 until 01:00" in first, "2026-03-02 until 04:00" in second) == (True, True), head
    assert not any("all" in line for line in rest)
    path = patrolled / "hours.csv"
    patrol(patrolled, "kpi", "--each-hour", "--csv", str(path), *days)
    written = [*csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())]
    assert [(row["hour"], row["online_rate"]) for row in written] == [("0", "0.000000"), ("3", "0.750000")]


def test_the_league_names_counties_with_their_rates(patrolled: Path) -> None:
    rows = json.loads(patrol(patrolled, "kpi", "league", "--kpi", "online", "--json"))["rows"]
    assert rows[0]["place"] == 1
    assert not any("before" in row for row in rows)


def test_a_spreadsheet_has_numerator_denominator_and_measured_of_every_rate(patrolled: Path) -> None:
    path = patrolled / "kpi.csv"
    patrol(patrolled, "kpi", "--by", "province", "--csv", str(path))
    (row,) = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
    assert (row["online_numerator"], row["online_denominator"], row["online_registered"]) == ("2", "3", "3")
    assert float(row["online_rate"]) == pytest.approx(2 / 3, abs=1e-6)


def test_what_a_command_cannot_take_is_said(patrolled: Path) -> None:
    for arguments, why in (
        (("kpi", "--region", "13x"), "GB/T 2260"),
        (("kpi", "--from", "yesterday"), "2026-11-01"),
        (("kpi", "league", "--by", "canteen"), "a league ranks"),
        (("kpi", "--json", "--csv", "x"), "give one"),
        (("kpi", "--each-hour", "--by", "canteen"), "canteens have no hours"),
        (("kpi", "--each-hour", "--from", "2026-03-02"), "up to 31 days"),
        (("kpi", "--each-hour", "--from", "2026-03-01", "--to", "2026-04-01"), "up to 31 days"),
    ):
        done = CliRunner().invoke(app, [*arguments, "--config", str(patrolled / "patrol.toml")])
        assert why in str(done.exception)


def test_the_announced_fault_is_there_bit_for_bit(patrolled: Path) -> None:
    (sighting, *_) = [json.loads(line) for line in patrol(patrolled, "evidence", "list", "--json").splitlines()]
    assert "FAULT_KIND_TOO_DARK" in sighting["verdict"]["announcedKinds"]
    assert sighting["verdict"]["figures"]["luma_mean"] < 60
    path = patrolled / "ev" / "exhibits" / sighting["sha256"][:2] / f"{sighting['sha256']}.{sighting['codec']}"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sighting["sha256"]
    assert sighting["camera"].removeprefix("cameras/") in patrol(patrolled, "evidence", "list")


def test_verify_reads_every_exhibit_and_names_what_has_changed(patrolled: Path) -> None:
    assert " 0 not whole" in patrol(patrolled, "evidence", "verify")
    path = next((patrolled / "ev" / "exhibits").rglob("*.h26*"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    try:
        (flaw,) = [json.loads(line) for line in patrol(patrolled, "evidence", "verify", "--json").splitlines()]
        assert flaw["sha256"] == path.stem
        assert "other bits" in flaw["message"]
    finally:
        path.write_bytes(whole)


def test_an_annotated_picture_has_the_verdict_above_the_tiles() -> None:
    payload = encode(Codec.H264, [scene(640, 360)])[0]
    frame = Keyframe("c", 1, Codec.H264, payload, 10**18, None, FeedKind.RTSP)
    verdict = Verdict("c", 1, 10**18, State.FAULT, (FaultKind.BLURRED,), scores=Scores(12.0, 90.0, 0.0))
    decoder = Decoder()
    try:
        picture = render_annotated(decoder, frame, verdict, 0)
        small = render_annotated(decoder, frame, verdict, 320)
    finally:
        decoder.close()
    assert picture.jpeg[:2] == b"\xff\xd8"
    assert (picture.width, picture.height > 360) == (640, True)
    assert max(small.width, small.height) == 320
