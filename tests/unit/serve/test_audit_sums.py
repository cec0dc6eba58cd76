"""The audit log under floods: what is refused or shown often takes few lines, and no memory without a bound."""

from hypothesis import given
from hypothesis import strategies as st

from engine.clock import NS_PER_S
from engine.model.access import ANONYMOUS, Actor, Role
from engine.serve.access.audit_sums import (
    REFUSED_KINDS_MAX,
    REFUSED_WINDOW_NS,
    SHOWN_CHARS_MAX,
    SHOWN_WINDOW_NS,
    Refused,
    RefusedSums,
    ShownSums,
    Viewer,
)
from engine.serve.access.audit_trail import host_of_peer

SOMEBODY = Actor("a", Role.VIEWER, "13")
MINUTE_NS = 60 * NS_PER_S


def refused(host: str = "ipv4:10.0.0.1", method: str = "S/Get", reason: str = "token_missing") -> Refused:
    return Refused(ANONYMOUS, method, host, reason, "UNAUTHENTICATED")


def test_the_first_of_a_kind_is_a_line_and_the_others_of_its_minute_one_more() -> None:
    sums = RefusedSums()
    assert [sums.is_first(refused(), n) for n in range(500)] == [True, *[False] * 499]
    assert sums.is_first(refused("ipv4:10.0.0.2"), 1)
    assert sums.drain(REFUSED_WINDOW_NS - 1) == []
    assert sums.drain(REFUSED_WINDOW_NS + 1) == [(refused(), 499)]
    assert sums.is_first(refused(), MINUTE_NS + 2), "a new minute begins with a line"
    assert sums.drain(None) == []


def test_a_flood_from_many_addresses_writes_few_lines_and_loses_no_call() -> None:
    sums, calls = RefusedSums(), 20_000
    first = sum(sums.is_first(refused(f"ipv6:[::{n:x}]"), n) for n in range(calls))
    rest = sums.drain(None)
    assert first == REFUSED_KINDS_MAX
    assert rest == [(refused(host="", method=""), calls - first - 1 + 1)]
    many = RefusedSums()
    for n in range(calls):
        many.is_first(refused(f"h{n}", f"S/{n}", ("token_missing", "token_invalid")[n % 2]), 0)
    assert len(many._windows) <= REFUSED_KINDS_MAX + 2


@given(st.lists(st.tuples(st.integers(0, 3), st.text("abc/", min_size=1, max_size=80)), max_size=200))
def test_every_picture_shown_is_in_some_line_and_no_line_is_too_long(shown: list[tuple[int, str]]) -> None:
    sums, lines = ShownSums(), []
    for who, name in shown:
        lines += sums.add(Viewer(SOMEBODY, f"S/{who}", "h"), [name], 0)
    lines += sums.drain(SHOWN_WINDOW_NS)
    assert {(viewer.method, name) for viewer, line in lines for name in line.split(" ")} == {
        (f"S/{who}", name) for who, name in shown
    }
    assert all(0 < len(line) <= SHOWN_CHARS_MAX + 2 for _, line in lines)
    assert sums.drain(None) == []


def test_what_is_shown_again_within_ten_seconds_is_named_once() -> None:
    sums, viewer = ShownSums(), Viewer(SOMEBODY, "S/Get", "h")
    for _ in range(3):
        assert sums.add(viewer, ["a", "b"], 5) == []
    assert sums.drain(SHOWN_WINDOW_NS) == []
    assert sums.drain(SHOWN_WINDOW_NS + 5) == [(viewer, "a b")]


def test_a_host_is_a_peer_without_its_port() -> None:
    assert host_of_peer("ipv4:10.0.0.1:5000") == "ipv4:10.0.0.1"
    assert host_of_peer("ipv6:%5B::1%5D:5000") == "ipv6:%5B::1%5D"
    assert host_of_peer("ipv4:10.0.0.1:5000 http") == "ipv4:10.0.0.1 http"
    assert host_of_peer("unix:/run/x") == "unix:/run/x"
