"""Gateways with CURVE keys at a real engine: each pushes for its own cameras, while its key is in the folder."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import zmq
import zmq.auth

from engine.client import CallError, PatrolClient
from engine.clock import NS_PER_S, wall_ns
from engine.config.intake import GatewaySettings, IntakeSettings
from engine.feed import wire
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.verdict import State
from engine.model.visit import FeedKind
from engine.supervisor.app import Supervisor
from tests.support.feed.clips import encode, scene
from tests.support.live_engine import fast_scheduler, scrape, settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until

PICTURE = encode(Codec.H264, [scene(640, 360)])[0]
OWN, FOREIGN, VISITED = "own", "foreign", "visited"


class Site:
    """An engine, its gateways' keys, and sockets of gateways."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.keys, self._secrets = folder / "clients", folder / "secrets"
        self.keys.mkdir()
        self._secrets.mkdir()
        self._server_public, server_secret = zmq.auth.create_certificates(self._secrets, "server")
        self._context = stack.enter_context(zmq.Context())
        self.add_key("county")
        intake = IntakeSettings(
            listen="tcp://127.0.0.1:0",
            curve_secret_file=server_secret,
            curve_clients_dir=str(self.keys),
            gateways=tuple(GatewaySettings(name=name, regions=("130102",)) for name in ("county", "gone", "late")),
        )
        patient = fast_scheduler(key_period_s=600, ordinary_period_s=600)
        self.engine = stack.enter_context(Supervisor(settings(folder, intake=intake, scheduler=patient)))
        self.client = stack.enter_context(PatrolClient(self.engine.addresses["grpc"]))
        self.client.import_cameras(
            [
                Camera(OWN, "", push=True, region="130102"),
                Camera(FOREIGN, "", push=True, region="130203"),
                Camera(VISITED, f"rtsp://127.0.0.1:{free_port()}/1", region="130102"),
            ]
        )
        self.county = self.connected("county")

    def add_key(self, name: str) -> None:
        """Make a key pair, and put its public key into the folder as one step."""
        public_file, _ = zmq.auth.create_certificates(self._secrets, name)
        Path(public_file).rename(self.keys / f"{name}.key")

    def connected(self, name: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.PUSH)
        socket.setsockopt(zmq.LINGER, 0)
        secret_file = self._secrets / f"{name}.key_secret"
        socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(secret_file)
        socket.curve_serverkey = zmq.auth.load_certificate(self._server_public)[0]
        socket.connect(self.engine.addresses["intake"])
        return socket

    def accepted(self, name: str) -> "zmq.Socket[bytes]":
        """Connect and push until a push is judged. libzmq does not connect again by itself once it was refused."""
        before = self.last_visit(OWN)

        def connected() -> "zmq.Socket[bytes] | None":
            socket = self.connected(name)
            push(socket, OWN)
            time.sleep(0.5)  # nothing tells a PUSH socket that it was refused
            return socket if self.last_visit(OWN) > before else None

        return wait_until(connected)

    def dropped(self, reason: str) -> float:
        return scrape(self.engine.addresses["metrics"])["patrol_intake_dropped_frames_total", (("reason", reason),)]

    def visited_is_offline(self) -> bool:
        try:
            return self.client.verdict(VISITED).announced is State.OFFLINE
        except CallError:
            return False

    def last_visit(self, camera_id: str) -> int:
        """The newest visit that brought a picture; 0 if there is none."""
        try:
            return next((verdict.visit_id for verdict in self.client.verdicts(camera_id) if verdict.width), 0)
        except CallError:
            return 0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("gateways"), stack)


def push(socket: "zmq.Socket[bytes]", camera_id: str, at_wall_ns: int = 0) -> None:
    keyframe = Keyframe(camera_id, 0, Codec.H264, PICTURE, 0, None, FeedKind.GATEWAY)
    socket.send_multipart(wire.pack_keyframe(replace(keyframe, arrival_wall_ns=at_wall_ns)))


def test_pushes_do_not_make_a_camera_ok_that_is_visited_and_offline(site: Site) -> None:
    wait_until(site.visited_is_offline)
    refused = site.dropped("not_pushed")
    for _ in range(3):
        push(site.county, VISITED)
    wait_until(lambda: site.dropped("not_pushed") == refused + 3)
    assert site.client.verdict(VISITED).announced is State.OFFLINE
    assert site.last_visit(VISITED) == 0


def test_a_key_may_push_for_its_own_region_and_for_no_other(site: Site) -> None:
    refused, before = site.dropped("out_of_scope"), site.last_visit(OWN)
    push(site.county, FOREIGN)
    push(site.county, OWN)
    wait_until(lambda: site.last_visit(OWN) > before)
    assert site.dropped("out_of_scope") == refused + 1
    assert site.last_visit(FOREIGN) == 0


def test_times_that_cannot_be_are_refused_and_hide_no_later_verdict(site: Site) -> None:
    refused, before = site.dropped("bad_time"), site.last_visit(OWN)
    times = (1, 7_258_118_400 * NS_PER_S, 2**63 - 1, 2**63, 2**64 - 1, wall_ns() + 400 * NS_PER_S)
    for at_wall_ns in times:
        push(site.county, OWN, at_wall_ns)
    push(site.county, OWN, wall_ns() - 60 * NS_PER_S)
    visit_id = wait_until(lambda: (last := site.last_visit(OWN)) > before and last)
    assert site.dropped("bad_time") == refused + len(times)
    assert abs(site.client.verdict(OWN, visit_id).at_wall_ns - wall_ns()) < 3600 * NS_PER_S


def test_a_key_that_is_taken_away_is_refused_on_open_connections_and_new_ones(site: Site) -> None:
    site.add_key("gone")
    socket = site.accepted("gone")
    (site.keys / "gone.key").unlink()

    def is_refused() -> bool:
        push(socket, OWN)
        return site.dropped("unknown_key") > 0

    wait_until(is_refused)
    refused_since, refused = wall_ns(), site.dropped("unknown_key")
    push(socket, OWN)
    wait_until(lambda: site.dropped("unknown_key") > refused)
    name = "patrol_gateways_refused_total", ()
    strangers = scrape(site.engine.addresses["metrics"])[name]
    stranger = site.connected("gone")  # kept: a socket that nobody holds is closed before it has connected
    push(stranger, OWN)
    wait_until(lambda: scrape(site.engine.addresses["metrics"])[name] > strangers)
    stranger.close()
    assert site.last_visit(OWN) < refused_since, "the id of a push is the time at which it was accepted"


def test_a_key_that_is_added_is_accepted_without_a_restart(site: Site) -> None:
    site.add_key("late")
    site.accepted("late").close()


def test_the_connections_of_gateways_are_in_a_metric(site: Site) -> None:
    push(site.county, OWN)
    wait_until(lambda: scrape(site.engine.addresses["metrics"])["patrol_gateway_connections", ()] >= 1)
    assert scrape(site.engine.addresses["metrics"])["patrol_gateway_connections_closed_total", ()] == 0
