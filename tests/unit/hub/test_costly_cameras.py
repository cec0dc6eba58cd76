"""A camera whose pictures cost too much rests, so that it costs no more than a little."""

from engine.hub.costly_cameras import CostlyCameras

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


def test_one_costly_picture_is_an_accident() -> None:
    cameras = CostlyCameras()
    assert cameras.strike("a", 0, spent=True) is False
    assert cameras.rest_ns("a", 1) == 0


def test_the_second_in_a_row_is_put_aside_and_the_camera_rests() -> None:
    cameras = CostlyCameras()
    cameras.strike("a", 0, spent=True)
    assert cameras.strike("a", 0, spent=True) is True
    assert cameras.rest_ns("a", 0) == 60 * SECOND
    assert cameras.rest_ns("a", 59 * SECOND) == SECOND
    assert cameras.rest_ns("a", 60 * SECOND) == 0
    assert cameras.rest_ns("b", 0) == 0


def test_it_rests_twice_as_long_each_time_up_to_an_hour() -> None:
    cameras = CostlyCameras()
    now_ns = 0
    rests = []
    for _ in range(12):
        cameras.strike("a", now_ns, spent=True)
        rests.append(cameras.rest_ns("a", now_ns) // SECOND)
        now_ns += 2 * HOUR
    assert rests == [0, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600]


def test_a_picture_that_was_measured_ends_the_row() -> None:
    cameras = CostlyCameras()
    cameras.strike("a", 0, spent=True)
    cameras.measured("a")
    assert cameras.strike("a", 1, spent=True) is False
    assert cameras.rest_ns("a", 1) == 0


def test_one_that_its_headers_give_away_is_put_aside_but_the_camera_need_not_rest() -> None:
    cameras = CostlyCameras()
    assert [cameras.strike("a", n, spent=False) for n in range(3)] == [False, True, False]
    assert cameras.rest_ns("a", 3) == 0


def test_a_camera_that_alternates_does_not_fill_the_quarantine() -> None:
    cameras = CostlyCameras()
    kept = 0
    for minute in range(120):
        kept += cameras.strike("a", minute * 60 * SECOND, spent=False)
        if minute % 3 == 2:
            cameras.measured("a")
    assert kept == 2


def test_memory_is_bounded() -> None:
    cameras = CostlyCameras()
    for number in range(5000):
        cameras.strike(f"c{number}", 0, spent=True)
    assert cameras.strike("c0", 1, spent=True) is False, "it was forgotten"
    assert cameras.strike("c4999", 1, spent=True) is True
