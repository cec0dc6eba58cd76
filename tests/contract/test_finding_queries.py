"""One contract, two databases: how findings are filtered, ordered, paged and counted."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from engine.model.camera import KeyPoint
from engine.model.findings import (
    Finding,
    FindingCount,
    FindingOrder,
    FindingQuery,
    FindingState,
    GroupBy,
    LedgerEvent,
    Level,
    Step,
    Subject,
)
from engine.model.verdict import Severity
from engine.serve.streams.filters import matches_finding
from engine.storage.db.database import connect, parse_url, write_transaction
from engine.storage.db.ledger import finding_queries
from engine.storage.db.ledger.finding_tables import findings
from engine.storage.db.ledger.findings import LedgerEntry, append
from engine.storage.db.store import Store

HOUR = 3600 * 10**9
START = 1_772_438_400 * 10**9
CAUSES = ("covered", "blurred", "blurred/grease", "blurred_x", "offline")
REGIONS = ("130102", "130103", "130202", "1302", "")


def made_up(number: int) -> Finding:
    """A finding whose fields follow from its number, so that many values and many ties occur."""
    state = list(FindingState)[number % len(FindingState)]
    return Finding(
        number,
        Subject(
            f"c{number % 7}",
            CAUSES[number % len(CAUSES)],
            f"s{number % 3}",
            ("第一中学食堂", "Third_School", "100% 食堂")[number % 3],
            REGIONS[number % len(REGIONS)],
            ("烹饪间", "Cutting A", "cutting_b", "")[number % 4],
            list(KeyPoint)[number % len(KeyPoint)],
        ),
        state,
        list(Severity)[number // 3 % len(Severity)],
        list(Level)[number // 5 % len(Level)],
        deadline_wall_ns=START + (number * 7 % 11) * HOUR,
        opened_wall_ns=START + number // 4 * HOUR,
        changed_wall_ns=START + number * HOUR,
        overdue=number % 2 == 0,
        supervised=number % 5 == 0,
    )


ALL = [made_up(number) for number in range(1, 91)]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    engine = connect(parse_url(database_url))
    with write_transaction(engine) as connection:
        append(
            connection,
            [
                LedgerEntry(LedgerEvent(finding.finding_id, 1, Step.OPENED, finding.opened_wall_ns, "engine"), finding)
                for finding in ALL
            ],
        )
    engine.dispose()
    yield store
    store.close()


FILTERS: list[dict[str, Any]] = [
    {"severity_min": Severity.BLIND},
    {"severity_min": Severity.IMPAIRED},
    {"severity_min": Severity.COSMETIC},
    {"cause_keys": frozenset({"blurred"})},
    {"cause_keys": frozenset({"blurred/grease", "offline"})},
    {"open_from_wall_ns": START + 5 * HOUR},
    {"open_until_wall_ns": START + 5 * HOUR},
    {"open_from_wall_ns": START + 3 * HOUR, "open_until_wall_ns": START + 5 * HOUR},
    {"deadline_until_wall_ns": START + 4 * HOUR},
    {"overdue": True},
    {"overdue": False},
    {"supervised": True},
    {"supervised": False, "open_only": True},
    {"text": "烹饪"},
    {"text": "CUTTING"},
    {"text": "cutting_"},
    {"text": "0%"},
    {"text": "third"},
    {"text": "nothing like it"},
    {"region_prefix": "1302", "severity_min": Severity.IMPAIRED, "text": "食堂", "level": Level.CITY},
]


@pytest.mark.parametrize("wanted", FILTERS, ids=lambda wanted: "-".join(wanted) or "all")
def test_the_database_selects_what_a_watch_selects(store: Store, wanted: dict[str, Any]) -> None:
    query = FindingQuery(**wanted, page_size=1000)
    page = store.findings.page(query)
    expected = [finding for finding in reversed(ALL) if matches_finding(query, finding)]
    assert list(page.findings) == expected
    assert page.total == len(expected)
    if "nothing" not in str(wanted):
        assert 0 < len(expected) < len(ALL) or wanted == {"severity_min": Severity.COSMETIC}


def value_of(finding: Finding, order: FindingOrder) -> int:
    """The place of a finding in an order."""
    return {
        FindingOrder.NUMBER: 0,
        FindingOrder.OPEN_TIME: finding.opened_wall_ns,
        FindingOrder.DEADLINE_TIME: finding.deadline_wall_ns,
        FindingOrder.SEVERITY: -list(Severity).index(finding.severity),
        FindingOrder.LEVEL: list(Level).index(finding.level),
    }[order]


@pytest.mark.parametrize(("order", "descending"), list(product(FindingOrder, (True, False))))
def test_pages_of_every_order_join_to_the_whole(store: Store, order: FindingOrder, descending: bool) -> None:
    query = FindingQuery(order=order, descending=descending, page_size=7, open_only=True)
    seen: list[Finding] = []
    while True:
        page = store.findings.page(query)
        seen += page.findings
        if page.next_after is None:
            break
        query = replace(query, after=page.next_after)
    expected = [finding for finding in ALL if not finding.state.ended]
    expected.sort(key=lambda finding: (value_of(finding, order), finding.finding_id), reverse=descending)
    assert [finding.finding_id for finding in seen] == [finding.finding_id for finding in expected]


def test_a_list_in_an_order_reads_its_index(store: Store, database_url: str) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("a plan of PostgreSQL depends on its statistics")
    with connect(parse_url(database_url)).connect() as connection:
        for order, index in (
            (FindingOrder.OPEN_TIME, "findings_by_open_time"),
            (FindingOrder.DEADLINE_TIME, "findings_by_deadline"),
            (FindingOrder.SEVERITY, "findings_by_severity"),
            (FindingOrder.LEVEL, "findings_by_level"),
        ):
            query = FindingQuery(order=order)
            statement: sa.Select[Any] = sa.select(findings).order_by(*finding_queries.order_of(query)).limit(10)
            compiled = statement.compile(connection, compile_kwargs={"literal_binds": True})
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()
            assert any(index in str(row) for row in plan), plan


def test_counts_agree_with_the_findings(store: Store) -> None:
    tables = [(GroupBy.COUNTY,), (GroupBy.CITY, GroupBy.STATE), (GroupBy.KIND,), (GroupBy.CAUSE_KEY, GroupBy.SEVERITY),
              (GroupBy.LEVEL, GroupBy.OVERDUE, GroupBy.SUPERVISED), (GroupBy.PROVINCE,)]  # fmt: skip
    query = FindingQuery(region_prefix="13", severity_min=Severity.IMPAIRED)
    wanted = [finding for finding in ALL if matches_finding(query, finding)]
    summary = store.findings.summary(query, tables)
    assert summary.total == FindingCount(
        count=len(wanted),
        open=sum(not finding.state.ended for finding in wanted),
        overdue_open=sum(finding.overdue and not finding.state.ended for finding in wanted),
        supervised_open=sum(finding.supervised and not finding.state.ended for finding in wanted),
    )
    assert [table.by for table in summary.tables] == tables
    for table in summary.tables:
        assert sum(group.count for group in table.groups) == len(wanted)
        assert [group.count for group in table.groups] == sorted((g.count for g in table.groups), reverse=True)
        assert table.left_out == 0
    counties, cities, kinds, *_ = summary.tables
    assert {(group.region, group.count) for group in counties.groups} == {
        (region, sum(finding.subject.region == region for finding in wanted)) for region in REGIONS if region
    }
    assert {group.region for group in cities.groups} == {"1301", "1302"}
    assert {group.state for group in cities.groups} == {finding.state for finding in wanted}
    assert {group.kind: group.count for group in kinds.groups}["blurred"] == sum(
        finding.subject.cause_key.startswith("blurred") and finding.subject.cause_key != "blurred_x"
        for finding in wanted
    )
    assert summary.tables[5].groups[0].region == "13"


def test_counts_of_nothing_are_zero_and_the_groups_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = store.findings.summary(FindingQuery(region_prefix="99"), [(GroupBy.STATE,)])
    assert nothing.total == FindingCount()
    assert nothing.tables[0].groups == ()
    monkeypatch.setattr(finding_queries, "GROUPS_MAX", 3)
    (table,) = store.findings.summary(FindingQuery(), [(GroupBy.STATE,)]).tables
    assert (len(table.groups), table.left_out) == (3, len(FindingState) - 3)


def test_several_findings_are_read_at_once(store: Store) -> None:
    assert store.findings.get_all([3, 99, 1]) == {1: ALL[0], 3: ALL[2]}
    assert store.findings.get_all([]) == {}
