"""Who may name an uplink: those in whose region all of its cameras are."""

import pytest

from engine.hub.uplink_owners import on_foreign_uplinks
from engine.model.camera import Camera

HERE, THERE = "130102", "130203"
REGISTERED = {
    camera.camera_id: camera
    for camera in (
        Camera("mine", "rtsp://10.0.0.1/1", region=HERE, uplink="nvr-1"),
        Camera("theirs", "rtsp://10.0.0.2/1", region=THERE, uplink="nvr-2"),
        Camera("by address", "rtsp://10.0.0.3:8554/1", region=THERE),
        Camera("shared", "rtsp://10.0.0.4/1", region=HERE, uplink="nvr-2"),
        Camera("nowhere", "rtsp://10.0.0.5/1", uplink="nvr-5"),
    )
}


def refused(*rows: Camera, region: str = HERE) -> set[str]:
    return on_foreign_uplinks(rows, REGISTERED, REGISTERED.values(), region)


@pytest.mark.parametrize(
    ("uplink", "is_refused"),
    [("nvr-1", False), ("new", False), ("", False), ("nvr-2", True), ("10.0.0.3:8554", True), ("nvr-5", True)],
)
def test_an_uplink_with_cameras_elsewhere_is_not_for_a_new_camera(uplink: str, is_refused: bool) -> None:
    row = Camera("new", "rtsp://10.0.0.3:8554/2", region=HERE, uplink=uplink)
    assert refused(row) == ({"new"} if is_refused else set())


def test_a_camera_keeps_the_uplink_that_it_has() -> None:
    assert refused(REGISTERED["shared"], REGISTERED["mine"]) == set()
    assert refused(Camera("mine", "rtsp://10.0.0.1/1", region=HERE, uplink="nvr-2")) == {"mine"}


def test_a_region_contains_what_its_code_prefixes() -> None:
    row = Camera("new", "rtsp://h/1", region=THERE, uplink="nvr-2")
    assert refused(row, region="13") == set()
    assert refused(row, region="1302") == {"new"}, "a camera of 130102 hangs on it too"
