"""What is logged and counted of pushes that are refused: a line for the first, and a sum for the others."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.types import EventDict

from engine.clock import NS_PER_S
from engine.config.intake import IntakeSettings
from engine.feed import wire
from engine.hub.keyframes import gateways
from engine.hub.keyframes.gateways import Gateways
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime.connection_limit import ConnectionLimit
from engine.runtime.curve_keys import CurveKeys
from engine.runtime.log_events import GATEWAYS_CLOSED, GATEWAYS_REFUSED, PUSH_REFUSED, PUSHES_REFUSED

CAMERAS = {"pushed": Camera("pushed", "", push=True), "visited": Camera("visited", "rtsp://h/1")}
SECRETS = {"one": "1" * 40, "two": "2" * 40}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now_ns = [10 * NS_PER_S]
    monkeypatch.setattr(gateways, "monotonic_ns", lambda: now_ns[0])
    return now_ns


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def hub(tmp_path: Path) -> Gateways:
    for name, key in SECRETS.items():
        (tmp_path / f"{name}.key").write_text(f'curve\n    public-key = "{key}"\n')
    return Gateways(IntakeSettings(), CAMERAS, CurveKeys(tmp_path), Metrics(version="test"), ConnectionLimit(8))


def keyframe(camera_id: str, at_wall_ns: int = 0) -> list[wire.Frame]:
    return wire.pack_keyframe(Keyframe(camera_id, 7, Codec.H264, b"x", at_wall_ns, None, FeedKind.RTSP))


def test_a_flood_of_refused_pushes_is_two_lines_a_minute(
    hub: Gateways, clock: list[int], logged: list[EventDict]
) -> None:
    for second in range(60):
        clock[0] = (10 + second) * NS_PER_S
        for _ in range(100):
            assert hub.receive(keyframe("visited"), SECRETS["one"]) is None
        hub.each_second()
    assert [(line["event"], line["gateway"], line["reason"]) for line in logged] == [
        ("push refused", "one", "not_pushed")
    ]
    clock[0] = 70 * NS_PER_S
    hub.each_second()
    (_, total) = logged
    assert (total["event"], total["gateway"], total["reason"]) == ("pushes refused", "one", "not_pushed")
    assert total["number"] == 5_999


def test_each_gateway_and_each_reason_has_a_line(hub: Gateways, clock: list[int], logged: list[EventDict]) -> None:
    for key in SECRETS.values():
        for message in (keyframe("visited"), keyframe("pushed", at_wall_ns=1), keyframe("nobody"), [b"PK1"]):
            assert hub.receive(message, key) is None
            assert hub.receive(message, key) is None
    assert hub.receive(keyframe("pushed"), "3" * 40) is None
    told = [(line["gateway"], line["reason"]) for line in logged]
    reasons = ("not_pushed", "bad_time", "unknown_camera", "malformed")
    assert told == [*((name, reason) for name in SECRETS for reason in reasons), ("3" * 40, "unknown_key")]


def test_connections_with_a_key_that_is_not_known_are_told_once_a_minute(
    tmp_path: Path, clock: list[int], logged: list[EventDict]
) -> None:
    keys = CurveKeys(tmp_path)
    hub = Gateways(IntakeSettings(), CAMERAS, keys, Metrics(version="test"), ConnectionLimit(8))
    for second in range(130):
        clock[0] = (10 + second) * NS_PER_S
        for _ in range(10):
            keys.admits("x" * 40)
        hub.each_second()
    assert {line["event"] for line in logged} == {"gateways refused"}
    assert [line["number"] for line in logged] == [10, 600, 600]


def test_connections_that_are_closed_are_counted_and_told_once_a_minute(
    tmp_path: Path, clock: list[int], logged: list[EventDict]
) -> None:
    limit, metrics = ConnectionLimit(1), Metrics(version="test")
    hub = Gateways(IntakeSettings(), CAMERAS, CurveKeys(tmp_path), metrics, limit)
    with idle_connections(limit) as more:
        for second in range(61):
            clock[0] = (10 + second) * NS_PER_S
            more()
            hub.each_second()
    assert [(line["event"], line["number"], line["open"]) for line in logged] == [
        ("gateways closed", 1, 1),
        ("gateways closed", 60, 1),
    ]
    assert {"event", "log_level", *GATEWAYS_CLOSED.fields} == set(logged[0])
    rendered = metrics.render().decode()
    assert "patrol_gateway_connections_closed_total 61.0" in rendered
    assert "patrol_gateway_connections 1.0" in rendered


@contextlib.contextmanager
def idle_connections(limit: ConnectionLimit) -> Iterator[Callable[[], None]]:
    """Yields what opens one more connection to a listener whose limit this is; it begins with one."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        address = listener.getsockname()

        def more() -> None:
            stack.enter_context(socket.create_connection(address))
            accepted = stack.enter_context(listener.accept()[0])
            limit.opened(accepted.fileno(), address[1])

        more()
        yield more


def test_the_lines_have_the_level_and_the_fields_that_are_documented(
    tmp_path: Path, clock: list[int], logged: list[EventDict]
) -> None:
    (tmp_path / "one.key").write_text(f'curve\n    public-key = "{SECRETS["one"]}"\n')
    keys = CurveKeys(tmp_path)
    hub = Gateways(IntakeSettings(), CAMERAS, keys, Metrics(version="test"), ConnectionLimit(8))
    for _ in range(2):
        assert hub.receive(keyframe("visited"), SECRETS["one"]) is None
    keys.admits("x" * 40)
    clock[0] = 80 * NS_PER_S
    hub.each_second()
    for event in (PUSH_REFUSED, PUSHES_REFUSED, GATEWAYS_REFUSED):
        (line,) = (line for line in logged if line["event"] == event.name)
        assert line["log_level"] == event.level
        assert set(line) == {"event", "log_level", *event.fields}


def test_a_keyframe_that_is_accepted_has_an_id_of_ours_and_nothing_else_of_the_gateways(
    hub: Gateways, logged: list[EventDict]
) -> None:
    taken = [hub.receive(keyframe("pushed"), SECRETS["one"]) for _ in range(2)]
    first, second = (one.keyframe for one in taken if one is not None)
    assert 7 < first.visit_id < second.visit_id
    assert first.source is FeedKind.GATEWAY
    assert not logged
