"""A shard believes a front what it says of its caller, and nobody else."""

import pytest

from engine.errors import DeniedError, UnauthenticatedError
from engine.serve.access.forwarded import FORWARDED_METADATA, VALID_NS, Forwarded, ForwardedCalls

NOW_NS = 1_700_000_000_000_000_000
CALLS = ForwardedCalls(b"k" * 64)
TOKEN = ("authorization", "Bearer secret")


def sent(call: Forwarded, authorization: str = TOKEN[1]) -> tuple[str, str]:
    return CALLS.metadata(call, authorization, NOW_NS)


@pytest.mark.parametrize("peer", ["ipv4:10.0.0.1:5000", "ipv6:%5B::1%5D:5000", "ipv4:10.0.0.1:5000 http", ""])
@pytest.mark.parametrize("is_part", [True, False])
def test_what_a_front_says_arrives(peer: str, is_part: bool) -> None:
    call = Forwarded(peer, is_part)
    assert CALLS.read([TOKEN, sent(call)], NOW_NS + 1) == call
    assert CALLS.read([sent(call, "")], NOW_NS) == call


def test_a_call_that_no_front_passes_on_says_nothing() -> None:
    assert CALLS.read([TOKEN], NOW_NS) is None
    assert CALLS.read(None, NOW_NS) is None


@pytest.mark.parametrize(
    "metadata",
    [
        [sent(Forwarded("ipv4:1.2.3.4:5"))],  # without the token it was made for
        [("authorization", "Bearer another"), sent(Forwarded("ipv4:1.2.3.4:5"))],
        [TOKEN, ForwardedCalls(b"x" * 64).metadata(Forwarded("p"), TOKEN[1], NOW_NS)],
        [TOKEN, (FORWARDED_METADATA, sent(Forwarded("ipv4:1.2.3.4:5"))[1].replace("1.2.3.4", "5.6.7.8"))],
        [TOKEN, (FORWARDED_METADATA, sent(Forwarded("p"))[1].replace(" call ", " part "))],
        [TOKEN, (FORWARDED_METADATA, "nonsense")],
        [TOKEN, (FORWARDED_METADATA, "a b c d")],
        [TOKEN, (FORWARDED_METADATA, "\N{SNOWMAN} \N{SNOWMAN}")],
    ],
)
def test_a_false_proof_is_refused(metadata: list[tuple[str, str]]) -> None:
    with pytest.raises(UnauthenticatedError, match="another database"):
        CALLS.read(metadata, NOW_NS)


@pytest.mark.parametrize("away_ns", [VALID_NS + 1, -VALID_NS - 1])
def test_an_old_proof_is_refused(away_ns: int) -> None:
    with pytest.raises(UnauthenticatedError, match="clock is more than 120 s off"):
        CALLS.read([TOKEN, sent(Forwarded("p"))], NOW_NS + away_ns)


def test_a_front_speaks_for_itself_where_gateways_pushed() -> None:
    CALLS.require_front([CALLS.metadata_of_pushes(NOW_NS)], NOW_NS + 1)


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [TOKEN],
        [sent(Forwarded("pushes"), "")],  # what it says for a caller
        [TOKEN, sent(Forwarded("pushes"))],
        [TOKEN, CALLS.metadata_of_pushes(NOW_NS)],
        [ForwardedCalls(b"x" * 64).metadata_of_pushes(NOW_NS)],
        [CALLS.metadata_of_pushes(NOW_NS - VALID_NS - 1)],
    ],
)
def test_nobody_else_may_pass_on_what_gateways_pushed(metadata: list[tuple[str, str]]) -> None:
    with pytest.raises(DeniedError):
        CALLS.require_front(metadata, NOW_NS)


def test_what_a_front_says_for_itself_says_nothing_of_a_caller() -> None:
    with pytest.raises(UnauthenticatedError, match="for callers only"):
        CALLS.read([CALLS.metadata_of_pushes(NOW_NS)], NOW_NS)
