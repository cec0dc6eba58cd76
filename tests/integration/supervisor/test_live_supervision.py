"""A whole engine: processes that are stopped are replaced, and readiness follows the database and the disk."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engine.client import CallError, PatrolClient
from engine.config.feed import FeedSettings
from engine.config.schema import WorkerSettings
from engine.config.web import WebSettings
from engine.model.camera import Camera
from engine.overlay.installed import is_installed
from engine.supervisor.app import Supervisor
from tests.support.live_engine import scrape, settings
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(400)
REPLACED_S = 120.0
"""Far more than it takes: machines that run tests are loaded."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Supervisor, Path]]:
    folder = tmp_path_factory.mktemp("engine")
    one_and_spare, web = WorkerSettings(count=1), WebSettings(listen="127.0.0.1:0")
    chosen = settings(folder, worker=one_and_spare, feed=FeedSettings(demuxers=1), web=web)
    with Supervisor(chosen) as engine:
        yield engine, folder


def readyz(engine: Supervisor, listener: str = "metrics") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{engine.addresses[listener]}/readyz", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def is_ready(engine: Supervisor) -> bool:
    return readyz(engine)[0] == 200


def is_serving(engine: Supervisor) -> bool:
    with grpc.insecure_channel(engine.addresses["grpc"]) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        reply = stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def is_replaced(engine: Supervisor, name: str, pid: int) -> bool:
    return engine.pids().get(name) not in (None, pid) and is_ready(engine)


def restarts(engine: Supervisor, kind: str, reason: str) -> float:
    labels = (("kind", kind), ("reason", reason))
    return scrape(engine.addresses["metrics"]).get(("patrol_process_restarts_total", labels), 0.0)


@pytest.mark.parametrize("name", ["worker-0", "feeder-0", "demuxer-0", "web", "hub"])
def test_a_stopped_process_is_replaced_and_counted(engine: tuple[Supervisor, Path], name: str) -> None:
    supervisor, _ = engine
    kind = name.partition("-")[0]
    wait_until(lambda: is_ready(supervisor), REPLACED_S)
    before = restarts(supervisor, kind, "stopped")
    pid = supervisor.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: is_replaced(supervisor, name, pid), REPLACED_S, poll_s=0.2)
    wait_until(lambda: restarts(supervisor, kind, "stopped") == before + 1, REPLACED_S, poll_s=0.2)


def test_the_spare_takes_the_place_of_a_worker_that_is_lost(engine: tuple[Supervisor, Path]) -> None:
    """And the one that was lost is the spare then, so that the next loss is made good too."""
    supervisor, _ = engine
    for _ in range(2):
        wait_until(lambda: is_ready(supervisor) and supervisor.spare, REPLACED_S, poll_s=0.2)
        spare, before = supervisor.spare, supervisor.pids()
        lost = next(name for name in before if name.startswith("worker-") and name != spare)
        os.kill(before[lost], signal.SIGKILL)
        wait_until(lambda: not supervisor.spare, REPLACED_S)
        wait_until(lambda: is_ready(supervisor), REPLACED_S)
        assert supervisor.pids()[spare] == before[spare]
        assert lost not in supervisor.pids(), "the next spare leaves the CPU to the patrol at first"


@pytest.mark.long
def test_a_spare_that_dies_is_replaced_and_a_hub_that_dies_does_not_take_it_along(
    engine: tuple[Supervisor, Path],
) -> None:
    supervisor, _ = engine
    name = wait_until(lambda: supervisor.spare, REPLACED_S, poll_s=0.2)
    first = supervisor.pids()[name]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: supervisor.spare == name and supervisor.pids()[name] != first, REPLACED_S, poll_s=0.2)
    second = supervisor.pids()[name]
    wait_until(lambda: is_ready(supervisor), REPLACED_S)
    os.kill(supervisor.pids()["hub"], signal.SIGKILL)
    wait_until(lambda: not supervisor.spare, REPLACED_S)
    wait_until(lambda: is_ready(supervisor), REPLACED_S)
    assert supervisor.pids()[name] == second


def test_the_heart_of_every_kind_of_process_beats(engine: tuple[Supervisor, Path]) -> None:
    supervisor, _ = engine
    wait_until(lambda: is_ready(supervisor), REPLACED_S)

    def shown() -> dict[str, float]:
        samples = scrape(supervisor.addresses["metrics"])
        return {
            dict(labels)["kind"]: age for (name, labels), age in samples.items() if name.startswith("patrol_heartbeat")
        }

    running = {"hub", "worker", "feeder", "demuxer", "web"} | ({"reader"} if is_installed() else set())
    wait_until(lambda: {kind for kind, age_s in shown().items() if age_s > 0} == running)
    assert set(shown()) == running | {"reader"}


def test_without_its_database_the_engine_says_so_and_acknowledges_nothing(engine: tuple[Supervisor, Path]) -> None:
    supervisor, folder = engine
    wait_until(lambda: is_ready(supervisor) and is_serving(supervisor), REPLACED_S)
    (folder / "patrol.db").rename(folder / "moved.db")
    wait_until(lambda: "the file of the database is gone" in readyz(supervisor)[1], poll_s=0.2)
    wait_until(lambda: not is_serving(supervisor), poll_s=0.2)
    assert readyz(supervisor, "web")[0] == 503
    with PatrolClient(supervisor.addresses["grpc"]) as client, pytest.raises(CallError, match="nothing was changed"):
        client.import_cameras([Camera("lost", "rtsp://h/1")])
    labels = (("part", "database_file"),)
    wait_until(lambda: scrape(supervisor.addresses["metrics"])["patrol_not_ready", labels] == 1, poll_s=0.2)
    (folder / "moved.db").rename(folder / "patrol.db")
    wait_until(lambda: is_ready(supervisor) and is_serving(supervisor), REPLACED_S, poll_s=0.2)
    assert readyz(supervisor, "web")[0] == 200


def test_a_hub_that_is_replaced_while_the_database_is_gone_makes_no_new_one(engine: tuple[Supervisor, Path]) -> None:
    supervisor, folder = engine
    wait_until(lambda: is_ready(supervisor), REPLACED_S)
    (folder / "patrol.db").rename(folder / "moved.db")
    before = supervisor.restarts
    os.kill(supervisor.pids()["hub"], signal.SIGKILL)
    wait_until(lambda: supervisor.restarts >= before + 2, REPLACED_S)  # it was killed, and could not start
    assert not (folder / "patrol.db").exists()
    (folder / "moved.db").rename(folder / "patrol.db")
    wait_until(lambda: is_ready(supervisor), REPLACED_S, poll_s=0.2)


def test_an_evidence_folder_that_takes_nothing_is_named(engine: tuple[Supervisor, Path]) -> None:
    supervisor, folder = engine
    wait_until(lambda: is_ready(supervisor), REPLACED_S)
    (folder / "ev").rename(folder / "ev.away")
    (folder / "ev").write_text("no folder")
    wait_until(lambda: "keyframes cannot be kept in record.evidence_dir" in readyz(supervisor)[1], poll_s=0.2)
    (folder / "ev").unlink()
    (folder / "ev.away").rename(folder / "ev")
    wait_until(lambda: is_ready(supervisor), REPLACED_S, poll_s=0.2)


def test_disks_database_and_descriptors_are_measured(engine: tuple[Supervisor, Path]) -> None:
    supervisor, folder = engine
    wait_until(lambda: is_ready(supervisor), REPLACED_S)
    samples = scrape(supervisor.addresses["metrics"])
    for place in ("database", "evidence"):
        disk = (("folder", place),)
        assert 0 < samples["patrol_disk_free_bytes", disk] <= samples["patrol_disk_bytes", disk]
    assert samples["patrol_database_bytes", ()] >= (folder / "patrol.db").stat().st_size / 2
    opened = {labels: number for (name, labels), number in samples.items() if name == "patrol_process_open_descriptors"}
    assert (("process", "hub"),) in opened
    for labels, number in opened.items():
        assert 3 < number < samples["patrol_process_descriptors_max", labels]
