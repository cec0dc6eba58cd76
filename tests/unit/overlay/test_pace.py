"""Each camera is read once a day, within the pace."""

from engine.clock import NS_PER_S
from engine.overlay.pace import AGAIN_NS, DAY_NS, Pace

MINUTE_NS = 60 * NS_PER_S


def taken(pace: Pace, from_ns: int, until_ns: int, step_ns: int) -> list[str]:
    reads = (pace.take(now_ns) for now_ns in range(from_ns, until_ns, step_ns))
    return [camera_id for camera_id in reads if camera_id is not None]


def test_no_more_than_the_pace_are_read_a_minute() -> None:
    pace = Pace(6)
    pace.follow([f"c{n}" for n in range(100)], 0)
    assert len(taken(pace, 0, 10 * MINUTE_NS, NS_PER_S)) == 60


def test_each_camera_is_read_once_a_day() -> None:
    pace = Pace(60)
    cameras = [f"c{n}" for n in range(5)]
    pace.follow(cameras, 0)
    assert sorted(taken(pace, 0, DAY_NS, 30 * NS_PER_S)) == cameras
    assert sorted(taken(pace, DAY_NS, 2 * DAY_NS, 30 * NS_PER_S)) == cameras


def test_a_camera_can_be_made_due_sooner_and_is_not_read_twice_for_it() -> None:
    pace = Pace(60)
    pace.follow(["c1"], 0)
    assert pace.take(0) == "c1"
    pace.again("c1", AGAIN_NS)
    assert taken(pace, MINUTE_NS, AGAIN_NS, MINUTE_NS) == []
    assert taken(pace, AGAIN_NS, AGAIN_NS + DAY_NS, MINUTE_NS) == ["c1"]


def test_cameras_that_are_gone_are_not_read() -> None:
    pace = Pace(60)
    pace.follow(["c1", "c2"], 0)
    assert pace.follow(["c2", "c3"], 0) == {"c1"}
    pace.again("c1", 0)
    assert sorted(taken(pace, 0, 10 * MINUTE_NS, NS_PER_S)) == ["c2", "c3"]


def test_memory_is_bounded_however_often_a_camera_is_made_due() -> None:
    pace = Pace(60)
    pace.follow(["c1"], 0)
    for n in range(5000):
        pace.again("c1", n)
    assert len(pace._heap) <= 2 * len(pace) + 1024
    assert pace.take(5000) == "c1"
