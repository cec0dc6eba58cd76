"""One contract, two databases: what the record keeps of the ledger, in SQLite and in a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from engine.ledger.projection import replay
from engine.model.findings import Finding, FindingCommand, FindingQuery, FindingState, LedgerEvent, Level, Step
from engine.model.overlay import OverlayVerdict, ReadFault
from engine.model.verdict import FaultKind, State, Verdict
from engine.storage.db.database import connect, parse_url, write_transaction
from engine.storage.db.ledger.finding_tables import findings
from engine.storage.db.ledger.findings import LedgerEntry, append
from engine.storage.db.store import Store, VisitRecord
from engine.storage.db.tables import outbox
from tests.support.ledger.ledgers import HOUR, MINUTE, OPERATOR, START, LedgerHarness, camera

COVERED = FaultKind.COVERED


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    yield store
    store.close()


@pytest.fixture
def engine(store: Store, database_url: str) -> Iterator[sa.Engine]:
    engine = connect(parse_url(database_url))
    yield engine
    engine.dispose()


def entries(log: list[LedgerEvent]) -> list[LedgerEntry]:
    """Each event with the finding as it left it."""
    return [
        LedgerEntry(event, replay(log[: place + 1])[event.finding_id], f'{{"step":"{event.step}"}}')
        for place, event in enumerate(log)
    ]


def a_story() -> LedgerHarness:
    """Findings in three counties, one closed, one dismissed, one overdue, one with a claim under way."""
    harness = LedgerHarness()
    for number, region in enumerate(["130102", "130103", "130202", "1399"], 1):
        harness.observe(COVERED, at=camera(f"c{number}", region))
    harness.act(Step.CLAIMED, finding_id=1, why="布已取下", request_id="r1")
    harness.observe(at=camera("c1"))
    harness.observe(at=camera("c1"))
    harness.act(Step.DISMISSED, OPERATOR, 2, why="being rebuilt", request_id="r2")
    harness.wait(24 * HOUR)
    harness.act(Step.CLAIMED, OPERATOR, 4, request_id="r1")
    return harness


@pytest.fixture
def told(store: Store, engine: sa.Engine) -> LedgerHarness:
    harness = a_story()
    with write_transaction(engine) as connection:
        append(connection, entries(harness.log))
    return harness


def test_every_finding_is_kept_as_its_events_left_it(store: Store, told: LedgerHarness) -> None:
    for finding_id, finding in replay(told.log).items():
        assert store.findings.get(finding_id) == finding
        assert store.findings.events_of(finding_id) == tuple(e for e in told.log if e.finding_id == finding_id)
    assert store.findings.get(99) is None
    assert store.findings.events_of(99) == ()


def test_the_log_read_back_replays_to_the_same_at_any_moment(store: Store, told: LedgerHarness) -> None:
    kept = [logged.event for logged in store.findings.events_after(0)]
    assert kept == told.log
    for at_ns in {event.at_wall_ns for event in told.log}:
        assert replay(kept, at_ns) == replay(told.log, at_ns)


def test_who_goes_on_after_an_event_misses_none_and_gets_none_twice(store: Store, told: LedgerHarness) -> None:
    seqs, seq = [], 0
    while piece := store.findings.events_after(seq, limit=3):
        seqs += [logged.seq for logged in piece]
        seq = seqs[-1]
    assert seqs == list(range(1, len(told.log) + 1))
    assert store.findings.last_seq() == seq
    assert {logged.finding.subject.region for logged in store.findings.events_after(0, region_prefix="1301")} == {
        "130102", "130103",
    }  # fmt: skip


def test_what_has_not_ended_is_there_at_a_start(store: Store, told: LedgerHarness) -> None:
    assert {finding.finding_id: finding for finding in store.findings.open_findings()} == told.ledger.findings
    assert store.findings.next_id() == 5


def test_what_open_findings_cite_is_known_at_a_start(store: Store, engine: sa.Engine, told: LedgerHarness) -> None:
    last = told.log[-1]
    more = [
        replace(last, finding_id=finding_id, number=50, evidence=("a" * 64, "b" * 64)) for finding_id in (2, 3, 4)
    ]  # fmt: skip
    with write_transaction(engine) as connection:
        append(connection, [LedgerEntry(event, replay(told.log)[event.finding_id]) for event in more])
    cited = store.findings.cited()
    assert set(cited) == {3, 4}, "2 was dismissed"
    assert cited[4] == ("a" * 64, "b" * 64)


def test_photographs_of_a_claim_are_kept_with_its_event_and_cited(store: Store, engine: sa.Engine) -> None:
    harness = LedgerHarness()
    harness.observe(COVERED)
    one, two = "1" * 64, "2" * 64
    command = FindingCommand(1, Step.CLAIMED, "布已取下", photographs=(one, two))
    _, actions = harness.ledger.execute(command, OPERATOR, harness.now_ns)
    harness.record(actions)
    with write_transaction(engine) as connection:
        append(connection, entries(harness.log))
    assert [event.photographs for event in store.findings.events_of(1)] == [(), (one, two)]
    assert store.findings.events_of(1) == tuple(harness.log)
    assert store.findings.cited() == store.findings.cited(1) == {1: (f"{one}.jpg", f"{two}.jpg")}
    assert store.findings.cited(2) == {}


def test_what_people_dismissed_lately_is_there_at_a_start(store: Store, engine: sa.Engine) -> None:
    harness = LedgerHarness()
    for number in range(1, 5):
        harness.observe(COVERED, at=camera(f"c{number}"))
    for finding_id in (3, 1, 2):
        harness.wait(HOUR)
        harness.act(Step.DISMISSED, OPERATOR, finding_id)
    harness.act(Step.CLOSED, OPERATOR, 4)
    harness.act(Step.REOPENED, OPERATOR, 1)
    last = harness.log[-1]
    by_engine = replace(last, finding_id=9, number=1, step=Step.DISMISSED, role="", who="engine")
    ended = replace(harness.finding(2), finding_id=9, number=1)
    with write_transaction(engine) as connection:
        append(connection, [*entries(harness.log), LedgerEntry(by_engine, ended)])
    everything = replay(harness.log)
    assert store.findings.dismissed(START, 100) == [everything[3], everything[2]]
    assert store.findings.dismissed(everything[2].changed_wall_ns, 100) == [everything[2]]
    assert store.findings.dismissed(START, 1) == [everything[2]]
    assert everything[1] in store.findings.open_findings()


def test_a_list_is_filtered_counted_and_newest_first(store: Store, told: LedgerHarness) -> None:
    def ids(**wanted: Any) -> list[int]:
        page = store.findings.page(FindingQuery(**wanted))
        assert page.total == len(page.findings)
        return [finding.finding_id for finding in page.findings]

    assert ids() == [4, 3, 2, 1]
    assert ids(region_prefix="1301") == [2, 1]
    assert ids(region_prefix="13") == [4, 3, 2, 1]
    assert ids(region_prefix="1399") == [4]
    assert ids(region_prefix="99") == []
    assert ids(region_prefix="13_") == []
    assert ids(camera_id="c3") == [3]
    assert ids(site_id="s1") == [4, 3, 2, 1]
    assert ids(states=frozenset({FindingState.CLOSED, FindingState.DISMISSED})) == [2, 1]
    assert ids(level=Level.COUNTY) == [4, 3]
    assert ids(open_only=True) == [4, 3]


def test_pages_hold_still_while_findings_are_opened(store: Store, engine: sa.Engine, told: LedgerHarness) -> None:
    first = store.findings.page(FindingQuery(page_size=2))
    before = len(told.log)
    told.observe(COVERED, at=camera("c9"))
    with write_transaction(engine) as connection:
        append(connection, entries(told.log)[before:])
    second = store.findings.page(FindingQuery(page_size=2, after=first.next_after))
    assert [finding.finding_id for finding in first.findings + second.findings] == [4, 3, 2, 1]
    assert (first.total, second.total, second.next_after) == (4, 5, None)


def test_commands_are_known_by_who_and_request_id(store: Store, told: LedgerHarness) -> None:
    assert store.findings.requests(10) == [
        (("wang", "r1"), FindingCommand(1, Step.CLAIMED, "布已取下", request_id="r1")),
        (("li", "r2"), FindingCommand(2, Step.DISMISSED, "being rebuilt", request_id="r2")),
        (("li", "r1"), FindingCommand(4, Step.CLAIMED, "seen", request_id="r1")),
    ]
    assert [key for key, _ in store.findings.requests(1)] == [("li", "r1")]
    assert store.findings.requests_of("wang", ["r1", "r2", "r3"]) == {
        "r1": FindingCommand(1, Step.CLAIMED, "布已取下", request_id="r1")
    }
    assert set(store.findings.requests_of("li", ["r1", "r2"])) == {"r1", "r2"}


def test_every_event_that_says_something_to_the_outside_is_in_the_outbox_once(
    engine: sa.Engine, told: LedgerHarness
) -> None:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(outbox).order_by(outbox.c.seq)).all()
    assert [(row.event_kind, row.finding_id, row.number) for row in rows] == [
        (f"finding.{event.step}", event.finding_id, event.number) for event in told.log
    ]
    assert rows[0].region == "130102"


def test_an_event_can_be_written_once_only(engine: sa.Engine, told: LedgerHarness) -> None:
    again = entries(told.log)[:1]
    with pytest.raises(sa.exc.IntegrityError), write_transaction(engine) as connection:
        append(connection, again)


def test_with_a_transaction_that_fails_nothing_of_it_stays(
    store: Store, engine: sa.Engine, told: LedgerHarness
) -> None:
    last, before = store.findings.last_seq(), store.findings.get(3)
    told.act(Step.ACKNOWLEDGED, finding_id=3)
    news = entries(told.log)[-1:]
    with pytest.raises(sa.exc.IntegrityError), write_transaction(engine) as connection:
        append(connection, news + news)
    assert (store.findings.last_seq(), store.findings.get(3)) == (last, before)


def test_a_decision_on_what_is_announced_still_is_remembered_over_a_restart(store: Store, told: LedgerHarness) -> None:
    def announced(camera_id: str, state: State, since_ns: int) -> VisitRecord:
        return VisitRecord(Verdict(camera_id, 1, since_ns, state, announced=state, since_wall_ns=since_ns), b"")

    store.write([announced("c1", State.OK, START), announced("c2", State.FAULT, START)])
    assert store.findings.muted() == {"c2": {"covered"}}
    store.write([announced("c2", State.FAULT, told.now_ns)])
    assert store.findings.muted() == {}


def test_a_person_s_decision_on_a_reading_is_remembered_and_the_engine_s_closing_is_not(
    store: Store, engine: sa.Engine
) -> None:
    harness = LedgerHarness()

    def read(camera_id: str, *, is_wrong: bool) -> None:
        harness.now_ns += MINUTE
        clock = FaultKind.CLOCK_WRONG
        faults = {clock: ReadFault(clock, None, "off")} if is_wrong else {}
        verdict = OverlayVerdict(camera_id, harness.now_ns, faults, frozenset() if is_wrong else frozenset({clock}))
        harness.record(harness.ledger.observe_reading(verdict, camera(camera_id), harness.now_ns))

    for camera_id in ("c1", "c2"):
        read(camera_id, is_wrong=True)
    harness.act(Step.DISMISSED, OPERATOR, finding_id=1)
    for _ in range(3):
        read("c2", is_wrong=False)
    assert harness.finding(2).state is FindingState.CLOSED
    with write_transaction(engine) as connection:
        append(connection, entries(harness.log))
    assert store.findings.muted() == {"c1": {"clock_wrong"}}


def test_the_longest_that_is_allowed_fits(store: Store, engine: sa.Engine) -> None:
    harness = LedgerHarness()
    harness.observe(COVERED, at=replace(camera("界" * 64), site_id="界" * 64, site_name="界" * 200))
    harness.act(Step.CLAIMED, why="界" * 500, request_id="界" * 64)
    log = [replace(event, evidence=("ab" * 32, "cd" * 32)) for event in harness.log]
    with write_transaction(engine) as connection:
        append(connection, entries(log))
    assert store.findings.events_of(1) == tuple(log)
    found: Finding | None = store.findings.get(1)
    assert found == harness.finding()


def test_findings_can_be_worked_out_again_from_the_events(store: Store, engine: sa.Engine, told: LedgerHarness) -> None:
    with write_transaction(engine) as connection:
        connection.execute(sa.update(findings).values(state="open", number=1))
    assert replay(logged.event for logged in store.findings.events_after(0)) == replay(told.log)
