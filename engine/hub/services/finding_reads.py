"""Answers what callers read of findings, from the database."""

import asyncio
from collections.abc import Mapping, Sequence

from engine.model.findings import Finding, FindingPage, FindingQuery, FindingSummary, GroupBy, LedgerEvent
from engine.storage.db.ledger.findings import FindingStore


class FindingReads:
    """The part of engine.serve.port.LedgerPort that needs no ledger. For any event loop."""

    def __init__(self, record: FindingStore) -> None:
        self._record = record

    async def finding(self, finding_id: int) -> Finding | None:
        """Return one finding; None if there is no such finding."""
        return await asyncio.to_thread(self._record.get, finding_id)

    async def findings(self, query: FindingQuery) -> FindingPage:
        """Return a page of findings, newest first."""
        return await asyncio.to_thread(self._record.page, query)

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """Return all events of a finding; empty if there is no such finding."""
        return await asyncio.to_thread(self._record.events_of, finding_id)

    async def finding_summary(self, query: FindingQuery, tables: Sequence[tuple[GroupBy, ...]]) -> FindingSummary:
        """Count the findings of a query: all of them, and grouped in each of the ways of `tables`."""
        return await asyncio.to_thread(self._record.summary, query, tables)

    async def findings_of(self, finding_ids: Sequence[int]) -> Mapping[int, Finding]:
        """Return those findings that exist, by number."""
        return await asyncio.to_thread(self._record.get_all, finding_ids)
