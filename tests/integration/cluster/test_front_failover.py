"""What callers of a front notice when a shard's engine is lost, and when the front itself is started anew."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa

from engine.client import CallError, PatrolClient
from engine.model.verdict import Verdict
from patrol.v1 import cameras_pb2, cameras_pb2_grpc
from tests.support.cluster.province import HERE, LEASE_S, THERE, Province
from tests.support.cluster.watcher import Watcher
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


@pytest.fixture
def province(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Province]:
    with ExitStack() as stack:
        yield Province(postgres_server.database(), tmp_path, stack)


def stored(province: Province) -> list[tuple[str, int]]:
    """Cameras and visits of the log, in its order."""
    from engine.storage.db.store import Store

    store = Store.open_existing(province.url)
    try:
        found: list[Verdict] = []
        seq = 0
        while rows := store.history.after(seq, 1000):
            found += [row.verdict for row in rows]
            seq = rows[-1].seq
        return [(verdict.camera_id, verdict.visit_id) for verdict in found]
    finally:
        store.close()


def test_reads_go_on_and_writes_wait_while_a_shard_changes_its_engine(province: Province) -> None:
    first, other = province.start(1, "node-1"), province.start(2, "node-2")
    first.addresses()
    other.addresses()
    front = province.front()
    fronts = [front]
    watcher = Watcher(lambda: fronts[-1].addresses["grpc"])
    with PatrolClient(front.addresses["grpc"]) as client:
        wait_until(lambda: all(camera.latest for camera in client.cameras()), 60)
        assert watcher.wait(21, 60)
        finding = wait_until(
            lambda: next((one for one in client.findings.list() if one.subject.camera_id == "c0"), None)
        )
        first.send_all(signal.SIGKILL)
        began_s = time.monotonic()
        before = client.verdict("c0")
        assert before.camera_id == "c0", "what is known is told"
        wait_until(lambda: not province.shard(1).is_held, 2 * LEASE_S)
        assert client.camera("c0").latest is not None
        second = province.start(1, "node-3")
        # The command comes while nobody runs the shard, and is carried out once somebody does.
        assert client.findings.acknowledge(finding.finding_id, "seen", request_id="r1").number > finding.number
        second.addresses()
        assert time.monotonic() - began_s > LEASE_S / 2
        wait_until(lambda: client.verdict("c0").visit_id > before.visit_id, 60)
        province.goes_on(HERE)
        # A new front goes on where the old one was.
        front.process.kill()
        front.process.wait()
        fronts.append(province.front())
        seen = len(watcher.seen)
        province.goes_on(THERE)
        assert watcher.wait(seen + 1, 30)
    for engine in (second, other):
        engine.__exit__(None, None, None)
    log = stored(province)
    assert watcher.wait(len(log) - log.index(watcher.seen[0]), 30)
    watcher.stop()
    begin = log.index(watcher.seen[0])
    assert watcher.failure is None
    assert watcher.seen == log[begin:], "every verdict once, in one order"


def test_without_any_engine_a_write_is_refused_with_a_hint_when_to_ask_again(province: Province) -> None:
    front = province.front()
    address = front.addresses["grpc"]
    with PatrolClient(address, timeout_s=3) as client, grpc.insecure_channel(address) as channel:
        assert client.camera("c0").latest is None, "the database answers, and says so"
        stub = cameras_pb2_grpc.CameraServiceStub(channel)
        _, call = stub.GetCamera.with_call(cameras_pb2.GetCameraRequest(name="cameras/c0"))
        assert ("patrol-shard-away", "1") in call.trailing_metadata()
        with pytest.raises(CallError) as unknown:
            client.camera("nowhere")
        with pytest.raises(CallError) as caught:
            client.reset_baselines(["c0"])
    assert (unknown.value.status, unknown.value.reason) == ("NOT_FOUND", "CAMERA_NOT_FOUND")
    assert (caught.value.status, caught.value.retry_s) == ("UNAVAILABLE", 1.0)
    assert "not passed on" not in front.log.read_text()


def test_numbers_of_other_shards_are_not_waited_for(province: Province) -> None:
    """A lease that has ended is closed by whoever reads, so that the logs of the others go on."""
    engine = province.start(1, "node-1")
    engine.addresses()
    province.goes_on(HERE)
    lost = province.leases.acquire(2, "gone", "node-9", 1.0)
    assert lost is not None
    front = province.front()
    watcher = Watcher(lambda: front.addresses["grpc"])
    assert watcher.wait(21, 30)
    watcher.stop()
    with province.database.connect() as connection:
        assert connection.scalar(sa.text("SELECT owner FROM shards WHERE shard_no = 2")) == ""
