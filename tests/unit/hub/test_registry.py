"""Cameras that are offline for long, as the registry in memory counts them."""

from dataclasses import replace

from engine.hub.registry import Registry
from engine.model.camera import Camera
from engine.model.verdict import State

CAMERAS = [Camera(camera_id, f"rtsp://h/{camera_id}") for camera_id in ("a", "b", "c")]


def test_cameras_offline_since_before_a_time_are_counted() -> None:
    registry = Registry(CAMERAS, {"a": State.OFFLINE}, {"a": 10})
    registry.announce("b", State.OFFLINE, 20)
    registry.announce("c", State.OK, 5)
    assert [registry.offline_before(at) for at in (10, 11, 21)] == [0, 1, 2]


def test_a_camera_that_comes_back_or_leaves_no_longer_counts() -> None:
    registry = Registry(CAMERAS, {})
    for camera in CAMERAS:
        registry.announce(camera.camera_id, State.OFFLINE, 1)
    registry.announce("a", State.OK, 2)
    registry.remove(["b"])
    assert registry.offline_before(9) == 1
    registry.upsert([replace(CAMERAS[2], enabled=False)])
    assert registry.offline_before(9) == 0


def test_the_time_is_that_of_the_first_announcement() -> None:
    registry = Registry(CAMERAS, {})
    assert registry.announce("a", State.OFFLINE, 1)
    assert not registry.announce("a", State.OFFLINE, 8)
    assert registry.offline_before(2) == 1
