"""The list of findings: figures by state, level and severity, each with its list; filters; CSV; a view for paper."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response

from engine.web.console import forms
from engine.web.console.page import Page
from engine.web.console.screens.ledger import filters
from engine.web.console.screens.ledger.export import export
from engine.web.console.screens.ledger.filters import LedgerQuery
from engine.web.console.screens.screen import Action, Screen
from engine.web.console.words import Words
from patrol.v1.findings_pb2 import ListFindingsRequest, SummarizeFindingsRequest
from patrol.v1.verdicts_pb2 import FaultSeverity

_PAGE_ROWS = 50
_PRINT_ROWS = 200
_PRINT_PAGES = 5
_TOKEN_CHARS_MAX = 1024


@dataclass(frozen=True)
class Figure:
    """How many findings stand in one way. `query`: the fields of the URL of their list. `mark`: its colour."""

    words: str
    count: int
    query: Mapping[str, str]
    mark: str = ""


async def show(page: Page) -> Response:
    """Show the list, or with `print=1` the view for paper."""
    query = filters.read(page)
    if forms.choice(page.query, "print", ("1",)):
        return await _show_for_paper(page, query)
    token = forms.text(page.query, "page_token", _TOKEN_CHARS_MAX)
    summary, listed = await asyncio.gather(
        page.call(
            SummarizeFindingsRequest(filter=query.base().message(page.zone), group_by=("state", "level", "severity"))
        ),
        page.call(
            ListFindingsRequest(
                filter=query.message(page.zone), page_size=_PAGE_ROWS, page_token=token, order_by=query.order_by()
            )
        ),
    )
    return await page.render(
        "ledger.html.jinja",
        query=query,
        fields=query.fields(),
        filters=filters,
        urgent=_urgent(page, query, summary.total),
        groups=_groups(page, query, summary.tables),
        total=summary.total,
        listed=listed,
        token=token,
    )


def _urgent(page: Page, query: LedgerQuery, total: Any) -> Sequence[Figure]:
    """Return the figures that come first."""
    base = replace(query.base(), state="")
    return (
        Figure(page.text("overdue"), total.overdue_count, replace(base, overdue="1").fields(), "fault"),
        Figure(page.text("supervised"), total.supervised_count, replace(base, supervised="1").fields(), "warn"),
        Figure(page.text("not ended"), total.open_count, base.fields()),
        Figure(page.text("all, ended ones too"), total.count, query.base().fields()),
    )


def _groups(page: Page, query: LedgerQuery, tables: Sequence[Any]) -> Sequence[tuple[str, Sequence[Figure]]]:
    """Return the other figures, with what groups them. Severities add up: a list has one and what is worse."""
    words, base = Words(page.language), query.base()
    by_state = {group.state: group.count for group in tables[0].groups}
    by_level = {group.level: group.open_count for group in tables[1].groups}
    by_severity = {group.severity: group.open_count for group in tables[2].groups}
    states = [
        Figure(words.finding_state(value), by_state.get(value, 0), replace(base, state=name).fields(), _mark(name))
        for name, value in filters.STATES.items()
    ]
    open_only = replace(base, state="")
    levels = [
        Figure(words.level(value), by_level.get(value, 0), replace(open_only, level=name).fields())
        for name, value in filters.LEVELS.items()
    ]
    severities = []
    for name, value in sorted(filters.SEVERITIES.items(), key=lambda item: -item[1]):
        count = sum(number for severity, number in by_severity.items() if severity >= value)
        told = words.severity(value)
        if value != FaultSeverity.FAULT_SEVERITY_BLIND:
            told = page.text("%(severity)s or worse", severity=told)
        severities.append(Figure(told, count, replace(open_only, severity=name).fields()))
    return (
        (page.text("By state"), states),
        (page.text("Not ended, by level"), levels),
        (page.text("Not ended, by severity"), severities),
    )


def _mark(state: str) -> str:
    return {"overdue": "fault", "supervised": "warn", "closed": "ok"}.get(state, "unseen")


async def _show_for_paper(page: Page, query: LedgerQuery) -> Response:
    """Show up to 1,000 findings without navigation."""
    request = ListFindingsRequest(filter=query.message(page.zone), page_size=_PRINT_ROWS, order_by=query.order_by())
    findings: list[Any] = []
    total = 0
    for _ in range(_PRINT_PAGES):
        reply = await page.call(request)
        findings += reply.findings
        total, request.page_token = max(total, reply.total_size), reply.next_page_token
        if not request.page_token:
            break
    return await page.render(
        "ledger_print.html.jinja",
        told=query.told(page),
        findings=findings,
        left_out=max(0, total - len(findings)) if request.page_token else 0,
        total=total,
        back=query.fields(),
    )


SCREEN = Screen(
    "/ledger",
    "Ledger",
    (Action("/ledger", show, "ledger"), Action("/ledger.csv", export, "ledger-csv")),
)
