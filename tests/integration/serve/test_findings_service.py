"""Ledger and database: answered is committed, told is committed, a database that is away loses nothing, nor does -9."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from engine.errors import ConflictError, NotFoundError, StateError, StoreError
from engine.hub.services.finding_log import FindingLog
from engine.ledger.projection import replay
from engine.model.findings import Finding, FindingCommand, FindingQuery, FindingState, LoggedEvent, Step
from engine.model.verdict import FaultKind
from engine.storage.db.store import Store, VisitRecord, Write
from tests.support.expect import present
from tests.support.ledger.findings_services import INSPECTOR, FindingsHarness, findings_harness

COVERED, GREASE = FaultKind.COVERED, FaultKind.GREASE


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Somebody holds the database: nothing can be written."""
    with sqlite3.connect(folder / "patrol.db", isolation_level=None) as held:
        held.execute("BEGIN IMMEDIATE")
        yield
        held.execute("ROLLBACK")


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[FindingsHarness]:
    with findings_harness(tmp_path, queue_records_max=100) as service:
        yield service


def test_a_command_is_answered_when_it_is_committed_and_not_before(harness: FindingsHarness, tmp_path: Path) -> None:
    harness.judge("c1", COVERED)
    assert harness.writer.flush(5)

    async def claim() -> None:
        with away(tmp_path):
            claimed = asyncio.create_task(harness.act(1, Step.CLAIMED))
            await asyncio.sleep(0.5)  # while the database is away nothing happens that could be waited for
            assert not claimed.done()
        finding = await asyncio.wait_for(claimed, 10)
        assert harness.store.findings.get(1) == finding

    asyncio.run(claim())


def test_who_asks_again_meanwhile_is_answered_no_earlier(harness: FindingsHarness, tmp_path: Path) -> None:
    harness.judge("c1", COVERED)
    assert harness.writer.flush(5)

    async def claim() -> None:
        with away(tmp_path):
            first = asyncio.create_task(harness.act(1, Step.CLAIMED, "r1"))
            await asyncio.sleep(0.2)  # the writer has it
            first.cancel()
            again = asyncio.create_task(harness.act(1, Step.CLAIMED, "r1"))
            await asyncio.sleep(0.3)  # as above
            assert not again.done()
        assert (await asyncio.wait_for(again, 10)).claims == 1

    asyncio.run(claim())


def test_a_verdict_and_what_the_ledger_makes_of_it_are_committed_together(harness: FindingsHarness) -> None:
    seen: list[tuple[LoggedEvent, int]] = []
    harness.listeners.append(lambda news: seen.extend((event, harness.store.history.last_seq()) for event in news))
    harness.judge("c1")
    harness.judge("c1", COVERED)
    assert harness.writer.flush(5)
    ((event, verdicts),) = seen
    assert (event.event.step, verdicts) == (Step.OPENED, 2)


def test_listeners_hear_of_every_event_once_and_in_order_also_after_a_database_was_away(
    harness: FindingsHarness, tmp_path: Path
) -> None:
    heard: list[int] = []
    harness.listeners.append(lambda news: heard.extend(event.seq for event in news))
    harness.judge("c0", COVERED)
    with away(tmp_path):
        for number in range(1, 30):
            harness.judge(f"c{number}", COVERED)
        time.sleep(0.3)  # the writer has tried at least once
    harness.judge("c30", GREASE)
    assert harness.writer.flush(10)
    assert heard == list(range(1, 32))
    assert asyncio.run(FindingLog(harness.store.findings).span()) == (0, 31)
    assert [event.seq for event in asyncio.run(FindingLog(harness.store.findings).after(29, 10))] == [30, 31]


def test_listeners_are_rung_by_one_thread_so_that_none_hears_twice(harness: FindingsHarness) -> None:
    threads: set[str] = set()
    heard: list[int] = []
    harness.listeners.append(lambda news: heard.extend(event.seq for event in news))
    harness.listeners.append(lambda _: threads.add(threading.current_thread().name))
    transact = harness.writer.transact

    def committed_at_once(*writes: Write) -> "Future[VisitRecord | None]":
        done = transact(*writes)
        done.result(5)  # whoever asked comes by when it is long committed
        return done

    harness.writer.transact = committed_at_once  # type: ignore[assignment, method-assign]
    harness.judge("c1", COVERED)
    asyncio.run(harness.act(1, Step.ACKNOWLEDGED))
    asyncio.run(harness.act(1, Step.CLAIMED))
    assert harness.writer.flush(5)
    assert heard == [1, 2, 3]
    assert threads == {"writer"}


def test_while_the_database_is_away_nothing_is_promised_and_nothing_is_lost(
    harness: FindingsHarness, tmp_path: Path
) -> None:
    with away(tmp_path):
        for number in range(150):
            harness.judge(f"c{number}", COVERED)
        with pytest.raises(StoreError, match="the database is away"):
            asyncio.run(harness.act(1, Step.CLAIMED))
    assert b"patrol_findings_unheard_total 50.0" in harness.metrics.render()
    assert harness.writer.flush(10)
    assert harness.store.findings.page(FindingQuery()).total == 100
    assert not {"queue_full_ledger", "refused"} & set(harness.writer.dropped)
    for number in range(150):
        harness.judge(f"c{number}", COVERED)
    assert harness.writer.flush(10)
    assert harness.store.findings.page(FindingQuery()).total == 150
    assert asyncio.run(harness.act(1, Step.CLAIMED)).state is FindingState.RECTIFIED


def test_a_claim_orders_a_look_at_the_next_turn(harness: FindingsHarness) -> None:
    harness.judge("c1", COVERED)
    assert harness.writer.flush(5)
    asyncio.run(harness.act(1, Step.CLAIMED))
    assert harness.service.advance(time.time_ns()) == ["c1"]
    assert harness.service.advance(time.time_ns()) == []


@pytest.mark.long
def test_killed_at_any_moment_every_answered_command_is_there_once(tmp_path: Path) -> None:
    chance = Random(5)
    answered: list[tuple[int, str, int, str]] = []
    for seed in range(8):
        command = [sys.executable, "-m", "tests.support.ledger.findings_services", str(tmp_path), str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.05, 1.5))
            process.kill()
            answered += [tuple(json.loads(line)) for line in process.stdout if line.endswith("\n")]
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    log = store.findings.events_after(0, limit=10**6)
    assert [logged.seq for logged in log] == list(range(1, len(log) + 1))
    requests = [logged.event.request_id for logged in log if logged.event.request_id]
    assert len(requests) == len(set(requests))
    assert {request_id for _, _, _, request_id in answered} <= set(requests)
    assert len(answered) > 50
    kept = replay(logged.event for logged in log)
    assert all(store.findings.get(finding_id) == finding for finding_id, finding in kept.items())
    assert store.findings.page(FindingQuery()).total == len(kept)
    store.close()


def test_a_batch_stores_an_event_a_row_and_refuses_each_by_itself(harness: FindingsHarness) -> None:
    for number in range(5):
        harness.judge(f"c{number}", COVERED)
    assert harness.writer.flush(5)
    asyncio.run(harness.act(2, Step.ACKNOWLEDGED))
    commands = [FindingCommand(finding_id, Step.ACKNOWLEDGED, "seen") for finding_id in (1, 2, 3, 99)]
    commands.append(FindingCommand(4, Step.ACKNOWLEDGED, expected_number=7))
    outcomes = asyncio.run(harness.service.act_all(commands, INSPECTOR))
    assert [type(outcome) for outcome in outcomes] == [Finding, StateError, Finding, NotFoundError, ConflictError]
    first, third = present(harness.store.findings.get(1)), present(harness.store.findings.get(3))
    assert (outcomes[0], outcomes[2]) == (first, third)
    for finding_id in (1, 3):
        last = harness.store.findings.events_of(finding_id)[-1]
        assert (last.step, last.who, last.why) == (Step.ACKNOWLEDGED, "wang", "seen")
    assert len(harness.store.findings.events_of(4)) == 1


def test_a_batch_sent_again_changes_nothing_that_was_done_and_does_the_rest(harness: FindingsHarness) -> None:
    for number in range(4):
        harness.judge(f"c{number}", COVERED)
    assert harness.writer.flush(5)

    def claim(*finding_ids: int) -> tuple[Finding | Exception, ...]:
        commands = [FindingCommand(number, Step.CLAIMED, "cleaned", request_id=f"r/{number}") for number in finding_ids]
        return asyncio.run(harness.service.act_all(commands, INSPECTOR))

    first = claim(1, 2)
    again = claim(1, 2, 3, 4)
    assert again[:2] == first
    assert [finding.claims for finding in again if isinstance(finding, Finding)] == [1, 1, 1, 1]
    assert harness.store.findings.last_seq() == 8  # four openings, four claims


def test_a_thousand_findings_are_claimed_within_seconds(tmp_path: Path) -> None:
    with findings_harness(tmp_path) as harness:
        for number in range(1000):
            harness.judge(f"c{number}", COVERED)
        assert harness.writer.flush(20)
        commands = [FindingCommand(number, Step.CLAIMED, "cleaned") for number in range(1, 1001)]
        began_s = time.monotonic()
        outcomes = asyncio.run(harness.service.act_all(commands, INSPECTOR))
        assert time.monotonic() - began_s < 20, "bounded, however slow the machine"
        assert all(isinstance(outcome, Finding) for outcome in outcomes)
        assert harness.store.findings.page(FindingQuery(states=frozenset({FindingState.RECTIFIED}))).total == 1000
        assert len(harness.service.advance(time.time_ns())) == 1000


def test_a_batch_that_the_database_cannot_take_says_so_for_each_row(harness: FindingsHarness, tmp_path: Path) -> None:
    for number in range(3):
        harness.judge(f"c{number}", COVERED)
    assert harness.writer.flush(5)
    with away(tmp_path):
        for number in range(150):
            harness.judge(f"d{number}", COVERED)
        commands = [FindingCommand(number, Step.CLAIMED) for number in (1, 2, 3)]
        outcomes = asyncio.run(harness.service.act_all(commands, INSPECTOR))
        assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
