"""Spot checks of a real engine, over real gRPC and from the command line: drawn, kept, read back, visited."""

import asyncio
import csv
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.client import CallError, PatrolClient
from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import LogSettings, RecordSettings, SchedulerSettings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.errors import ConflictError
from engine.hub.services.spot_checks import SpotCheckService
from engine.model.camera import Camera, SiteKind
from engine.model.spot_check import SpotCheck, SpotCheckOrder
from engine.model.verdict import State, Verdict
from engine.model.visit import CheckNowReport
from engine.storage.db.store import Store, VisitRecord
from engine.supervisor.app import Supervisor
from tests.support.expect import present

COUNTIES, KINDS = ("130102", "130203"), (SiteKind.PRIMARY, SiteKind.HIGH)
SITES = 24
REFUSING = "rtsp://127.0.0.1:9/1"


def settings(folder: Path) -> Settings:
    return Settings(
        feed=FeedSettings(deadline_s=3, connect_timeout_s=1, demuxers=0),
        intake=IntakeSettings(listen=""),
        worker=WorkerSettings(count=1, spare=False),
        scheduler=SchedulerSettings(spot_check_sites=8, key_period_s=3600, ordinary_period_s=3600),
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db", evidence_dir=f"{folder}/ev", quarantine_dir=f"{folder}/q"
        ),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen=""),
        web=WebSettings(enabled=False),
        log=LogSettings(level="warning"),
    )


def registry() -> list[Camera]:
    """24 canteens of two counties and two kinds, two cameras each: one that refuses, one that a gateway feeds."""
    cameras = []
    for n in range(SITES):
        site: dict[str, Any] = {"site_id": f"s{n:02}", "site_name": f"第{n}学校食堂", "region": COUNTIES[n % 2]}
        site |= {"site_kind": KINDS[n // 2 % 2]}
        cameras += [Camera(f"s{n:02}-1", REFUSING, **site), Camera(f"s{n:02}-2", "", push=True, **site)]
    return cameras


def fill(folder: Path) -> None:
    """What an engine finds at its start: the registry, and a fault announced in the canteens s00 and s01."""
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    store.registry.upsert([*registry(), Camera("lone", "", push=True), Camera("off", "", push=True, enabled=False)])
    faults = [Verdict(f"{site}-2", 1, 1, State.FAULT, announced=State.FAULT) for site in ("s00", "s01")]
    store.write([VisitRecord(fault, b"") for fault in faults])
    store.close()


Engine = tuple[str, PatrolClient]
"""Address and client of an engine."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("spot")
    fill(folder)
    with Supervisor(settings(folder)) as running, PatrolClient(running.addresses["grpc"]) as client:
        yield running.addresses["grpc"], client


def sites(check: SpotCheck) -> list[str]:
    return [canteen.site_id for canteen in check.drawn]


def test_the_kind_of_school_goes_through_the_api(engine: Engine) -> None:
    _, client = engine
    camera = registry()[4]
    assert client.camera("s02-1").camera.site_kind == SiteKind.HIGH
    assert client.import_cameras([replace(camera, site_kind=SiteKind.VOCATIONAL)]).changed == 1
    assert client.camera("s02-1").camera.site_kind == SiteKind.VOCATIONAL
    assert client.import_cameras([camera]).changed == 1


def test_a_dry_run_is_reproducible_and_remembers_nothing(engine: Engine) -> None:
    _, client = engine
    order = SpotCheckOrder(size=10, seed=5, dry_run=True)
    before = client.spot_checks()
    first, second = (client.draw_spot_check(order).spot_check for _ in range(2))
    assert (first.strata, first.drawn) == (second.strata, second.drawn)
    assert first.header.draw_id == 0
    assert client.spot_checks() == before
    assert sites(client.draw_spot_check(replace(order, seed=6)).spot_check) != sites(first)


def test_a_draw_says_what_it_drew_from(engine: Engine) -> None:
    _, client = engine
    check = client.draw_spot_check(SpotCheckOrder(dry_run=True, seed=1)).spot_check
    header = check.header
    assert (header.size, header.drawn, header.canteens, header.findings_weight) == (8, 8, SITES, 2.0)
    assert check.left_out == {"disabled": 1, "no_site": 1}
    assert {(stratum.county, stratum.kind, stratum.with_findings): stratum.canteens for stratum in check.strata} == {
        ("130102", SiteKind.HIGH, False): 6,
        ("130102", SiteKind.PRIMARY, False): 5,
        ("130102", SiteKind.PRIMARY, True): 1,
        ("130203", SiteKind.HIGH, False): 6,
        ("130203", SiteKind.PRIMARY, False): 5,
        ("130203", SiteKind.PRIMARY, True): 1,
    }


def test_without_a_seed_nobody_can_foretell_the_draw(engine: Engine) -> None:
    _, client = engine
    seeds = {client.draw_spot_check(SpotCheckOrder(dry_run=True)).spot_check.header.seed for _ in range(4)}
    assert len(seeds) == 4


def test_a_region_is_drawn_from_alone(engine: Engine) -> None:
    _, client = engine
    check = client.draw_spot_check(SpotCheckOrder(size=100, region_prefix="1302", dry_run=True)).spot_check
    assert sorted(sites(check)) == [f"s{n:02}" for n in range(1, SITES, 2)]
    assert {canteen.site_id: canteen.findings for canteen in check.drawn if canteen.with_findings} == {"s01": 1}
    with pytest.raises(CallError, match="no canteen of region '44'") as caught:
        client.draw_spot_check(SpotCheckOrder(region_prefix="44"))
    assert caught.value.status == "NOT_FOUND"


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (SpotCheckOrder(size=20_001), "size"),
        (SpotCheckOrder(region_prefix="13x"), "region_prefix"),
        (SpotCheckOrder(dry_run=True, check_now=True), "check_now"),
    ],
)
def test_arguments_out_of_bounds_name_their_field(engine: Engine, order: SpotCheckOrder, field: str) -> None:
    with pytest.raises(CallError) as caught:
        engine[1].draw_spot_check(order)
    assert caught.value.status == "INVALID_ARGUMENT"
    assert [field_name for field_name, _ in caught.value.violations] == [field]


def test_the_cameras_of_the_canteens_drawn_are_visited_at_once(engine: Engine) -> None:
    _, client = engine
    report = client.draw_spot_check(SpotCheckOrder(size=6, seed=3, check_now=True, region_prefix="1301"))
    drawn = sites(report.spot_check)
    assert len(drawn) == 6
    visits = present(report.check_now)
    assert visits.accepted + visits.already_in_flight == 6
    assert visits.not_visited == len(drawn)
    assert client.draw_spot_check(SpotCheckOrder(size=1, dry_run=True)).check_now is None


@pytest.mark.long
def test_nobody_comes_twice_until_all_were_drawn_also_over_a_restart(tmp_path: Path) -> None:
    fill(tmp_path)
    chosen = settings(tmp_path)
    seen: list[str] = []
    kept: list[SpotCheck] = []
    for half in range(2):
        with Supervisor(chosen) as running, PatrolClient(running.addresses["grpc"]) as client:
            assert client.spot_checks() == tuple(draw.header for draw in reversed(kept))
            for _ in range(2):
                kept.append(client.draw_spot_check(SpotCheckOrder(size=4, seed=half)).spot_check)
                seen += sites(kept[-1])
            assert [client.spot_check(draw.header.draw_id) for draw in kept] == kept
            assert client.spot_check() == kept[-1]
            with pytest.raises(CallError, match="draw 99 is not kept") as caught:
                client.spot_check(99)
            assert caught.value.status == "NOT_FOUND"
    # The two with findings are strata of their own, which one draw exhausts; four draws of four exhaust no other.
    others = [site_id for site_id in seen if site_id not in ("s00", "s01")]
    assert len(others) == len(set(others)) > 8
    assert [draw.header.draw_id for draw in kept] == [1, 2, 3, 4]


def test_of_two_draws_at_once_one_is_told_to_come_again(tmp_path: Path) -> None:
    fill(tmp_path)
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    begun, go_on = threading.Event(), threading.Event()

    def slow_settings() -> SchedulerSettings:
        begun.set()
        assert go_on.wait(10)
        return SchedulerSettings()

    async def nobody(_: object) -> CheckNowReport:
        return CheckNowReport()

    async def story() -> None:
        service = SpotCheckService(store.spot_checks, slow_settings, nobody)
        first = asyncio.create_task(service.draw(SpotCheckOrder(size=2)))
        assert await asyncio.to_thread(begun.wait, 10)
        with pytest.raises(ConflictError, match="ask again"):
            await service.draw(SpotCheckOrder(size=2))
        go_on.set()
        assert (await first).spot_check.header.draw_id == 1
        assert (await service.draw(SpotCheckOrder(size=2))).spot_check.header.draw_id == 2

    asyncio.run(story())
    store.close()


def patrol(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine.cli", "spot-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_shows_strata_canteens_and_a_summary(engine: Engine) -> None:
    done = patrol("--size", "5", "--seed", "9", "--dry-run", "--server", engine[0])
    assert done.returncode == 0, done.stderr
    strata, drawn, summary = done.stdout.split("\n\n")
    assert strata.splitlines()[0].split()[:5] == ["county", "kind", "findings", "canteens", "drawn"]
    assert sum(int(line.split()[4]) for line in strata.splitlines()[1:]) == 5
    assert len(drawn.splitlines()) == 1 + 5
    assert summary.splitlines()[0].startswith(f"dry run: 5 of {SITES} canteens, ")
    assert summary.splitlines()[1:] == [
        "1 cameras count for no canteen: disabled",
        "1 cameras count for no canteen: no_site",
    ]


def test_the_command_draws_as_json_and_shows_and_lists_draws_again(engine: Engine) -> None:
    done = patrol("--size", "4", "--json", "--check-now", "--server", engine[0])
    first = json.loads(done.stdout)
    check, counts = first["spotCheck"], first["checkNow"]
    assert len(check["drawn"]) == check["header"]["drawn"] == 4
    assert counts.get("accepted", 0) + counts.get("alreadyInFlight", 0) == 4
    draw_id = check["header"]["name"].removeprefix("spotChecks/")
    again = json.loads(patrol("--show", draw_id, "--json", "--server", engine[0]).stdout)
    assert again == {"spotCheck": check}
    listed = json.loads(patrol("--list", "--json", "--server", engine[0]).stdout.splitlines()[0])
    assert listed == check["header"]
    assert patrol("--list", "--server", engine[0]).stdout.splitlines()[1].split()[0] == draw_id


def test_the_command_writes_a_file_that_excel_reads(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "drawn.csv"
    done = patrol("--size", "3", "--seed", "1", "--csv", str(target), "--server", engine[0])
    assert done.returncode == 0, done.stderr
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with target.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    latest = engine[1].spot_check()
    assert [row["site_id"] for row in rows] == sites(latest)
    assert [row["site_name"] for row in rows] == [canteen.site_name for canteen in latest.drawn]


def test_a_file_that_cannot_be_written_is_refused_before_the_draw(engine: Engine, tmp_path: Path) -> None:
    before = len(engine[1].spot_checks())
    done = patrol("--size", "3", "--csv", str(tmp_path / "absent" / "x.csv"), "--server", engine[0])
    assert done.returncode == 2
    assert "there is no folder" in done.stderr
    assert len(engine[1].spot_checks()) == before


def test_a_disk_that_is_full_does_not_lose_the_draw(engine: Engine) -> None:
    done = patrol("--size", "3", "--csv", "/dev/full", "--server", engine[0])
    assert done.returncode == 2
    assert f"--show {engine[1].spot_check().header.draw_id}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "-1"], "--size"),
        (["--seed", "4294967296"], "--seed"),
        (["--show", "1", "--size", "2"], "leave the other options"),
        (["--list", "--dry-run"], "leave the other options"),
        (["--json", "--csv", "x"], "leave --json and --list out"),
        (["--dry-run", "--check-now"], "leave one of them out"),
        (["--region", "13x"], "--region: "),
    ],
)
def test_options_that_do_not_fit_are_refused(engine: Engine, arguments: list[str], said: str) -> None:
    done = patrol(*arguments, "--server", engine[0])
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_without_an_engine_the_command_says_what_to_do() -> None:
    done = patrol("--server", "127.0.0.1:1")
    assert done.returncode == 2
    assert "start `patrol run`" in done.stderr
