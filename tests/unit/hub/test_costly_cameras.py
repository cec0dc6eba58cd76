"""A camera whose pictures cost too much rests, so that it costs no more than a little."""

from engine.hub.keyframes.costly_cameras import CostlyCameras
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


def picture(camera_id: str = "a", payload: bytes = b"costly") -> Keyframe:
    return Keyframe(camera_id, 1, Codec.MJPEG, payload, 0, None, FeedKind.GATEWAY)


def test_a_camera_rests_after_a_costly_picture() -> None:
    cameras = CostlyCameras()
    cameras.strike(picture(), 0, spent=True)
    assert cameras.rest_ns("a", 0) == 15 * SECOND
    assert cameras.rest_ns("a", 14 * SECOND) == SECOND
    assert cameras.rest_ns("a", 15 * SECOND) == 0
    assert cameras.rest_ns("b", 0) == 0


def test_the_second_in_a_row_is_put_aside() -> None:
    cameras = CostlyCameras()
    assert [cameras.strike(picture(), n, spent=True) for n in range(3)] == [False, True, False]


def test_it_rests_twice_as_long_each_time_up_to_an_hour() -> None:
    cameras = CostlyCameras()
    now_ns = 0
    rests = []
    for _ in range(11):
        cameras.strike(picture(), now_ns, spent=True)
        rests.append(cameras.rest_ns("a", now_ns) // SECOND)
        now_ns += 2 * HOUR
    assert rests == [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_the_same_picture_is_known_again_also_after_others() -> None:
    cameras = CostlyCameras()
    assert not cameras.is_known(picture())
    cameras.strike(picture(), 0, spent=True)
    cameras.measured("a")
    assert cameras.is_known(picture())
    assert not cameras.is_known(picture(payload=b"another"))
    assert not cameras.is_known(picture("b"))


def test_a_picture_that_was_measured_ends_the_row() -> None:
    cameras = CostlyCameras()
    cameras.strike(picture(), 0, spent=True)
    cameras.measured("a")
    assert cameras.strike(picture(), HOUR, spent=True) is False
    assert cameras.rest_ns("a", HOUR) == 15 * SECOND


def test_one_that_its_headers_give_away_is_put_aside_but_the_camera_need_not_rest() -> None:
    cameras = CostlyCameras()
    assert [cameras.strike(picture(), n, spent=False) for n in range(3)] == [False, True, False]
    assert cameras.rest_ns("a", 3) == 0
    assert not cameras.is_known(picture()), "its headers give it away again"


def test_a_camera_that_alternates_does_not_fill_the_quarantine() -> None:
    cameras = CostlyCameras()
    kept = 0
    for minute in range(120):
        kept += cameras.strike(picture(), minute * 60 * SECOND, spent=False)
        if minute % 3 == 2:
            cameras.measured("a")
    assert kept == 2


def test_memory_is_bounded() -> None:
    cameras = CostlyCameras()
    for number in range(5000):
        cameras.strike(picture(f"c{number}"), 0, spent=True)
    assert cameras.strike(picture("c0"), 1, spent=True) is False, "it was forgotten"
    assert cameras.strike(picture("c4999"), 1, spent=True) is True
