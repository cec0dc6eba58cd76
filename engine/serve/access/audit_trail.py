"""Writes changes to the audit log: before they are carried out, and again when it is known how they ended.

A change that the log cannot hold is refused: on a full disk nothing is changed that nobody can account for later.
"""

import asyncio

import structlog

from engine.errors import PatrolError, StoreError
from engine.metrics import Metrics
from engine.model.access import AuditEntry
from engine.serve.port import AccessStore


class AuditTrail:
    """For the event loop of the server; the store is called in threads."""

    def __init__(self, store: AccessStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def begin(self, entry: AuditEntry) -> int:
        """Note a change that is about to be carried out, with the outcome PENDING; return the entry's number.

        Raises StoreError if the log cannot be written; the change must not be carried out then.
        """
        try:
            return await asyncio.shield(asyncio.to_thread(self._store.note, entry))
        except PatrolError as error:
            self._metrics.store_error("audit")
            structlog.get_logger().error("change refused: not in the audit log", method=entry.method, detail=str(error))
            raise StoreError(f"nothing was changed, because the audit log cannot be written: {error}") from error

    async def end(self, entry: AuditEntry) -> None:
        """Note how a call ended. `entry.entry_id`: what `begin` returned; 0 if the change was not begun.

        An entry that cannot be brought up to date stays PENDING.
        """
        write = self._store.conclude if entry.entry_id else self._store.note
        try:
            await asyncio.shield(asyncio.to_thread(write, entry))
        except PatrolError as error:
            self._metrics.store_error("audit")
            structlog.get_logger().error("outcome not in the audit log", method=entry.method, detail=str(error))
