"""The ledger of the running engine: it observes verdicts, carries out commands, keeps deadlines and orders rechecks.

The ledger itself belongs to the hub's thread. Its events go to the writer, which commits them together with the verdict
that caused them. A command is answered only after its events are committed.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import count
from typing import Any

from engine.clock import wall_ns
from engine.config.schema import Settings
from engine.errors import PatrolError, StoreError
from engine.hub.services.finding_log import CommitFlag
from engine.hub.services.finding_reads import FindingReads
from engine.hub.thread_calls import ThreadCalls
from engine.ledger.actions import Action, RecheckRequest
from engine.ledger.commands import check_command, check_state, is_repeated
from engine.ledger.core import Ledger
from engine.ledger.dismissals import DISMISSALS_MAX
from engine.ledger.invariants import check_invariants
from engine.ledger.operator_list import OperatorCase
from engine.ledger.policy import hours_ns
from engine.ledger.requests import REQUESTS_MAX
from engine.metrics import Metrics
from engine.model.access import Actor
from engine.model.camera import Camera
from engine.model.faults import family_of_cause_key
from engine.model.findings import (
    PUBLISHED_STEPS,
    Finding,
    FindingCommand,
    LedgerEvent,
    RecordedEvent,
    Step,
)
from engine.model.keyframe import EvidenceKeyframe
from engine.model.overlay import OverlayVerdict
from engine.model.verdict import FaultKind, Verdict
from engine.serve.access.not_found import no_finding
from engine.storage.db.ledger.findings import FindingStore, LedgerEntry, append
from engine.storage.db.store import Write
from engine.storage.writer.writer import Writer

EVENTS_MAX = 20_000
"""Ledger events that may wait for the database. Beyond it, or beyond a share of the writer's queue if that is smaller,
the ledger accepts nothing new, so that it never has to drop an event."""
_QUEUE_BYTES = 20_000
"""Bytes of the writer's queue that an event and its verdict take at most."""
_STEPS_WITH_EVIDENCE = (Step.OPENED, Step.CHANGED, Step.RECHECK_FAILED, Step.RECHECK_PASSED)
"""Steps whose evidence is the keyframe of the visit that caused them."""
_REOPEN_NS_MAX = hours_ns(168)
"""Dismissals of this time are read back at a start: the most that ledger.reopen_hours may be."""
_AWAY = "the database is away, and nothing can be promised without it; ask again later"

NoticeBody = Callable[[LedgerEvent, Finding], str]
"""Returns what other systems are told of an event, as a JSON object."""


@dataclass(frozen=True, slots=True)
class ReadingProof:
    """What a finding of clock or name rests on, kept already. `evidence`: SHA-256 of the keyframe; `photographs`: of
    the part of it that shows the fault."""

    evidence: tuple[str, ...]
    photographs: tuple[str, ...]


_COMMANDS_MAX = 100
"""Commands that the hub's thread carries out at once; between two lots it has time for keyframes."""


class _Deferred(Enum):
    """What the hub's thread cannot say of a command, because only the database knows its finding."""

    REPEATED = auto()
    """The command was carried out before."""
    NOT_OPEN = auto()
    """The ledger does not hold the finding, or the actor may not see it."""


_Outcome = Finding | Exception | _Deferred


@dataclass(frozen=True, slots=True)
class _Accepted:
    """Commands that the hub's thread has seen. `outcomes`: of each, in their order. `committed`: done when the events,
    and all writes before them, are committed."""

    outcomes: tuple[_Outcome, ...]
    committed: "Future[Any]"


class FindingsService(FindingReads):
    """The coroutines are for any event loop, everything else is for the hub's thread.

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
        super().__init__(record)
        self._settings = settings
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
            count(record.next_id(), record.sequences.step),
            operator_cases,
            record.dismissed(wall_ns() - _REOPEN_NS_MAX, DISMISSALS_MAX),
        )
        self._rechecks: list[str] = []
        self._wanted_readings: dict[str, None] = {}
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

    def opened_by(self, verdict: OverlayVerdict) -> list[FaultKind]:
        """Return the kinds of a reading's faults that would open a finding."""
        return [kind for kind in verdict.faults if self._ledger.may_open(verdict.camera_id, kind.value)]

    def observe_reading(
        self, verdict: OverlayVerdict, camera: Camera, proofs: Mapping[FaultKind, ReadingProof]
    ) -> "Future[Any]":
        """Update the ledger with what readings conclude; the future is done when its events are committed.

        `proofs`: by kind, what an event that opens a finding cites.
        """
        if not self._has_room():
            self._metrics.finding_unheard()
            return self._commit(())
        actions = self._ledger.observe_reading(verdict, camera, wall_ns())
        return self._commit([_with_proof(action, proofs) for action in actions])

    def drain_reading_requests(self) -> list[str]:
        """Return the cameras that re-checks want read, each once, and forget them."""
        wanted, self._wanted_readings = self._wanted_readings, {}
        return list(wanted)

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

    def adopt(self, findings: Iterable[Finding]) -> None:
        """Hold the open findings of cameras that have come from another shard."""
        self._ledger.adopt(findings)

    def release(self, camera_ids: Iterable[str]) -> None:
        """Hold the findings of cameras no more that another shard has now."""
        self._ledger.release(camera_ids)

    def measure(self) -> None:
        """Set the gauges of findings that have not ended, and of the operator's list by reason."""
        self._metrics.operator_list(self._ledger.operator_list.counts())
        self._metrics.findings(self._ledger.counts)

    def check_invariants(self) -> None:
        """Raise AssertionError if the ledger contradicts itself."""
        check_invariants(self._ledger)

    async def check(self, command: FindingCommand, actor: Actor) -> Finding | None:
        """Return the finding if this command was carried out before; None if it may be carried out now.

        Changes nothing. Raises as `act`.
        """
        (outcome,) = await self._check_repeated([command], actor)
        if outcome is _Deferred.NOT_OPEN:
            outcome = await asyncio.wrap_future(self._calls.ask(lambda: self._check(command, actor)))
            if not isinstance(outcome, _Deferred):
                return None
            # An empty write is done when all writes before it are committed.
            await asyncio.wrap_future(self._writer.transact())
        (settled,) = await self._with_database([command], [outcome], actor)
        if isinstance(settled, Exception):
            raise settled
        return settled

    async def act(self, command: FindingCommand, actor: Actor) -> Finding:
        """Carry out a caller's command; returns the finding once that is committed.

        Raises NotFoundError if the finding does not exist or is outside the actor's region; InvalidArgumentError,
        DeniedError, StateError or ConflictError if the command is not allowed; StoreError while the database is away.
        """
        (outcome,) = await self.act_all([command], actor)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def act_all(self, commands: Sequence[FindingCommand], actor: Actor) -> tuple[Finding | Exception, ...]:
        """Carry out commands, each by itself; returns what `act` would return or raise for each, in their order."""
        outcomes = await self._check_repeated(commands, actor)
        fresh = [index for index, outcome in enumerate(outcomes) if outcome is _Deferred.NOT_OPEN]
        accepted: list[tuple[Sequence[int], _Accepted]] = []
        for begin in range(0, len(fresh), _COMMANDS_MAX):
            lot = fresh[begin : begin + _COMMANDS_MAX]
            given = [commands[index] for index in lot]
            answer = self._calls.ask(lambda given=given: self._act(given, actor))  # type: ignore[misc]
            accepted.append((lot, await asyncio.wrap_future(answer)))
        for indexes, part in accepted:
            given_outcomes = part.outcomes
            try:
                await asyncio.wrap_future(part.committed)
            except Exception as error:  # noqa: BLE001 (it is the outcome of these commands)
                given_outcomes = tuple(error for _ in indexes)
            for index, outcome in zip(indexes, given_outcomes, strict=True):
                outcomes[index] = outcome
        return await self._with_database(commands, outcomes, actor)

    async def _check_repeated(self, commands: Sequence[FindingCommand], actor: Actor) -> list[_Outcome]:
        """Return NOT_OPEN for the commands that are to be carried out; REPEATED or an error for the others."""
        request_ids = [command.request_id for command in commands if command.request_id]
        earlier: Mapping[str, FindingCommand] = {}
        if request_ids:
            earlier = await asyncio.to_thread(self._record.requests_of, actor.name, request_ids)
        outcomes: list[_Outcome] = []
        for command in commands:
            try:
                repeated = is_repeated(command, earlier.get(command.request_id))
                outcomes.append(_Deferred.REPEATED if repeated else _Deferred.NOT_OPEN)
            except PatrolError as error:
                outcomes.append(error)
        return outcomes

    def _act(self, commands: Sequence[FindingCommand], actor: Actor) -> _Accepted:
        """Carry out commands in the hub's thread, and write their events in one transaction."""
        outcomes: list[_Outcome] = []
        actions: list[Action] = []
        for command in commands:
            try:
                outcomes.append(self._execute(command, actor, actions))
            except PatrolError as error:
                outcomes.append(error)
        if not actions and any(isinstance(outcome, _Deferred) for outcome in outcomes):
            # The database is asked next. An empty write is done when all writes before it are committed.
            return _Accepted(tuple(outcomes), self._writer.transact())
        return _Accepted(tuple(outcomes), self._commit(actions))

    def _check(self, command: FindingCommand, actor: Actor) -> _Outcome:
        """Return the finding of a command that is allowed. Raises as `_execute`."""
        return self._defer(command, actor) or self._ledger.check(command, actor)

    def _execute(self, command: FindingCommand, actor: Actor, actions: list[Action]) -> _Outcome:
        deferred = self._defer(command, actor)
        if deferred is not None:
            return deferred
        finding, more = self._ledger.execute(command, actor, wall_ns())
        actions += more
        return finding

    def _defer(self, command: FindingCommand, actor: Actor) -> _Deferred | None:
        """Return why the database must be asked about a command; None if the ledger can carry it out.

        Raises StoreError if there are too many events that wait for the database.
        """
        if self._ledger.is_repeated(command, actor):
            return _Deferred.REPEATED
        finding = self._ledger.target(command)
        if finding is None or not actor.sees(finding.subject.region):
            return _Deferred.NOT_OPEN
        if not self._has_room():
            raise StoreError(_AWAY)
        return None

    async def _with_database(
        self, commands: Sequence[FindingCommand], outcomes: Sequence[_Outcome], actor: Actor
    ) -> tuple[Finding | Exception, ...]:
        """Replace what was deferred: by the finding as it is now, or by why the command is not allowed."""
        deferred = [command.finding_id for command, outcome in zip(commands, outcomes, strict=True)
                    if isinstance(outcome, _Deferred)]  # fmt: skip
        known = await self.findings_of(deferred) if deferred else {}
        settled: list[Finding | Exception] = []
        for command, outcome in zip(commands, outcomes, strict=True):
            if not isinstance(outcome, _Deferred):
                settled.append(outcome)
                continue
            finding = known.get(command.finding_id)
            if finding is None or not actor.sees(finding.subject.region):
                settled.append(no_finding(command.finding_id))
            else:
                settled.append(finding if outcome is _Deferred.REPEATED else _refusal(command, finding, actor))
        return tuple(settled)

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
        self._wanted_readings |= {
            action.camera_id: None for action in actions if isinstance(action, RecheckRequest) and action.reads
        }
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
            append(connection, entries, self._record.sequences)
            with self._lock:
                self._waiting -= uncounted
            uncounted = 0
            self._written.set()

        return write


def _with_proof(action: Action, proofs: Mapping[FaultKind, ReadingProof]) -> Action:
    """Return the action; an event that opens a finding cites its proof."""
    if not isinstance(action, RecordedEvent) or action.event.step is not Step.OPENED:
        return action
    proof = proofs.get(FaultKind(family_of_cause_key(action.finding.subject.cause_key)))
    if proof is None:
        return action
    return replace(action, event=replace(action.event, evidence=proof.evidence, photographs=proof.photographs))


def _refusal(command: FindingCommand, finding: Finding, actor: Actor) -> Finding | PatrolError:
    """Return why a command on a finding that the ledger no longer holds is not allowed."""
    try:
        check_command(command, actor)
        check_state(command, finding)
    except PatrolError as error:
        return error
    return finding
