"""Where an RTSP server may lead a visit: its own host and port, and the networks that the operator allows."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from engine.config.feed import FeedSettings
from engine.feed.visit import visit
from engine.model.keyframe import Keyframe
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder
from tests.integration.feed.test_visit import peer
from tests.support.feed.rtsp_peers import rtsp_peers

Names = dict[str, list[str]]


class NamedLoop(asyncio.SelectorEventLoop):
    """A loop whose name server is the test's."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        if host not in self._names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self._names[host]]


def run(url: str, names: Names | None = None, **changes: Any) -> Keyframe | VisitFailure:
    settings = FeedSettings.model_validate({"connect_timeout_s": 2.0, **changes})
    order = VisitOrder(7, "cam", url, 10_000_000_000, FeedKind.RTSP)
    with asyncio.Runner(loop_factory=lambda: NamedLoop(names or {})) as runner:
        return runner.run(visit(order, settings))


def failure(end: Keyframe | VisitFailure) -> VisitFailure:
    assert isinstance(end, VisitFailure), end
    return end


class Places:
    """A camera that redirects to `where`, and another server whose visitors are counted."""

    def __init__(self, stack: ExitStack) -> None:
        self.where = ""
        self.visitors = 0
        self.camera = stack.enter_context(peer(self._redirect))
        self.other = stack.enter_context(peer(self._count))

    def _redirect(self, connection: socket.socket) -> None:
        connection.recv(4000)
        connection.sendall(f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: {self.where}\r\n\r\n".encode())
        connection.recv(4000)

    def _count(self, connection: socket.socket) -> None:
        self.visitors += 1
        connection.recv(4000)
        connection.sendall(b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n")


@pytest.fixture
def places() -> Any:
    with ExitStack() as stack:
        yield Places(stack)


@pytest.mark.parametrize(
    "where",
    [
        "rtsp://127.0.0.1:{other}/2",
        "rtsp://user:secret@127.0.0.1:{other}/2",
        "rtsp://127.0.0.2:{camera}/2",
        "rtsp://inside.example:{other}/2",
        "rtsp://inside.example:{camera}/2",
        "rtsp://0.0.0.0:{other}/2",
        "rtsp://[::ffff:127.0.0.1]:{other}/2",
        "rtsp://169.254.169.254/latest/meta-data",
        "rtsp://metadata.example/latest",
        "rtsp://203.0.113.9/1",
        "rtsps://127.0.0.1:{other}/2",
        "file:///etc/passwd",
        "http://127.0.0.1:{other}/",
    ],
)
def test_a_redirect_elsewhere_is_refused_and_nobody_is_connected_to(places: Places, where: str) -> None:
    places.where = where.format(other=places.other, camera=places.camera)
    names = {"inside.example": ["127.0.0.3"], "metadata.example": ["169.254.169.254"]}
    end = failure(run(f"rtsp://127.0.0.1:{places.camera}/1", names))
    assert end.reason is FailureReason.REDIRECT_REFUSED, end
    assert end.detail.startswith("redirected")
    assert "secret" not in end.detail
    assert places.visitors == 0


def test_an_allowed_network_opens_what_it_names_and_no_more(places: Places) -> None:
    places.where = f"rtsp://127.0.0.1:{places.other}/2"
    url = f"rtsp://127.0.0.1:{places.camera}/1"
    for network in ("0.0.0.0/0", "10.0.0.0/8"):
        assert failure(run(url, allowed_networks=(network,))).reason is FailureReason.REDIRECT_REFUSED
    assert places.visitors == 0
    assert failure(run(url, allowed_networks=("127.0.0.0/8",))).reason is FailureReason.NOT_FOUND
    assert places.visitors == 1


def test_a_camera_may_redirect_to_another_path_of_its_own() -> None:
    with rtsp_peers() as port:

        def redirect(connection: socket.socket) -> None:
            connection.recv(4000)
            connection.sendall(b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: /again\r\n\r\n")
            connection.recv(4000)

        with peer(redirect) as camera:
            end = failure(run(f"rtsp://127.0.0.1:{camera}/1"))
        assert "more than 3 redirects" in end.detail
        assert isinstance(run(f"rtsp://127.0.0.1:{port}/good"), Keyframe)


def test_the_address_that_the_cameras_name_resolved_to_is_its_own_host(places: Places) -> None:
    places.where = f"rtsp://127.0.0.1:{places.camera}/2"
    end = failure(run(f"rtsp://localhost:{places.camera}/1", {"localhost": ["127.0.0.1"]}))
    assert "more than 3 redirects" in end.detail, end


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_a_name_in_the_registry_does_not_lead_to_this_machine(places: Places, address: str) -> None:
    url = f"rtsp://camera.example:{places.other}/1"
    end = failure(run(url, {"camera.example": [address]}))
    assert end.reason is FailureReason.REDIRECT_REFUSED, end
    assert "feed.allowed_networks" in end.detail
    assert places.visitors == 0


def test_a_name_that_changes_between_two_lookups_does_not_help(places: Places) -> None:
    """The address that was checked is the one that is connected to."""
    lookups: list[str] = []

    class Rebinding(NamedLoop):
        async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
            lookups.append(host)
            address = "127.0.0.3" if len(lookups) == 1 else "127.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    settings = FeedSettings(allowed_networks=("127.0.0.3/32",), connect_timeout_s=2.0)
    order = VisitOrder(7, "cam", f"rtsp://camera.example:{places.other}/1", 5_000_000_000, FeedKind.RTSP)
    factory: Callable[[], asyncio.AbstractEventLoop] = lambda: Rebinding({})  # noqa: E731
    with asyncio.Runner(loop_factory=factory) as runner:
        end = failure(runner.run(visit(order, settings)))
    assert end.reason is FailureReason.REFUSED, end
    assert len(lookups) == 1
    assert places.visitors == 0


def test_another_address_of_a_name_is_tried_if_the_first_is_refused_or_dead(places: Places) -> None:
    names = {"camera.example": ["169.254.169.254", "127.0.0.5", "127.0.0.1"]}
    url = f"rtsp://camera.example:{places.other}/1"
    end = failure(run(url, names, allowed_networks=("127.0.0.0/8",)))
    assert end.reason is FailureReason.NOT_FOUND
    assert places.visitors == 1
