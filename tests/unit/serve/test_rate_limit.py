"""Limits of calls: a bucket for each key, bounded in number; what one caller does costs no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import NS_PER_S
from engine.config.serve import ServeSettings
from engine.serve.access.call_limits import CallLimits, address_of_peer
from engine.serve.access.rate_limit import RateLimit
from engine.serve.status import TooManyCallsError

NAT = "ipv4:10.0.0.1:5000"


def test_a_burst_passes_then_as_many_a_second_as_are_allowed() -> None:
    limit = RateLimit(per_s=10, burst_s=2)
    assert [limit.wait_ns("a", 0) for _ in range(20)] == [0] * 20
    wait_ns = limit.wait_ns("a", 0)
    assert wait_ns == NS_PER_S // 10
    assert limit.wait_ns("a", wait_ns - 1) == 1, "a refused call does not count"
    assert limit.wait_ns("a", wait_ns) == 0
    assert limit.wait_ns("b", 0) == 0, "another key has a bucket of its own"
    assert [limit.wait_ns("a", 100 * NS_PER_S) for _ in range(21)].count(0) == 20, "a pause fills it, and no more"


@given(st.lists(st.tuples(st.integers(0, 300_000_000), st.integers(0, 2)), max_size=300))
def test_in_no_time_more_passes_than_a_burst_and_the_rate(steps: list[tuple[int, int]]) -> None:
    limit, now_ns = RateLimit(per_s=5, burst_s=1), 0
    passed: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for pause_ns, key in steps:
        now_ns += pause_ns
        wait_ns = limit.wait_ns(key, now_ns)
        if wait_ns == 0:
            passed[key].append(now_ns)
        else:
            assert 0 < wait_ns <= NS_PER_S // 5
    for times in passed.values():
        for number, begin_ns in enumerate(times):
            for further, end_ns in enumerate(times[number:], 1):
                assert further <= 5 + (end_ns - begin_ns) * 5 / NS_PER_S + 1e-6


def test_keys_are_bounded_and_the_one_used_longest_ago_goes() -> None:
    limit = RateLimit(per_s=1, burst_s=1, keys_max=100)
    assert limit.wait_ns("kept", 0) == 0
    for n in range(10_000):
        limit.wait_ns(f"stranger{n}", 0)
        assert limit.wait_ns("kept", 0), "a key that goes on calling is not forgotten"
    assert len(limit._full_at_ns) == 100


def test_without_a_rate_there_is_no_limit_and_nothing_is_kept() -> None:
    limit = RateLimit(per_s=0, burst_s=1)
    assert not any(limit.wait_ns(n % 3, 0) for n in range(1000))
    assert not limit._full_at_ns


def limits(**settings: float) -> CallLimits:
    return CallLimits(ServeSettings(**{"calls_burst_s": 1, **settings}))  # type: ignore[arg-type]


def passes(calls: CallLimits, number: int, digest: bytes = b"t", peer: str = NAT) -> int:
    passed = 0
    for _ in range(number):
        try:
            calls.check(digest, peer, 0)
        except TooManyCallsError:
            break
        passed += 1
    return passed


def test_bad_tokens_of_an_address_do_not_lock_out_good_ones_of_the_same_address() -> None:
    calls = limits(failed_calls_per_s_max=5, token_calls_per_s_max=50)
    for _ in range(5):
        calls.check_failed(NAT, 0)
    for _ in range(1000):
        with pytest.raises(TooManyCallsError, match=r"serve\.failed_calls_per_s_max") as refused:
            calls.check_failed("ipv4:10.0.0.1:6000", 0)
    assert refused.value.by == "failed"
    assert passes(calls, 100) == 50
    calls.check_failed("ipv4:10.0.0.2:6000", 0)


def test_a_token_and_an_address_have_limits_of_their_own() -> None:
    calls = limits(token_calls_per_s_max=10, address_calls_per_s_max=25)
    assert passes(calls, 20, b"a") == 10
    assert passes(calls, 20, b"b") == 10
    assert passes(calls, 20, b"c") == 5, "the address has made 25"
    assert passes(calls, 20, b"d", "ipv4:10.0.0.9:1") == 10
    assert passes(calls, 50, b"", "ipv4:10.0.0.8:1") == 25, "calls without a token count by address alone"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.1:5000", "10.0.0.1"),
        ("ipv4:10.0.0.1:5000 http", "10.0.0.1"),
        ("ipv6:%5B2001:db8::1%5D:5000", "2001:db8::/64"),
        ("ipv6:[2001:db8::ffff:1]:5000 http", "2001:db8::/64"),
        ("ipv6:%5B::ffff:10.0.0.1%5D:5000", "10.0.0.1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::/64"),
        ("unix:/run/patrol/api", "unix:/run/patrol/api"),
        ("unix:", "unix:"),
        ("", ""),
        ("ipv4:what", ""),
    ],
)
def test_whose_calls_count_together(peer: str, address: str) -> None:
    assert address_of_peer(peer) == address
