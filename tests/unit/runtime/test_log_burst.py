"""How many lines of one kind pass in a second, and what becomes of the others."""

from collections import Counter

from engine.runtime.log_burst import WINDOW_NS, BurstLimit


def test_lines_beyond_the_limit_are_counted_by_group_and_told_once() -> None:
    limit = BurstLimit(2)
    admitted = [limit.admit("announced", "offline" if n % 3 else "ok", n) for n in range(50_000)]
    assert sum(admitted) == 2
    assert admitted[:2] == [True, True]
    assert limit.drain(WINDOW_NS - 1) == {}, "the second is not over"
    (counts,) = limit.drain(WINDOW_NS).values()
    assert counts.total() == 49_998
    assert counts == Counter({"offline": 33_332, "ok": 16_666})
    assert limit.drain(2 * WINDOW_NS) == {}


def test_kinds_do_not_take_each_other_s_room() -> None:
    limit = BurstLimit(1)
    assert [limit.admit(name, "", 0) for name in ("a", "b", "a", "b")] == [True, True, False, False]


def test_a_quiet_kind_always_passes() -> None:
    limit = BurstLimit(1)
    assert all(limit.admit("a", "", second * WINDOW_NS) for second in range(100))
    assert limit.drain(1000 * WINDOW_NS) == {}


def test_nothing_is_lost_when_nobody_drains_for_a_while() -> None:
    limit = BurstLimit(1)
    admitted = sum(limit.admit("a", "x", n * WINDOW_NS // 10) for n in range(100))
    told = limit.drain(1000 * WINDOW_NS)["a"].total()
    assert admitted + told == 100
