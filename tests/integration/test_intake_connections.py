"""Strangers at a real intake: idle connections by the hundred take no more descriptors than gateways may have."""

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq
import zmq.auth

from engine.runtime.connection_limit import ConnectionLimit
from engine.runtime.transport import Channel, Curve, Poller, Transport
from tests.support.waiting import wait_until

ALLOWED, STRANGERS = 40, 300
FRAME = b"x" * 1000


@dataclass(slots=True)
class Intake:
    """A bound intake, and how to connect gateways to it."""

    channel: Channel
    address: str
    limit: ConnectionLimit
    gateway: Callable[[], "zmq.Socket[bytes]"]

    def received(self, number: int) -> bool:
        """Whether so many messages come within 20 s."""
        poller = Poller()
        poller.watch("it", self.channel)
        give_up_s = time.monotonic() + 20
        while number and time.monotonic() < give_up_s:
            poller.wait(100)
            while self.channel.receive() is not None:
                number -= 1
        return number == 0

    @contextlib.contextmanager
    def strangers(self, number: int) -> Iterator[None]:
        """Connect so many times, and say nothing."""
        host, _, port = self.address.removeprefix("tcp://").rpartition(":")
        with contextlib.ExitStack() as stack:
            for _ in range(number):
                stack.enter_context(socket.create_connection((host, int(port)), 20))
            yield


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip(f"needs 2,000 descriptors, and this user may have {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(params=["curve", "plain"])
def intake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Intake]:
    transport, limit, context = Transport(), ConnectionLimit(ALLOWED), zmq.Context()
    curve, server_public = None, b""
    if request.param == "curve":
        public_file, secret_file = zmq.auth.create_certificates(tmp_path, "server")
        server_public = zmq.auth.load_certificate(public_file)[0]
        curve = Curve(Path(secret_file), lambda _key, _address: True)
    channel, address = transport.bind_pull("tcp://127.0.0.1:0", 1_000_000, curve, limit)

    def gateway() -> "zmq.Socket[bytes]":
        made = context.socket(zmq.PUSH)
        made.setsockopt(zmq.LINGER, 0)
        if server_public:
            made.curve_publickey, made.curve_secretkey = zmq.curve_keypair()
            made.curve_serverkey = server_public
        made.setsockopt(zmq.RECONNECT_IVL, 2000)  # one that is closed does not come back within a check
        made.connect(address)
        return made

    yield Intake(channel, address, limit, gateway)
    context.destroy(linger=0)
    transport.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_idle_strangers_are_bounded_counted_and_harm_no_gateway(intake: Intake) -> None:
    old = intake.gateway()
    old.send(FRAME)
    assert intake.received(1)
    disconnected = old.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    before = descriptors()
    with intake.strangers(STRANGERS):
        wait_until(lambda: len(intake.limit) <= ALLOWED and intake.limit.drain_closed() > 0)
        # Ours are the strangers' ends; the intake's ends are closed down to the limit.
        wait_until(lambda: descriptors() - before - STRANGERS <= ALLOWED)
        for _ in range(5):
            old.send(FRAME)
        new = intake.gateway()
        new.send(FRAME)
        assert intake.received(6), "old and new gateways push while strangers hold the rest"
        assert not disconnected.poll(0), "the gateway that pushed was never closed"
    wait_until(lambda: len(intake.limit) == 2, what="strangers that leave are noticed")


def test_a_new_gateway_finds_room_where_gateways_have_all_connections(intake: Intake) -> None:
    """The one that was silent for longest is closed for it."""
    gateways: list[zmq.Socket[bytes]] = []
    for _ in range(ALLOWED):
        gateways.append(intake.gateway())
        gateways[-1].send(FRAME)
        assert intake.received(1)
    silent = gateways[3].get_monitor_socket(zmq.EVENT_DISCONNECTED)
    for gateway in gateways[:3] + gateways[4:]:
        gateway.send(FRAME)
    assert intake.received(ALLOWED - 1)
    new = intake.gateway()
    new.send(FRAME)
    assert intake.received(1)
    assert silent.poll(10_000)
    assert wait_until(intake.limit.drain_closed), "it is counted just after it is closed"


def test_a_transport_closes_while_strangers_connect(intake: Intake) -> None:
    with intake.strangers(STRANGERS // 3):
        wait_until(lambda: len(intake.limit) > 0)
