"""The ledger of the running engine: it observes verdicts, carries out commands, keeps deadlines and orders rechecks.

The ledger itself belongs to the hub's thread. Its events go to the writer, which commits them together with the verdict
that caused them. A command is answered only after its events are committed.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from engine.clock import wall_ns
from engine.config.schema import Settings
from engine.errors import StoreError
from engine.hub.services.finding_log import CommitFlag
from engine.hub.thread_calls import ThreadCalls
from engine.ledger.commands import check_command, check_state, is_repeated
from engine.ledger.core import Action, Ledger, RecheckRequest
from engine.ledger.invariants import check_invariants
from engine.ledger.operator_list import OperatorCase
from engine.ledger.requests import REQUESTS_MAX
from engine.metrics import Metrics
from engine.model.access import Actor
from engine.model.camera import Camera
from engine.model.findings import (
    PUBLISHED_STEPS,
    Finding,
    FindingCommand,
    FindingPage,
    FindingQuery,
    LedgerEvent,
    RecordedEvent,
    Step,
)
from engine.model.keyframe import EvidenceKeyframe
from engine.model.verdict import Verdict
from engine.serve.access.not_found import no_finding
from engine.storage.db.findings import FindingStore, LedgerEntry, append
from engine.storage.db.store import Write
from engine.storage.writer.writer import Writer

EVENTS_MAX = 20_000
"""Ledger events that may wait for the database. Beyond it, or beyond a share of the writer's queue if that is smaller,
the ledger accepts nothing new, so that it never has to drop an event."""
_QUEUE_BYTES = 20_000
"""Bytes of the writer's queue that an event and its verdict take at most."""
_STEPS_WITH_EVIDENCE = (Step.OPENED, Step.CHANGED, Step.RECHECK_FAILED, Step.RECHECK_PASSED)
"""Steps whose evidence is the keyframe of the visit that caused them."""
_AWAY = "the database is away, and nothing can be promised without it; ask again later"

NoticeBody = Callable[[LedgerEvent, Finding], str]
"""Returns what other systems are told of an event, as a JSON object."""


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A command that the ledger took. `finding`: its new state; None if only the database knows the finding.
    `committed`: done when the events are committed. `repeated`: the request was carried out before."""

    finding: Finding | None
    committed: "Future[Any]"
    repeated: bool = False


class FindingsService:
    """`observe`, `advance`, `confirm_delivery`, `configure`, `forget`, `measure` and `check_invariants` are for the
    hub's thread; the coroutines are for any event loop.

    `operator_cases`: the cameras whose latest verdict, before a restart, was offline for a reason of ours.
    """

    def __init__(
        self,
        settings: Settings,
        record: FindingStore,
        writer: Writer,
        written: CommitFlag,
        calls: ThreadCalls,
        metrics: Metrics,
        notice_body: NoticeBody,
        operator_cases: Mapping[str, OperatorCase] | None = None,
    ) -> None:
        self._settings = settings
        self._record = record
        self._writer = writer
        self._written = written
        self._calls = calls
        self._metrics = metrics
        self._notice_body = notice_body
        self._ledger = Ledger(
            settings.ledger,
            wall_ns(),
            record.open_findings(),
            record.muted(),
            record.requests(REQUESTS_MAX),
            record.next_id(),
            operator_cases,
        )
        self._rechecks: list[str] = []
        self._lock = threading.Lock()
        self._waiting = 0

    def observe(self, verdict: Verdict, camera: Camera, evidence: EvidenceKeyframe | None) -> tuple[Write, ...]:
        """Update the ledger with a verdict; returns what must be written in the verdict's transaction."""
        if not self._has_room():
            self._metrics.finding_unheard()
            return ()
        actions = self._ledger.observe(verdict, camera, wall_ns())
        write = self._write(actions, evidence) if actions else None
        return () if write is None else (write,)

    def advance(self, now_wall_ns: int) -> Sequence[str]:
        """Act on deadlines that have passed; returns the cameras to recheck now."""
        wakeup_ns = self._ledger.next_wakeup_wall_ns()
        if wakeup_ns is not None and now_wall_ns >= wakeup_ns and self._has_room():
            self._commit(self._ledger.tick(now_wall_ns))
        camera_ids, self._rechecks = self._rechecks, []
        return camera_ids

    def confirm_delivery(self, finding_id: int, why: str) -> None:
        """Record that a notice of the finding reached an endpoint. Raises StoreError while nothing can be written."""
        if not self._has_room():
            raise StoreError(_AWAY)
        self._commit(self._ledger.record_delivery(finding_id, why, wall_ns()))

    def configure(self, settings: Settings) -> None:
        """Apply new settings to findings and deadlines that begin from now on."""
        self._settings = settings
        self._ledger.configure(settings.ledger)

    def forget(self, camera_ids: Iterable[str]) -> None:
        """Take cameras that left the registry off the operator's list; their findings stay."""
        self._ledger.operator_list.forget(camera_ids)

    def measure(self) -> None:
        """Set the gauges of findings that have not ended, and of the operator's list by reason."""
        self._metrics.operator_list(self._ledger.operator_list.counts())
        self._metrics.findings(self._ledger.counts)

    def check_invariants(self) -> None:
        """Raise AssertionError if the ledger contradicts itself."""
        check_invariants(self._ledger)

    async def finding(self, finding_id: int) -> Finding | None:
        """Return one finding; None if there is no such finding."""
        return await asyncio.to_thread(self._record.get, finding_id)

    async def findings(self, query: FindingQuery) -> FindingPage:
        """Return a page of findings, newest first."""
        return await asyncio.to_thread(self._record.page, query)

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """Return all events of a finding; empty if there is no such finding."""
        return await asyncio.to_thread(self._record.events_of, finding_id)

    async def act(self, command: FindingCommand, actor: Actor) -> Finding:
        """Carry out a caller's command; returns the finding once that is committed.

        Raises NotFoundError if the finding does not exist or is outside the actor's region; InvalidArgumentError,
        DeniedError, StateError or ConflictError if the command is not allowed; StoreError while the database is away.
        """
        earlier = None
        if command.request_id:
            earlier = await asyncio.to_thread(self._record.request, actor.name, command.request_id)
        if is_repeated(command, earlier):
            return await self._visible(command.finding_id, actor)
        accepted = await asyncio.wrap_future(self._calls.ask(lambda: self._act(command, actor)))
        await asyncio.wrap_future(accepted.committed)
        if accepted.finding is not None:
            return accepted.finding
        finding = await self._visible(command.finding_id, actor)
        if not accepted.repeated:
            check_command(command, actor)
            check_state(command, finding)
        return finding

    def _act(self, command: FindingCommand, actor: Actor) -> _Accepted:
        repeated = self._ledger.is_repeated(command, actor)
        open_finding = self._ledger.findings.get(command.finding_id)
        if repeated or open_finding is None or not actor.sees(open_finding.subject.region):
            # The database knows the finding. An empty write is done when all writes before it are committed.
            return _Accepted(None, self._writer.transact(), repeated)
        if not self._has_room():
            raise StoreError(_AWAY)
        finding, actions = self._ledger.execute(command, actor, wall_ns())
        return _Accepted(finding, self._commit(actions))

    async def _visible(self, finding_id: int, actor: Actor) -> Finding:
        finding = await self.finding(finding_id)
        if finding is None or not actor.sees(finding.subject.region):
            raise no_finding(finding_id)
        return finding

    def _has_room(self) -> bool:
        record = self._settings.record
        return self._waiting < min(EVENTS_MAX, record.queue_records_max, record.queue_bytes_max // _QUEUE_BYTES)

    def _commit(self, actions: Sequence[Action]) -> "Future[Any]":
        """Write events that no verdict caused; the future is done when they are committed."""
        write = self._write(actions, None)
        if write is not None:
            return self._writer.transact(write)
        nothing_to_write: Future[Any] = Future()
        nothing_to_write.set_result(None)
        return nothing_to_write

    def _write(self, actions: Sequence[Action], evidence: EvidenceKeyframe | None) -> Write | None:
        """Return the write of these actions' events; rechecks are ordered at the next `advance`."""
        self._rechecks += [action.camera_id for action in actions if isinstance(action, RecheckRequest)]
        entries = [self._entry(action, evidence) for action in actions if isinstance(action, RecordedEvent)]
        for entry in entries:
            self._metrics.finding_event(entry.event.step)
        return self._counted(entries) if entries else None

    def _entry(self, recorded: RecordedEvent, evidence: EvidenceKeyframe | None) -> LedgerEntry:
        event, finding = recorded.event, recorded.finding
        if evidence is not None and event.step in _STEPS_WITH_EVIDENCE:
            event = replace(event, evidence=(evidence.sha256,))
        return LedgerEntry(event, finding, self._notice_body(event, finding) if event.step in PUBLISHED_STEPS else "")

    def _counted(self, entries: Sequence[LedgerEntry]) -> Write:
        """Return the write; its events count as waiting until it ran. A transaction that fails runs it again."""
        with self._lock:
            self._waiting += len(entries)
        uncounted = len(entries)

        def write(connection: Any) -> None:
            nonlocal uncounted
            append(connection, entries)
            with self._lock:
                self._waiting -= uncounted
            uncounted = 0
            self._written.set()

        return write
