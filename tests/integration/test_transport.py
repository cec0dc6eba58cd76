"""Real ZeroMQ sockets, as the hub, feeders, workers and gateways use them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
import zmq.auth

from engine.errors import ListenError
from engine.runtime.curve_keys import CurveKeys
from engine.runtime.transport import AsyncReceiver, Channel, Curve, Poller, Transport


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


def receive(channel: Channel, timeout_ms: int = 5000) -> list[bytes | memoryview]:
    poller = Poller()
    poller.watch("it", channel)
    assert poller.wait(timeout_ms) == {"it"}, "nothing came"
    message = channel.receive()
    assert message is not None
    return message


def test_a_router_knows_its_peers_by_name(transport: Transport, tmp_path: Path) -> None:
    hub = transport.bind_router(f"ipc://{tmp_path}/s")
    worker = transport.connect_dealer(f"ipc://{tmp_path}/s", "worker-0.1")
    assert worker.send([b"hello"])
    assert receive(hub) == [b"worker-0.1", b"hello"]
    assert hub.send([b"job", b"x" * 300_000], b"worker-0.1")
    job, payload = receive(worker)
    assert job == b"job"
    assert isinstance(payload, memoryview)
    assert payload == b"x" * 300_000


def test_a_borrowed_frame_is_passed_on_whole(transport: Transport, tmp_path: Path) -> None:
    hub = transport.bind_router(f"ipc://{tmp_path}/s")
    worker = transport.connect_dealer(f"ipc://{tmp_path}/s", "w")
    worker.send([b"a", bytes(range(256)) * 1000])
    name, _, payload = receive(hub)
    assert hub.send([b"back", payload], bytes(name))
    assert receive(worker)[1] == bytes(range(256)) * 1000
    assert payload == bytes(range(256)) * 1000


def test_a_send_to_a_peer_that_is_gone_says_so(transport: Transport, tmp_path: Path) -> None:
    hub = transport.bind_router(f"ipc://{tmp_path}/s")
    assert not hub.send([b"x"], b"nobody")
    assert hub.lost_sends == 1


def test_an_address_in_use_is_named_with_a_remedy(transport: Transport) -> None:
    _, address = transport.bind_pull("tcp://127.0.0.1:0", 1000)
    with pytest.raises(ListenError, match=r"Address already in use; stop what listens there"):
        transport.bind_pull(address, 1000)


def test_a_message_with_too_many_parts_is_cut_not_kept(transport: Transport) -> None:
    pull, address = transport.bind_pull("tcp://127.0.0.1:0", 1000)
    push = transport.connect_push(address)
    push.send([b"x"] * 5000)
    push.send([b"after"])
    assert len(receive(pull)) <= 9
    assert receive(pull) == [b"after"]


def test_a_frame_far_too_large_is_cut_by_the_socket(transport: Transport) -> None:
    pull, address = transport.bind_pull("tcp://127.0.0.1:0", 1000)
    push = transport.connect_push(address)
    push.send([b"x" * 100_000_000])
    push.send([b"small"])
    assert receive(pull) == [b"small"]


def test_a_gateway_without_a_key_that_is_known_cannot_push(transport: Transport, tmp_path: Path) -> None:
    clients, server_dir = tmp_path / "clients", tmp_path / "server"
    clients.mkdir()
    server_dir.mkdir()
    server_public, server_secret = zmq.auth.create_certificates(server_dir, "server")
    client_public, client_secret = zmq.auth.create_certificates(clients, "gateway")
    _, stranger_secret = zmq.auth.create_certificates(server_dir, "stranger")
    pull, address = transport.bind_pull(
        "tcp://127.0.0.1:0", 1000, Curve(Path(server_secret), CurveKeys(clients).admits)
    )
    context = zmq.Context()
    pushing: list[zmq.Socket[bytes]] = []  # one that is forgotten keeps the context until its message is taken

    def push(key_file: str, text: bytes) -> None:
        socket = context.socket(zmq.PUSH)
        pushing.append(socket)
        socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(key_file)
        socket.curve_serverkey = zmq.auth.load_certificate(server_public)[0]
        socket.connect(address)
        socket.send(text)

    push(stranger_secret, b"from a stranger")
    push(client_secret, b"from a gateway")
    assert receive(pull) == [b"from a gateway"]
    assert pull.sender_key == zmq.auth.load_certificate(client_public)[0].decode()
    poller = Poller()
    poller.watch("pull", pull)
    assert poller.wait(300) == set()
    context.destroy(linger=0)


def test_an_event_loop_sees_every_message(transport: Transport, tmp_path: Path) -> None:
    hub = transport.bind_router(f"ipc://{tmp_path}/s")
    feeder = transport.connect_dealer(f"ipc://{tmp_path}/s", "f")
    feeder.send([b"hello"])
    receive(hub)
    seen: list[bytes] = []

    async def listen() -> None:
        done = asyncio.Event()

        def take(frames: list[bytes | memoryview]) -> None:
            seen.append(bytes(frames[0]))
            receiver.receive_all()
            if len(seen) == 200:
                done.set()

        receiver = AsyncReceiver(feeder, take)
        for number in range(200):
            hub.send([str(number).encode()], b"f")
        await asyncio.wait_for(done.wait(), 10)
        receiver.close()

    asyncio.run(listen())
    assert seen == [str(number).encode() for number in range(200)]
