"""Which front takes what gateways push, how much of it may wait, and to which shard it goes."""

import pytest

from engine.clock import NS_PER_S
from engine.config.load import loads
from engine.front.pushes.intake import CameraShards, bounds_of, takes_pushes
from engine.front.pushes.waiting import Bounds
from engine.model.camera import Camera


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", False),
        ("[intake]\npush_ahead_max_s = 10\n", False),
        ("[intake]\nlisten = ''\n", False),
        ("[intake]\nlisten = 'tcp://127.0.0.1:7701'\n", True),
    ],
)
def test_a_front_takes_pushes_only_if_its_file_says_where(text: str, taken: bool) -> None:
    assert takes_pushes(loads(text)) is taken


def test_the_bounds_are_those_of_the_intake_and_of_each_shard() -> None:
    settings = loads(
        "[front]\nshard_queue_frames_max = 3\nshard_queue_bytes_max = 20_000_000\n"
        "[intake]\nqueue_frames_max = 7\nqueue_bytes_max = 30_000_000\nstale_after_s = 9\n"
    )
    assert bounds_of(settings) == Bounds(3, 20_000_000, 7, 30_000_000, 9 * NS_PER_S)


def test_a_keyframe_goes_to_the_shard_of_its_cameras_county_as_it_is_now() -> None:
    cameras = {"a": Camera("a", "", push=True, region="130102"), "far": Camera("far", "", push=True, region="139999")}
    counties = {"130102": 1, "130203": 2}
    shard_of = CameraShards(cameras, lambda region: counties.get(region, 0))
    assert [shard_of(camera_id) for camera_id in ("a", "far", "unknown")] == [1, 0, 0]
    cameras["a"] = Camera("a", "", push=True, region="130203")
    assert shard_of("a") == 2
