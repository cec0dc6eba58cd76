"""When the hub says that it is ready, and why it is not."""

from concurrent.futures import Future
from typing import Any

from engine.clock import NS_PER_S, monotonic_ns
from engine.hub.readiness import PROBE_NS, Readiness, StoreProbe


class Database:
    """Takes writes, and ends them when told."""

    def __init__(self) -> None:
        self.writes: list[Future[Any]] = []

    def write(self) -> "Future[Any]":
        self.writes.append(Future())
        return self.writes[-1]


def test_a_database_that_answers_is_writable_until_a_write_takes_too_long() -> None:
    database = Database()
    probe = StoreProbe(database.write, 0)
    probe.advance(0)
    assert probe.writable(2 * NS_PER_S)
    assert not probe.writable(4 * NS_PER_S)
    database.writes[0].set_result(None)
    assert probe.writable(4 * NS_PER_S)


def test_one_write_at_a_time_tries_it_every_few_seconds() -> None:
    database = Database()
    probe = StoreProbe(database.write, 0)
    for now_ns in (0, PROBE_NS, 2 * PROBE_NS):
        probe.advance(now_ns)
    assert len(database.writes) == 1
    database.writes[0].set_result(None)
    probe.advance(2 * PROBE_NS + 1)
    assert len(database.writes) == 2
    database.writes[1].set_result(None)
    probe.advance(2 * PROBE_NS + 2)
    assert len(database.writes) == 2


def test_a_refused_write_counts_until_one_is_taken() -> None:
    database = Database()
    probe = StoreProbe(database.write, 0)
    probe.advance(0)
    database.writes[0].set_exception(OSError("the disk is full"))
    assert not probe.writable(1)
    probe.advance(PROBE_NS)
    assert not probe.writable(PROBE_NS + 1)
    database.writes[1].set_result(None)
    assert probe.writable(PROBE_NS + 2)


def test_every_reason_is_told_and_none_when_all_is_well() -> None:
    processes, database = {"workers": 0}, Database()
    readiness = Readiness(lambda: processes, StoreProbe(database.write, 0))
    now_ns = monotonic_ns()
    readiness.advance(now_ns - 100 * NS_PER_S)
    reasons = readiness.unready()
    assert [reason.split(";")[0].split(":")[0] for reason in reasons] == [
        "the hub does not serve",
        "the hub's thread has not had a turn for 100 s",
        "no worker is ready",
        "the database does not take writes",
    ]
    database.writes[0].set_result(None)
    processes["workers"], readiness.serving = 1, True
    readiness.advance(monotonic_ns())
    assert readiness.unready() == []
