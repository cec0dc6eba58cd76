"""The findings that should be dealt with first: overdue ones, and those that a higher level supervises."""

import asyncio
from dataclasses import dataclass

from engine.web.console.page import Page
from patrol.v1.findings_pb2 import Finding, FindingFilter, FindingGroup, ListFindingsRequest, SummarizeFindingsRequest

_SHOWN = 6


@dataclass(frozen=True)
class Urgent:
    """`total`: numbers of all open findings. The lists have those whose deadline is longest past first."""

    total: FindingGroup
    overdue: tuple[Finding, ...]
    supervised: tuple[Finding, ...]


async def ask(page: Page, region: str) -> Urgent:
    """Return the most urgent findings of a region. Raises HttpError."""
    summary, overdue, supervised = await asyncio.gather(
        page.call(SummarizeFindingsRequest(filter=FindingFilter(region_prefix=region, open_only=True))),
        page.call(_first(FindingFilter(region_prefix=region, open_only=True, overdue=True))),
        page.call(_first(FindingFilter(region_prefix=region, open_only=True, supervised=True))),
    )
    return Urgent(summary.total, tuple(overdue.findings), tuple(supervised.findings))


def _first(chosen: FindingFilter) -> ListFindingsRequest:
    return ListFindingsRequest(filter=chosen, page_size=_SHOWN, order_by="deadline_time")
