"""What is refused elsewhere than in a call is in the audit log: the first of a kind in a minute, then their number."""

import asyncio
from pathlib import Path

from engine.metrics import Metrics
from engine.model.access import ANONYMOUS, AuditQuery, is_reserved
from engine.serve.access.audit_trail import AuditTrail
from engine.serve.access.refusals import (
    GATEWAY_CONNECT,
    GRPC_CONNECT,
    HANDSHAKE,
    KINDS_MAX,
    PUSH,
    SCRAPE,
    WEB_CONNECT,
    Refusals,
)
from engine.storage.db.store import Store


def lines(folder: Path, *seconds: Refusals) -> list[tuple[str, str, str, str, str]]:
    """Write these, each a second after the one before, and return the entries, the oldest first."""
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    refusals = Refusals()
    trail = AuditTrail(store.access, Metrics("test"), refusals)

    async def write() -> None:
        for number, given in enumerate(seconds):
            refusals._numbers = given._numbers
            await trail.flush(number * 1_000_000_000)
        await trail.flush()

    asyncio.run(write())
    entries = [
        (entry.actor.name, entry.method, entry.resource, entry.outcome, entry.peer)
        for entry in store.access.entries(AuditQuery(page_size=1000))[::-1]
    ]
    store.close()
    return entries


def test_a_flood_is_a_line_and_a_number(tmp_path: Path) -> None:
    flood = []
    for second in range(3):
        flood.append(Refusals())
        for push in range(1000):
            subject = f"cameras/{second}-{push}"
            flood[-1].add(PUSH, "out_of_scope", who="county", subject=subject)
    assert lines(tmp_path, *flood) == [
        ("gateway county", PUSH, "cameras/0-0 (out_of_scope)", "PERMISSION_DENIED", ""),
        ("gateway county", PUSH, "2999 more within a minute (out_of_scope)", "PERMISSION_DENIED", ""),
    ]


def test_each_gateway_and_reason_and_address_is_a_kind(tmp_path: Path) -> None:
    told = Refusals()
    told.add(PUSH, "not_pushed", who="a")
    told.add(PUSH, "not_pushed", who="b")
    told.add(PUSH, "malformed", who="b")
    told.add(GATEWAY_CONNECT, "unknown_key", host="10.0.0.1", subject="key x")
    told.add(SCRAPE, "password_wrong", host="2001:db8::1")
    told.add(GRPC_CONNECT, HANDSHAKE, number=7)
    assert lines(tmp_path, told) == [
        ("gateway a", PUSH, "(not_pushed)", "PERMISSION_DENIED", ""),
        ("gateway b", PUSH, "(not_pushed)", "PERMISSION_DENIED", ""),
        ("gateway b", PUSH, "(malformed)", "INVALID_ARGUMENT", ""),
        (ANONYMOUS.name, GATEWAY_CONNECT, "key x (unknown_key)", "UNAUTHENTICATED", "ipv4:10.0.0.1"),
        (ANONYMOUS.name, SCRAPE, "(password_wrong)", "UNAUTHENTICATED", "ipv6:[2001:db8::1]"),
        (ANONYMOUS.name, GRPC_CONNECT, "(handshake)", "UNAUTHENTICATED", ""),
        (ANONYMOUS.name, GRPC_CONNECT, "6 more within a minute (handshake)", "UNAUTHENTICATED", ""),
    ]


def test_what_is_collected_is_bounded_and_loses_no_number() -> None:
    told = Refusals()
    for n in range(10_000):
        told.add(GATEWAY_CONNECT, "unknown_key", host=f"10.0.{n >> 8}.{n & 255}", subject="k" * 5000)
    drained = told.drain()
    assert len(drained) <= KINDS_MAX + 1
    assert sum(kind.number for kind in drained) == 10_000
    assert max(len(kind.subject) for kind in drained) <= 100
    assert told.drain() == []


def test_what_the_gateway_tells_is_read_within_bounds(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    refusals = Refusals()
    trail = AuditTrail(store.access, Metrics("test"), refusals)
    for told in ("", "x", "-1 handshake h", f"{'9' * 5000} handshake h", "1e3 handshake h"):
        trail.refused_by_gateway(told)
    assert refusals.drain() == []
    trail.refused_by_gateway("17 handshake 10.0.0.1")
    trail.refused_by_gateway("2 password_wrong ")
    found = [(one.kind.method, one.kind.reason, one.kind.host, one.number) for one in refusals.drain()]
    assert found == [(WEB_CONNECT, HANDSHAKE, "ipv4:10.0.0.1", 17), (SCRAPE, "password_wrong", "", 2)]
    trail.refused_by_gateway(f"1 {'r' * 5000} {'h' * 5000}")
    (long,) = refusals.drain()
    assert len(long.kind.reason) + len(long.kind.host) < 200
    store.close()


def test_no_token_can_be_called_what_a_gateway_is_called() -> None:
    assert is_reserved("gateway county")
    assert is_reserved("Gateway County")
    assert not is_reserved("gateways of 1301")
