"""What the chaos of a cluster takes for broken, and what it lets pass."""

from itertools import starmap

import pytest

from tests.cluster_chaos import checks
from tests.cluster_chaos.deeds import Fault

ROWS = [("c1", 10), ("c2", 11), ("c1", 12), ("c3", 13)]


def test_a_log_with_each_visit_once_and_in_order_is_whole() -> None:
    assert list(checks.verdicts(ROWS)) == []


def test_a_visit_that_is_in_the_log_twice_is_found() -> None:
    (said,) = checks.verdicts([*ROWS, ("c3", 13)])
    assert said == "in the log 2 times: ('c3', 13)"


def test_a_verdict_behind_a_later_visit_of_its_camera_is_found() -> None:
    (said,) = checks.verdicts([*ROWS, ("c1", 9)])
    assert "1 verdicts came after a later visit" in said


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (ROWS[1:], ""),
        ([*ROWS[1:], ("c4", 14)], ""),
        ([], "saw nothing"),
        ([*ROWS, ROWS[-1]], "1 verdicts twice"),
        ([ROWS[0], *ROWS[2:]], "1 verdicts never"),
        ([ROWS[1], ROWS[3], ROWS[2]], "in another order"),
    ],
)
def test_a_watcher_is_told_all_from_its_first_verdict_on(seen: list[checks.Row], said: str) -> None:
    found = list(checks.watched(ROWS, seen))
    assert [said in one for one in found] == ([True] if said else [])


def test_a_cap_that_was_exceeded_is_named_by_recorder() -> None:
    assert list(checks.caps([2, 1, 2], 2)) == []
    assert list(checks.caps([2, 3, 2], 2)) == ["more visits at once than 2, by recorder: {1: 3}"]


def test_cameras_that_were_visited_again_too_late_are_found() -> None:
    good = (
        ("machine lost", 5.0, 19.9, 59.0),
        ("engine frozen for three leases", 5.0, 19.0, 40.0),
        ("machine drained", 5.0, None, None, True),
        ("front killed", 5.0, 2.0, None),
    )
    assert list(checks.late(list(starmap(Fault, good)), 30.0)) == []
    late = (("machine lost", 5.0, 20.1, 61.0), ("engine killed", 9.0, None, None))
    assert [said.partition(":")[0] for said in checks.late(list(starmap(Fault, late)), 30.0)] == [
        "machine lost at 5 s", "machine lost at 5 s", "engine killed at 9 s", "engine killed at 9 s",
    ]  # fmt: skip


def test_cameras_that_are_never_visited_again_are_found_on_a_slow_machine_too() -> None:
    faults = (
        ("machine lost", 5.0, 99.0, 150.0),
        ("front killed", 5.0, 2.0, None),
        ("machine drained", 5.0, None, None, True),
        ("cut off from the database", 9.0, 30.0, None),
    )
    (said,) = checks.never(list(starmap(Fault, faults)))
    assert said.startswith("cut off from the database at 9 s")
