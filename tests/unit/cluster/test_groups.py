"""A registry is summed by county, recorder and platform, at the cost that each camera's picture leads one to expect."""

import pytest

from engine.cluster.placement.groups import camera_groups, check_cpu_s
from engine.config.schema import SchedulerSettings
from engine.model.camera import Camera, KeyPoint
from engine.model.keyframe import Codec
from engine.model.packed.verdict import PackedVerdict, Shape, pack, picture_size, shape_key
from engine.model.verdict import State, Verdict
from engine.model.visit import FeedKind

SETTINGS = SchedulerSettings(key_period_s=100, ordinary_period_s=400)


def packed(width: int, height: int, codec: Codec | None) -> PackedVerdict:
    verdict = Verdict(
        camera_id="c", visit_id=1, at_wall_ns=1, state=State.OK, announced=State.OK, width=width, height=height,
        codec=codec,
    )  # fmt: skip
    return PackedVerdict(1, Shape(shape_key(verdict), verdict.thresholds), pack(verdict))


def test_cameras_are_summed_and_those_that_are_off_are_left_out() -> None:
    cameras = [
        Camera("a", "rtsp://10.0.0.1/1", region="130102", uplink="nvr", key_point=KeyPoint.COOKING),
        Camera("b", "rtsp://10.0.0.1:554/2", region="130102", uplink="nvr"),
        Camera("c", "rtsp://10.0.0.1/3", region="130102"),
        Camera("d", "rtsp://10.0.0.1/4", region="130104"),
        Camera("e", "", region="130102", push=True, uplink="nvr"),
        Camera("f", "rtsp://10.0.0.1/5", region="130102", enabled=False),
    ]
    groups = camera_groups(cameras, SETTINGS, lambda _: None)
    assert [(each.county, each.uplink, each.host, each.cameras) for each in groups] == [
        ("130102", "", "", 1),
        ("130102", "10.0.0.1:554", "10.0.0.1", 1),
        ("130102", "nvr", "10.0.0.1", 2),
        ("130104", "10.0.0.1:554", "10.0.0.1", 1),
    ]
    assert groups[2].visits_per_s == pytest.approx(1 / 100 + 1 / 400)
    assert groups[2].cores == pytest.approx(groups[2].visits_per_s * check_cpu_s(FeedKind.RTSP, None))


def test_a_larger_picture_and_a_costlier_codec_cost_more() -> None:
    usual = check_cpu_s(FeedKind.RTSP, None)
    assert check_cpu_s(FeedKind.RTSP, packed(1920, 1080, Codec.H264)) == usual
    assert check_cpu_s(FeedKind.RTSP, packed(3840, 2160, Codec.H264)) > 2 * usual
    assert check_cpu_s(FeedKind.RTSP, packed(1920, 1080, Codec.H265)) > 1.5 * usual
    assert check_cpu_s(FeedKind.RTSP, packed(704, 576, Codec.H264)) < usual
    assert check_cpu_s(FeedKind.DEMUX, None) > usual > check_cpu_s(FeedKind.GATEWAY, None)
    assert check_cpu_s(FeedKind.RTSP, packed(0, 0, None)) == usual


def test_the_size_of_a_picture_is_read_without_the_rest() -> None:
    assert picture_size(packed(2560, 1440, Codec.H265).body) == (2560, 1440)
