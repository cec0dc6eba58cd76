"""What is asked of the table of findings: conditions, orders, places of pages, and counts by group."""

from collections.abc import Callable, Sequence
from operator import add
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.model.findings import (
    FindingCount,
    FindingCounts,
    FindingCursor,
    FindingOrder,
    FindingQuery,
    FindingState,
    FindingSummary,
    GroupBy,
    Level,
)
from engine.model.verdict import Severity
from engine.storage.db.ledger.finding_tables import findings

ENDED = (FindingState.CLOSED.value, FindingState.DISMISSED.value)
"""The states of findings that have ended."""
SEVERITY_RANK = {severity: rank for rank, severity in enumerate(reversed(Severity), 1)}
LEVEL_RANK = {level: rank for rank, level in enumerate(Level, 1)}
_ORDER: dict[FindingOrder, "sa.Column[Any]"] = {
    FindingOrder.OPEN_TIME: findings.c.opened_wall_ns,
    FindingOrder.DEADLINE_TIME: findings.c.deadline_wall_ns,
    FindingOrder.SEVERITY: findings.c.severity_rank,
    FindingOrder.LEVEL: findings.c.level_rank,
}
"""The columns that lists are ordered by; each has an index."""
GROUPS_MAX = 5000
"""Groups of one way of counting that are given; the largest."""
_CHUNK_ROWS = 2000
_Totals = dict[tuple[Any, ...], list[int]]
"""The four counts of FindingCount, by the values of a group."""


def conditions(query: FindingQuery) -> "list[sa.ColumnElement[bool]]":
    """Return the conditions on `findings` of a query, without its page."""
    columns = findings.c
    wanted = within(query.region_prefix)
    for column, value in ((columns.site_id, query.site_id), (columns.camera_id, query.camera_id)):
        if value:
            wanted.append(column == value)
    if query.states:
        wanted.append(columns.state.in_(sorted(query.states)))
    if query.level is not None:
        wanted.append(columns.level == query.level.value)
    if query.open_only:
        wanted.append(columns.state.not_in(ENDED))
    if query.severity_min is not None:
        wanted.append(columns.severity_rank >= SEVERITY_RANK[query.severity_min])
    if query.cause_keys:
        wanted.append(sa.or_(*(_of_cause(cause_key) for cause_key in sorted(query.cause_keys))))
    if query.open_from_wall_ns:
        wanted.append(columns.opened_wall_ns >= query.open_from_wall_ns)
    if query.open_until_wall_ns:
        wanted.append(columns.opened_wall_ns < query.open_until_wall_ns)
    if query.deadline_until_wall_ns:
        wanted.append(columns.deadline_wall_ns < query.deadline_until_wall_ns)
    for flag, wish in ((columns.overdue, query.overdue), (columns.supervised, query.supervised)):
        if wish is not None:
            wanted.append(flag == wish)
    if query.text:
        names = (columns.camera_name, columns.site_name)
        wanted.append(sa.or_(*(name.icontains(query.text, autoescape=True) for name in names)))
    return wanted


def _of_cause(cause_key: str) -> "sa.ColumnElement[bool]":
    """Match a cause key, and if it is a kind alone, all causes of this kind."""
    same = findings.c.cause_key == cause_key
    return same if "/" in cause_key else same | findings.c.cause_key.startswith(f"{cause_key}/", autoescape=True)


def order_of(query: FindingQuery) -> "list[sa.ColumnElement[Any]]":
    """Return the columns to order by."""
    return [key.desc() if query.descending else key.asc() for key in _keys(query.order)]


def behind(query: FindingQuery) -> "list[sa.ColumnElement[bool]]":
    """Match what comes behind `query.after`, as a comparison of rows, which can use the index of the order."""
    if query.after is None:
        return []
    keys = _keys(query.order)
    if len(keys) == 1:
        return [keys[0] < query.after.finding_id if query.descending else keys[0] > query.after.finding_id]
    row, place = sa.tuple_(*keys), sa.tuple_(query.after.value, query.after.finding_id)
    return [row < place if query.descending else row > place]


def cursor_of(query: FindingQuery, row: Any) -> FindingCursor:
    """Return the position behind a row."""
    value = 0 if query.order is FindingOrder.NUMBER else getattr(row, _ORDER[query.order].name)
    return FindingCursor(row.finding_id, value)


def count_groups(connection: Connection, query: FindingQuery, tables: Sequence[tuple[GroupBy, ...]]) -> FindingSummary:
    """Count the findings of a query: all of them, and grouped in each of the ways of `tables`, the largest group first.

    The table is read once, so that all counts agree: by all columns together, which are then added up for each way.
    """
    groups = list(dict.fromkeys(group for by in tables for group in by))
    columns = list(dict.fromkeys(_GROUP_COLUMN[group] for group in groups))
    place_of = {group: columns.index(_GROUP_COLUMN[group]) for group in groups}
    is_open = findings.c.state.not_in(ENDED)
    counts = (
        sa.func.count(),
        _number(is_open),
        _number(is_open & findings.c.overdue),
        _number(is_open & findings.c.supervised),
    )
    statement = sa.select(*columns, *counts).where(*conditions(query)).group_by(*columns)
    ways = ((), *tables)
    totals: list[_Totals] = [{} for _ in ways]
    for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(statement):
        numbers = [number or 0 for number in row[len(columns) :]]
        for by, of_way in zip(ways, totals, strict=True):
            values = tuple(_GROUP_VALUE[group](row[place_of[group]]) for group in by)
            known = of_way.get(values)
            of_way[values] = numbers if known is None else list(map(add, known, numbers))
    (total,) = _counts((), totals[0] or {(): [0] * len(counts)}).groups
    return FindingSummary(total, tuple(map(_counts, tables, totals[1:])))


def _counts(by: tuple[GroupBy, ...], totals: _Totals) -> FindingCounts:
    ordered = sorted(totals.items(), key=lambda item: (-item[1][0], list(map(str, item[0]))))
    groups = (
        FindingCount(
            **{_FIELD.get(group, group.value): value for group, value in zip(by, values, strict=True)},
            count=count,
            open=is_open,
            overdue_open=overdue,
            supervised_open=supervised,
        )
        for values, (count, is_open, overdue, supervised) in ordered[:GROUPS_MAX]
    )
    return FindingCounts(by, tuple(groups), max(0, len(ordered) - GROUPS_MAX))


def within(region_prefix: str) -> "list[sa.ColumnElement[bool]]":
    """Match a region and what it contains, as a range of codes, which can use an index."""
    if not region_prefix:
        return []
    filters = [findings.c.region >= region_prefix]
    after = str(int(region_prefix) + 1).zfill(len(region_prefix)) if region_prefix.isdecimal() else ""
    if len(after) != len(region_prefix):
        return [findings.c.region.startswith(region_prefix, autoescape=True)]
    return [*filters, findings.c.region < after]


def _keys(order: FindingOrder) -> "list[sa.Column[Any]]":
    return [findings.c.finding_id] if order is FindingOrder.NUMBER else [_ORDER[order], findings.c.finding_id]


def _number(condition: "sa.ColumnElement[bool]") -> "sa.ColumnElement[Any]":
    """Count the rows that match."""
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _kind(cause_key: str) -> str:
    return cause_key.partition("/")[0]


_GROUP_COLUMN: "dict[GroupBy, sa.ColumnElement[Any]]" = {
    # Literal: PostgreSQL does not see that two expressions with parameters are one.
    GroupBy.PROVINCE: sa.literal_column("substr(findings.region, 1, 2)"),
    GroupBy.CITY: sa.literal_column("substr(findings.region, 1, 4)"),
    GroupBy.COUNTY: findings.c.region,
    GroupBy.STATE: findings.c.state,
    GroupBy.KIND: findings.c.cause_key,
    GroupBy.CAUSE_KEY: findings.c.cause_key,
    GroupBy.SEVERITY: findings.c.severity,
    GroupBy.LEVEL: findings.c.level,
    GroupBy.OVERDUE: findings.c.overdue,
    GroupBy.SUPERVISED: findings.c.supervised,
}
_GROUP_VALUE: dict[GroupBy, Callable[[Any], Any]] = {
    GroupBy.PROVINCE: str,
    GroupBy.CITY: str,
    GroupBy.COUNTY: str,
    GroupBy.STATE: FindingState,
    GroupBy.KIND: _kind,
    GroupBy.CAUSE_KEY: str,
    GroupBy.SEVERITY: Severity,
    GroupBy.LEVEL: Level,
    GroupBy.OVERDUE: bool,
    GroupBy.SUPERVISED: bool,
}
_FIELD = {GroupBy.PROVINCE: "region", GroupBy.CITY: "region", GroupBy.COUNTY: "region"}
"""The field of FindingCount where it is not of the same name."""
