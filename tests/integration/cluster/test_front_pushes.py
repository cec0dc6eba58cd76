"""Gateways push to a front, as to one engine: each keyframe becomes one verdict, at the shard of its camera."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from engine.client import PatrolClient
from engine.clock import NS_PER_S, wall_ns
from engine.errors import UnavailableError
from engine.feed import passed_on
from engine.model.access import AuditQuery, Role, TokenOrder
from engine.model.keyframe import Push
from engine.serve.access.forwarded import ForwardedCalls
from engine.serve.access.fronts_only import TAKE_PUSHES
from engine.serve.forwarding.calls import ShardAwayError
from engine.serve.forwarding.pushes import PushCalls
from engine.serve.forwarding.shards import ShardChannels
from tests.support.cluster.province import LEASE_S
from tests.support.cluster.pushed_province import (
    BOTH,
    HOMELESS,
    ONE,
    PUSHED_HERE,
    PUSHED_THERE,
    QUIET,
    VISITED,
    PushedProvince,
    dropped,
    keyframe,
    push,
    send_as_front,
)
from tests.support.cluster.shard_engine import ShardEngine
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)


class Running:
    """Both shards run, with a front before them."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.pushed = PushedProvince(url, folder, stack)
        province = self.pushed.province
        self.engines: dict[int, ShardEngine] = {number: province.start(number, f"node-{number}") for number in (1, 2)}
        self.addresses = {number: engine.addresses() for number, engine in self.engines.items()}
        self.at_front = self.pushed.front.addresses["metrics"]

    def send_as_front(self, shard_no: int, camera_id: str, at_wall_ns: int) -> passed_on.Kept:
        sent = Push(BOTH, keyframe(camera_id, at_wall_ns))
        return send_as_front(self.addresses[shard_no]["grpc"], self.pushed.front_key, sent)

    def judged(self, socket: Any, camera_id: str) -> int:
        """Push until a keyframe that was pushed here is judged; return its time."""
        first_ns = wall_ns()

        def is_judged() -> int:
            push(socket, camera_id, wall_ns())
            return last if (last := self.pushed.last(camera_id)) >= first_ns else 0

        return wait_until(is_judged, 60, poll_s=0.2)


@pytest.fixture(scope="module")
def running(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        yield Running(postgres_server.database(), tmp_path_factory.mktemp("pushes"), stack)


def test_the_cameras_of_each_shard_get_verdicts(running: Running) -> None:
    with running.pushed.gateway(BOTH) as gateway:
        for camera_id in (PUSHED_HERE, PUSHED_THERE):
            assert running.judged(gateway, camera_id)


def test_a_gateway_pushes_for_its_own_cameras_only_and_the_audit_log_says_who_tried(running: Running) -> None:
    at_wall_ns, refused = wall_ns(), dropped(running.at_front, "out_of_scope")
    with running.pushed.gateway(ONE) as gateway:
        push(gateway, PUSHED_HERE, at_wall_ns)
        running.judged(gateway, PUSHED_THERE)
    assert dropped(running.at_front, "out_of_scope") == refused + 1
    assert at_wall_ns not in running.pushed.times(PUSHED_HERE)
    assert '"push refused"' in running.pushed.front.log.read_text()

    def noted() -> bool:
        entries = running.pushed.client.access.audit_entries(AuditQuery())
        return any((entry.actor.name, entry.method) == (f"gateway {ONE}", "Intake/Push") for entry in entries)

    wait_until(noted)


def test_what_the_front_refuses_it_counts(running: Running) -> None:
    with running.pushed.gateway(BOTH) as gateway:
        for camera_id, at_wall_ns, reason in (
            (VISITED, 0, "not_pushed"),
            ("nobody", 0, "unknown_camera"),
            (PUSHED_HERE, 1, "bad_time"),
            (HOMELESS, 0, "no_shard"),
        ):
            before = dropped(running.at_front, reason)
            push(gateway, camera_id, at_wall_ns)
            wait_until(lambda reason=reason, before=before: dropped(running.at_front, reason) == before + 1)  # type: ignore[misc]


def test_a_keyframe_that_is_sent_again_has_one_verdict(running: Running) -> None:
    """As after an answer that was lost: the shard took it, and the front does not know."""
    at_wall_ns = wall_ns()
    before = dropped(running.addresses[2]["metrics"], "not_newer")
    for _ in range(2):
        assert running.send_as_front(2, PUSHED_THERE, at_wall_ns) == passed_on.Kept()
    assert dropped(running.addresses[2]["metrics"], "not_newer") == before + 1
    with running.pushed.gateway(BOTH) as gateway:
        running.judged(gateway, PUSHED_THERE)
    assert running.pushed.times(PUSHED_THERE).count(at_wall_ns) == 1


@pytest.mark.long
def test_a_shard_that_is_killed_and_started_again_gets_what_was_pushed_meanwhile(running: Running) -> None:
    pushed = running.pushed
    with pushed.gateway(BOTH) as gateway:
        quiet_ns = running.judged(gateway, QUIET)
        running.engines[1].send_all(signal.SIGKILL)
        running.judged(gateway, PUSHED_THERE)  # the other one goes on
        wait_until(lambda: not pushed.province.shard(1).is_held, 10 * LEASE_S)
        superseded = dropped(running.at_front, "superseded")
        times = [wall_ns(), wall_ns() + 1]
        for at_wall_ns in times:
            push(gateway, PUSHED_HERE, at_wall_ns)
        wait_until(lambda: dropped(running.at_front, "superseded") > superseded)
        running.engines[1] = pushed.province.start(1, "node-3")
        running.addresses[1] = running.engines[1].addresses()
        assert wait_until(lambda: pushed.last(PUSHED_HERE) == times[1], 60, what="what waited at the front is judged")
        before = dropped(running.addresses[1]["metrics"], "not_newer")
        assert running.send_as_front(1, QUIET, quiet_ns) == passed_on.Kept()
        now = dropped(running.addresses[1]["metrics"], "not_newer")
        assert now == before + 1, "the engine before this one has judged it"
        running.judged(gateway, PUSHED_HERE)
    assert pushed.times(QUIET).count(quiet_ns) == 1
    assert times[0] not in pushed.times(PUSHED_HERE), "a newer one of its camera waited"
    assert len(set(pushed.times(PUSHED_HERE))) == len(pushed.times(PUSHED_HERE))


@pytest.mark.long
def test_a_gateway_of_two_fronts_goes_on_with_one(running: Running) -> None:
    second = running.pushed.start_front()
    with running.pushed.gateway(BOTH, [running.pushed.front, second]) as gateway:
        running.judged(gateway, PUSHED_HERE)
        taken = dropped(second.addresses["metrics"], "not_pushed")
        push(gateway, VISITED)
        push(gateway, VISITED)
        wait_until(lambda: dropped(second.addresses["metrics"], "not_pushed") > taken, what="both get their share")
        second.process.kill()
        second.process.wait()
        for _ in range(3):
            running.judged(gateway, PUSHED_HERE)


def test_a_public_address_without_keys_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "front.toml"
    config.write_text("[intake]\nlisten = 'tcp://0.0.0.0:0'\n")
    command = [sys.executable, "-m", "engine.cli", "front", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode
    assert "a public address needs intake.curve_secret_file" in ended.stderr


def test_a_front_says_what_a_shard_answers_that_takes_nothing(running: Running) -> None:
    async def pass_on(key: bytes, address: str) -> None:
        channels = ShardChannels()
        try:
            await PushCalls(lambda _: address, channels, ForwardedCalls(key)).take(2, passed_on.pack([]))
        finally:
            await channels.close()

    address = running.addresses[2]["grpc"]
    with pytest.raises(UnavailableError, match="PERMISSION_DENIED: passed on by a front that has another database"):
        asyncio.run(pass_on(b"x" * 64, address))
    for nowhere in ("", f"127.0.0.1:{free_port()}"):
        with pytest.raises(ShardAwayError):
            asyncio.run(pass_on(running.pushed.front_key, nowhere))
    asyncio.run(pass_on(running.pushed.front_key, address))


def test_only_fronts_may_pass_on_what_gateways_pushed(running: Running) -> None:
    """The last test of this province: with the first token it is closed to callers without one."""
    secret = running.pushed.client.access.create_token(TokenOrder("chief", Role.ADMIN))[1]
    address = running.addresses[2]["grpc"]
    raw = passed_on.pack([Push(BOTH, keyframe(PUSHED_THERE, wall_ns() + NS_PER_S))])
    forged = ForwardedCalls(b"x" * 64).metadata_of_pushes(wall_ns())
    with PatrolClient(address, token=secret) as chief:
        wait_until(lambda: chief.access.caller().actor.name == "chief")  # the shard reads of the token in a second
    channel: Any
    with grpc.insecure_channel(address) as channel:
        for metadata in ([("authorization", f"Bearer {secret}")], [forged], []):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(TAKE_PUSHES)(raw, timeout=15, metadata=metadata)
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    with PatrolClient(running.pushed.front.addresses["grpc"], token=secret) as chief:
        entries = list(chief.access.audit_entries(AuditQuery(actor="chief")))
        assert ("patrol.shard.Intake/Take", "PERMISSION_DENIED") in [(entry.method, entry.outcome) for entry in entries]
    with grpc.insecure_channel(running.pushed.front.addresses["grpc"]) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(TAKE_PUSHES)(raw, timeout=15)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
