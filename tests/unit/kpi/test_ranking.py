"""The ranking of the digest: clarity, less what is left open."""

import pytest

from engine.kpi.ranking import Performance, Rank, points, ranking
from engine.model.kpi import Rate


def performance(
    clear: int, open_findings: int = 0, overdue: int = 0, cameras: int = 100, measured: int = 100
) -> Performance:
    rate = Rate(clear, measured, registered=cameras, not_measured=cameras - measured)
    return Performance(rate, cameras, open_findings, overdue)


def order(**performances: Performance) -> list[tuple[str, int | None]]:
    return [(rank.code, rank.place) for rank in ranking(performances)]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (performance(97), 97.0),
        (performance(97, open_findings=3), 94.0),
        (performance(97, open_findings=3, overdue=2), 92.0),
        (performance(50, open_findings=80, overdue=80), -110.0),
        (performance(380, open_findings=10, cameras=400, measured=400), 92.5),
        (performance(0, measured=0), None),
    ],
)
def test_a_point_is_a_camera_in_a_hundred(of: Performance, expected: float | None) -> None:
    assert points(of) == expected


def test_points_are_per_camera_and_not_per_camera_day() -> None:
    """A week's rate counts camera-days: seven days of 100 cameras, ten findings at the end of them."""
    week = Performance(Rate(700, 700, registered=700), 100, 10, 0)
    assert points(week) == 90.0


def test_a_county_with_ten_open_findings_does_not_win() -> None:
    big = performance(10_000, open_findings=10, cameras=10_000, measured=10_000)
    assert order(big=big, small=performance(18, cameras=20, measured=20)) == [("small", 1), ("big", 2)]


def test_among_those_that_leave_something_open_the_points_decide() -> None:
    assert order(a=performance(99, 10), b=performance(95, 1), c=performance(99, 4, overdue=4)) == [
        ("b", 1), ("c", 2), ("a", 3)
    ]  # fmt: skip


def test_equals_share_a_place_and_the_better_measured_stands_first() -> None:
    less = performance(76, measured=80)
    assert order(less=less, more=performance(95), last=performance(90)) == [("more", 1), ("less", 1), ("last", 3)]


def test_who_was_hardly_measured_gets_no_place_and_stands_last() -> None:
    assert order(a=performance(49, measured=49), b=performance(10), c=performance(0, measured=0)) == [
        ("b", 1), ("a", None), ("c", None)
    ]  # fmt: skip
    assert ranking({}) == []
    assert ranking({"a": performance(49, measured=49)}) == [Rank("a", None, 100.0)]
