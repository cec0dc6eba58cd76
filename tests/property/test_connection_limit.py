"""Which connections are closed when there are too many: for any set of them."""

from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.connection_limit import Connection, superfluous

CONNECTIONS = st.lists(
    st.builds(
        Connection, st.integers(3, 9999), st.integers(0, 100_000), st.sampled_from([0, 64, 266, 300, 900, 10**7])
    ),
    max_size=60,
    unique_by=lambda known: known.descriptor,
)


@given(CONNECTIONS, st.integers(1, 40))
def test_no_more_than_allowed_stay_and_none_is_closed_without_need(known: list[Connection], allowed: int) -> None:
    closed = superfluous(known, allowed)
    excess = max(0, len(known) - allowed)
    assert set(closed) <= set(known)
    assert len(closed) >= excess
    assert bool(closed) == bool(excess)
    assert len(closed) <= excess + allowed // 8


@given(CONNECTIONS, st.integers(1, 40))
def test_a_gateway_is_closed_only_if_strangers_have_no_more_than_their_share_and_the_silent_ones_first(
    known: list[Connection], allowed: int
) -> None:
    closed = superfluous(known, allowed)
    kept = set(known) - set(closed)
    gateways = [connection for connection in closed if not connection.is_stranger]
    if gateways:
        assert sum(connection.is_stranger for connection in kept) <= max(1, allowed // 8)
        assert len(closed) == len(known) - allowed, "no gateway more than needed"
    for stranger in (True, False):
        silent = [connection.silent_ms for connection in kept if connection.is_stranger == stranger]
        assert all(
            connection.silent_ms >= max(silent, default=0)
            for connection in closed
            if connection.is_stranger == stranger
        )
