"""`patrol report` over a real database: what was, in both languages, for a city and for a county."""

import csv
import io
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from PIL import Image

from engine.batch.finding_pictures import finding_pictures
from engine.clock import NS_PER_S, wall_ns
from engine.hub.services.digest_report import report
from engine.interchange.regions import hebei
from engine.model.findings import FindingQuery
from engine.model.keyframe import Codec, Keyframe
from engine.model.kpi import KpiName
from engine.model.verdict import FaultKind, State, Verdict
from engine.model.visit import FeedKind
from engine.notices.digest import FindingPictures, Period
from engine.storage.db.store import Store
from engine.storage.evidence.exhibit_reader import ExhibitReader
from engine.storage.evidence.exhibits import EXHIBITS_FOLDER
from engine.storage.evidence.store import EvidenceStore
from patrol.v1 import findings_pb2, patrol_pb2
from tests.support.digests import COUNTIES, WEEK, fill_city
from tests.support.expect import present

ZONE = "Asia/Shanghai"
LATER_NS = 1_800_000_000 * NS_PER_S


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('city')}/patrol.db"
    store = Store.open(url)
    fill_city(store)
    store.close()
    return url


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store.open(database)
    yield store
    store.close()


def patrol(tmp_path: Path, database: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "{database}"\n')
    command = [sys.executable, "-m", "engine.cli", "report", *arguments, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_digest_of_a_city_adds_up(store: Store) -> None:
    made = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    digest = made.digest
    assert digest.region_name == "石家庄市"
    assert {row.code for row in digest.league} == set(COUNTIES)
    assert [row.place for row in digest.league][:1] == [1]
    assert digest.league[-1].place is None, "hardly measured"
    for name in ("opened", "closed", "dismissed", "standing", "overdue", "supervised"):
        total = getattr(digest.total, name)
        assert total == sum(getattr(tally, name) for tally in digest.by_severity.values())
        assert total == sum(getattr(tally, name) for tally in digest.by_level.values())
        assert total == sum(getattr(row.tally, name) for row in digest.league)
        assert total > 0, name
    clarity = next(kpi for kpi in digest.kpis if kpi.name == KpiName.CLARITY)
    assert made.digest.total.standing == len(made.standing), "every open finding is listed"
    assert clarity.rate.denominator == sum(row.rates[KpiName.CLARITY].denominator for row in digest.league)
    assert clarity.before is not None
    assert digest.kpi_days == 7
    assert sum(len(chapter.findings) for chapter in digest.sections) == len(made.standing)
    assert all(case.camera_name for case in made.standing)


def test_a_digest_of_the_past_is_what_it_would_have_been_then(store: Store) -> None:
    """The findings as the events up to that evening left them, whatever came after."""
    now = {finding.finding_id: finding for finding in store.findings.page(FindingQuery(page_size=1000)).findings}
    friday = report(store, "1301", Period.of_day("2026-03-06"), ZONE, hebei(), LATER_NS)
    sunday = report(store, "1301", Period.of_day("2026-03-08"), ZONE, hebei(), LATER_NS)
    assert friday.standing != sunday.standing
    changed = [case for case in friday.standing if now[case.finding.finding_id].number > case.finding.number]
    assert changed, "something happened to them since"
    days = [report(store, "1301", Period.of_day(f"2026-03-0{day}"), ZONE, hebei(), LATER_NS) for day in range(2, 9)]
    week = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    assert sum(day.digest.total.opened for day in days) == week.digest.total.opened
    assert sum(day.digest.total.closed for day in days) == week.digest.total.closed
    assert days[-1].digest.total.standing == week.digest.total.standing


def test_the_digest_of_a_county_has_its_canteens_and_nobody_elses(store: Store) -> None:
    made = report(store, "130102", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    assert len(made.digest.league) == 8
    assert all(row.code.startswith("130102-") and row.name.endswith("食堂") for row in made.digest.league)
    assert {case.finding.subject.region for case in made.standing} <= {"130102"}
    whole = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    (line,) = (row for row in whole.digest.league if row.code == "130102")
    assert made.digest.total == line.tally


def test_a_period_without_anything_is_empty_and_no_error(store: Store) -> None:
    made = report(store, "13", Period.of_week("2020-W10"), ZONE, hebei(), LATER_NS)
    assert (made.digest.total.opened, made.digest.total.standing, made.digest.league) == (0, 0, ())


def test_the_command_writes_a_page_and_two_sheets(database: str, tmp_path: Path) -> None:
    page, sheet = tmp_path / "w.html", tmp_path / "w.csv"
    done = patrol(tmp_path, database, "--region", "1301", "--week", WEEK, "--html", str(page), "--csv", str(sheet))
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "学校食堂视频巡查周报" in text
    assert "geheim" not in text
    raw = sheet.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "without it Excel shows no Chinese"
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert rows[0][:4] == ["名次", "代码", "区县", "得分"]
    assert len(rows) == 1 + len(COUNTIES) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    findings = list(csv.reader(io.StringIO((tmp_path / "w.findings.csv").read_text(encoding="utf-8-sig"))))
    assert findings[0][0] == "编号"
    assert len(findings) > 1


def test_the_command_speaks_english(database: str, tmp_path: Path) -> None:
    page, sheet = tmp_path / "d.html", tmp_path / "d.csv"
    done = patrol(
        tmp_path, database, "--day", "2026-03-06", "--lang", "en", "--html", str(page), "--csv", str(sheet)
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "daily digest" in text
    assert "All regions" in text
    rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig"))))
    assert "石家庄市长安区" in {row["name"] for row in rows}
    assert int(rows[0]["clarity_denominator"]) > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--week", "2026-W99", "--html", "x.html"), "is not a week"),
        (("--day", "2026-13-01", "--html", "x.html"), "is not a day"),
        (("--week", WEEK, "--day", "2026-03-02", "--html", "x.html"), "give one of them"),
        (("--week", "2999-W01", "--html", "x.html"), "still to come"),
        (("--week", WEEK), "give --html FILE"),
        (("--week", WEEK, "--html", "x.html", "--region", "130"), "2, 4 or 6 digits"),
        (("--week", WEEK, "--html", "/nowhere/x.html"), "there is no folder /nowhere"),
    ],
)
def test_a_wrong_call_is_one_sentence(database: str, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = patrol(tmp_path, database, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_cameras_that_left_the_registry_keep_their_findings(database: str, store: Store) -> None:
    made = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    gone = made.standing[0].finding.subject.camera_id
    known = {camera.camera_id: camera for camera in store.registry.cameras()}
    store.registry.remove([gone])
    try:
        again = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    finally:
        store.registry.upsert([known[gone]])
    assert again.standing[0] == replace(made.standing[0], camera_name="")


def test_without_a_period_the_command_says_which_week_it_took_and_that_it_is_empty(
    database: str, tmp_path: Path
) -> None:
    page = tmp_path / "w.html"
    done = patrol(tmp_path, database, "--region", "13", "--html", str(page))
    assert done.returncode == 0, done.stderr
    week = Period.last_week(wall_ns(), ZONE)
    assert f"period {week.name}: {week.first} to {week.last} (Asia/Shanghai)" in done.stderr
    assert f"{week.first.year}年" in page.read_text(encoding="utf-8")


def test_a_period_in_which_nothing_happened_is_named(database: str, tmp_path: Path) -> None:
    done = patrol(tmp_path, database, "--week", "2020-W10", "--html", str(tmp_path / "w.html"))
    assert "nothing was counted or found in this period" in done.stderr


def test_a_county_with_open_findings_stands_behind_every_one_without(store: Store) -> None:
    made = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    ranked = [line for line in made.digest.league if line.place is not None]
    leaves_open = [line.tally.standing > 0 for line in ranked]
    assert leaves_open == sorted(leaves_open)
    for better, worse in itertools.pairwise(ranked):
        if (better.tally.standing > 0) == (worse.tally.standing > 0):
            assert present(better.points) >= present(worse.points)


def exhibit(folder: Path, camera_id: str) -> str:
    """Keep a baseline and a fault of this camera; return the digest of the fault."""
    evidence = EvidenceStore(folder, 10_000_000)
    verdicts = (
        Verdict(camera_id, 1, 0, State.OK, announced=State.OK),
        Verdict(camera_id, 2, 0, State.FAULT, (FaultKind.TOO_DARK,), announced=State.FAULT),
    )
    digests: tuple[str, ...] = ()
    for level, verdict in zip((160, 3), verdicts, strict=True):
        picture = io.BytesIO()
        Image.new("RGB", (640, 360), (level, level, level)).save(picture, "JPEG")
        keyframe = Keyframe(
            camera_id, verdict.visit_id, Codec.MJPEG, picture.getvalue(), level * NS_PER_S, None, FeedKind.DEMUX
        )
        digests = evidence.add_exhibit(keyframe, verdict)
        evidence.store(keyframe, verdict)
    evidence.sync()
    return digests[0]


def test_pictures_of_a_finding_are_the_fault_and_the_baseline(tmp_path: Path, store: Store) -> None:
    (case, *_) = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS).standing
    digest = exhibit(tmp_path, case.finding.subject.camera_id)
    exhibits = ExhibitReader(tmp_path)
    shown = finding_pictures(exhibits, [replace(case, exhibit=digest)])[case.finding.finding_id]
    fault, good = present(shown.fault), present(shown.good)
    assert shown.of_baseline
    assert (fault.at_wall_ns, good.at_wall_ns) == (3 * NS_PER_S, 160 * NS_PER_S)
    for picture, level in ((fault, 3), (good, 160)):
        with Image.open(io.BytesIO(picture.jpeg)) as image:
            assert image.size == (400, 225)
            assert abs(image.convert("L").getpixel((9, 9)) - level) < 4  # type: ignore[operator]


def test_a_picture_that_is_damaged_or_gone_costs_no_report(tmp_path: Path, store: Store) -> None:
    (case, *_) = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS).standing
    digest = exhibit(tmp_path, case.finding.subject.camera_id)
    exhibits = ExhibitReader(tmp_path)
    (path,) = (tmp_path / EXHIBITS_FOLDER).glob(f"*/{digest}.mjpeg")
    path.write_bytes(b"other bits")
    number = case.finding.finding_id
    assert finding_pictures(exhibits, [replace(case, exhibit=digest)]) == {number: FindingPictures()}
    assert finding_pictures(exhibits, [replace(case, exhibit="0" * 64)]) == {number: FindingPictures()}


def test_the_command_prints_the_digest_as_json(store: Store, database: str, tmp_path: Path) -> None:
    done = patrol(tmp_path, database, "--region", "1301", "--week", WEEK, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    made = report(store, "1301", Period.of_week(WEEK), ZONE, hebei(), LATER_NS)
    assert (told["region"], told["regionName"], told["period"]) == ("1301", "石家庄市", WEEK)
    assert told["findings"]["standing"] == made.digest.total.standing == len(told["openFindings"])
    first = ParseDict(told["openFindings"][0]["finding"], findings_pb2.Finding())
    assert first.name == f"findings/{made.standing[0].finding.finding_id}"
    rates = [ParseDict(line["rate"], patrol_pb2.Rate()) for line in told["kpis"]]
    assert [rate.denominator for rate in rates] == [line.rate.denominator for line in made.digest.kpis]
    assert [(line["place"], line["code"]) for line in told["league"]] == [
        (line.place, line.code) for line in made.digest.league
    ]
    assert "--json" in patrol(tmp_path, database, "--week", WEEK).stderr
