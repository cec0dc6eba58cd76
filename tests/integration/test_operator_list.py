"""A wrong password of ours, in a whole engine: the camera is offline, on the operator's list, and no finding."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.client import PatrolClient
from engine.config.ledger import LedgerSettings
from engine.demo.county import County
from engine.model.camera import Camera
from engine.model.findings import FindingQuery
from engine.model.verdict import State
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.command_line import patrol
from tests.support.live_engine import LOCKED, scrape, settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until

GAUGE = "patrol_cameras_for_operator"
UNAUTHORIZED = (("reason", "unauthorized"),)


@pytest.fixture
def county() -> Iterator[County]:
    with County(only={LOCKED}) as county:
        yield county


@pytest.mark.long
def test_only_the_camera_that_nobody_can_reach_is_a_finding(county: County, tmp_path: Path) -> None:
    (locked,) = (camera.camera for camera in county.cameras)
    gone = Camera("gone", f"rtsp://127.0.0.1:{free_port()}/1", region=locked.region)
    config = settings(tmp_path, ledger=LedgerSettings(offline_min_h=0))
    with ExitStack() as stack:
        engine = stack.enter_context(Supervisor(config))
        address = engine.addresses["grpc"]
        client = stack.enter_context(PatrolClient(address))
        client.import_cameras([locked, gone])
        (finding,) = wait_until(lambda: tuple(client.findings.list()), 20)
        assert finding.subject.camera_id == "gone"
        wait_until(lambda: client.verdict(locked.camera_id).announced is State.OFFLINE, 20)
        wait_until(lambda: scrape(engine.addresses["metrics"]).get((GAUGE, UNAUTHORIZED)) == 1, 5)
        checks = client.status().machine
        assert checks is not None
        wait_until(lambda: present_checks(client) > checks.checks_total + 4, 20)
        assert [found.subject.camera_id for found in client.findings.list()] == ["gone"]
        listed = patrol("cameras", "list", "--operator", "--json", "--server", address)
        assert [json.loads(line)["name"] for line in listed.stdout.splitlines()] == [f"cameras/{locked.camera_id}"]
        table = patrol("cameras", "list", "--reason", "refused", "--wide", "--server", address).stdout
        assert table.splitlines()[0].split()[-1] == "detail"
        assert "nothing listens on that port" in table
        assert locked.camera_id not in table
        client.remove_cameras([locked.camera_id])
        wait_until(lambda: scrape(engine.addresses["metrics"]).get((GAUGE, UNAUTHORIZED)) == 0, 5)
    store = Store.open(config.record.url)
    assert {found.subject.camera_id for found in store.findings.page(FindingQuery()).findings} == {"gone"}
    store.close()


def present_checks(client: PatrolClient) -> int:
    machine = client.status().machine
    return 0 if machine is None else machine.checks_total


def test_a_reason_that_no_verdict_has_is_refused(tmp_path: Path) -> None:
    done = patrol("cameras", "list", "--reason", "laziness", "--server", "127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 2
    assert "allowed: " in done.stderr
    assert "unauthorized" in done.stderr
