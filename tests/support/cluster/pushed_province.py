"""A province whose cameras push: two shards, fronts with an intake, and gateways with CURVE keys."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import zmq
import zmq.auth

from engine.client import CallError, PatrolClient
from engine.clock import wall_ns
from engine.feed import passed_on, wire
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe, Push
from engine.model.visit import FeedKind
from engine.serve.access.forwarded import ForwardedCalls
from engine.serve.access.fronts_only import TAKE_PUSHES
from engine.storage.db.store import Store
from tests.support.cluster.province import HERE, LEASE_S, THERE, Province, RunningFront
from tests.support.feed.clips import encode, scene
from tests.support.live_engine import scrape

PICTURE = encode(Codec.H264, [scene(640, 360)])[0]
PUSHED_HERE, PUSHED_THERE, QUIET, VISITED, HOMELESS = "p-here", "p-there", "p-quiet", "c0", "p-nowhere"
"""Cameras. QUIET: another of HERE."""
BOTH, ONE = "both", "one"
"""Gateways: of both counties, and of THERE alone."""


class PushedProvince:
    """`front` is one with an intake; its shards are not started yet. Another may be started with `start_front`."""

    def __init__(self, url: str, folder: Path, stack: ExitStack, lease_s: float = LEASE_S) -> None:
        self.province = Province(url, folder, stack, lease_s)
        store = Store.open(url)
        regions = {PUSHED_HERE: HERE, QUIET: HERE, PUSHED_THERE: THERE, HOMELESS: "139999"}
        store.registry.upsert(Camera(name, "", push=True, region=region) for name, region in regions.items())
        self.front_key = store.access.places_key()
        store.close()
        self.keys, self._secrets = folder / "clients", folder / "secrets"
        for made in (self.keys, self._secrets):
            made.mkdir()
        self._server_public, self._server_secret = zmq.auth.create_certificates(self._secrets, "server")
        for name in (BOTH, ONE):
            public_file, _ = zmq.auth.create_certificates(self._secrets, name)
            Path(public_file).rename(self.keys / f"{name}.key")
        self._context = stack.enter_context(zmq.Context())
        self.front = self.start_front()
        self.client = stack.enter_context(PatrolClient(self.front.addresses["grpc"]))

    def start_front(self) -> RunningFront:
        return self.province.front(
            f"[intake]\nlisten = 'tcp://127.0.0.1:0'\ncurve_secret_file = '{self._server_secret}'\n"
            f"curve_clients_dir = '{self.keys}'\nstale_after_s = 300\n"
            f"[[intake.gateways]]\nname = '{BOTH}'\nregions = ['{HERE}', '{THERE}', '139999']\n"
            f"[[intake.gateways]]\nname = '{ONE}'\nregions = ['{THERE}']\n"
        )

    def gateway(self, name: str, fronts: Sequence[RunningFront] = ()) -> "zmq.Socket[bytes]":
        """A gateway's socket, connected to these fronts: to `front` if none is given."""
        socket = self._context.socket(zmq.PUSH)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, 4)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        secret_file = self._secrets / f"{name}.key_secret"
        socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(secret_file)
        socket.curve_serverkey = zmq.auth.load_certificate(self._server_public)[0]
        for front in fronts or [self.front]:
            socket.connect(front.addresses["intake"])
        return socket

    def last(self, camera_id: str) -> int:
        """The time of the newest verdict on a picture of a camera; 0 if there is none."""
        try:
            return next((verdict.at_wall_ns for verdict in self.client.verdicts(camera_id) if verdict.width), 0)
        except CallError:
            return 0

    def times(self, camera_id: str) -> list[int]:
        """The times of all verdicts on pictures of a camera."""
        return [verdict.at_wall_ns for verdict in self.client.verdicts(camera_id) if verdict.width]


def keyframe(camera_id: str, at_wall_ns: int = 0) -> Keyframe:
    return Keyframe(camera_id, 0, Codec.H264, PICTURE, at_wall_ns, None, FeedKind.GATEWAY)


def push(socket: "zmq.Socket[bytes]", camera_id: str, at_wall_ns: int = 0) -> None:
    """Push a keyframe; wait until the socket takes it, while it has no connection or a front is slow."""
    assert socket.poll(20_000, zmq.POLLOUT), "no front takes what the gateway pushes"
    socket.send_multipart(wire.pack_keyframe(keyframe(camera_id, at_wall_ns)))


def send_as_front(address: str, key: bytes, *pushes: Push) -> passed_on.Kept:
    """Make the call of a front at the engine of a shard. `key`: of the database."""
    channel: Any
    with grpc.insecure_channel(address) as channel:
        metadata = [ForwardedCalls(key).metadata_of_pushes(wall_ns())]
        return passed_on.unpack_kept(
            channel.unary_unary(TAKE_PUSHES)(passed_on.pack(pushes), timeout=15, metadata=metadata)
        )


def dropped(address: str, reason: str) -> float:
    """How many keyframes a front or an engine has dropped for a reason. `address`: of its metrics."""
    return scrape(address)["patrol_intake_dropped_frames_total", (("reason", reason),)]
