"""The ledger of the running engine: hears verdicts, takes commands, wakes for deadlines, orders re-checks.

The ledger lives in the hub's thread; what it says goes to the writer, which commits it with the verdict that it came
of. A command is answered after its events are committed, and not before.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from engine.clock import wall_ns
from engine.config.schema import Settings
from engine.errors import NotFoundError, StoreError
from engine.ledger.commands import check_command, check_state, is_repeated
from engine.ledger.core import Action, Ledger, RecheckRequest
from engine.ledger.invariants import check_invariants
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
    LoggedEvent,
    RecordedEvent,
    Step,
)
from engine.model.keyframe import Keyframe
from engine.model.verdict import Verdict
from engine.storage.db.findings import Entry, FindingRecord, append
from engine.storage.db.store import Write
from engine.storage.writer.writer import Writer

EVENTS_MAX = 20_000
"""Events that may wait for the database. Beyond it, or a share of the writer's queue if that is smaller, nothing new is
begun, so that none of them is ever dropped."""
_QUEUE_BYTES = 20_000
"""What an event and its verdict take of the writer's queue at most."""
_NEWS_MAX = 500
_SHOWN = (Step.OPENED, Step.CHANGED, Step.RECHECK_FAILED, Step.RECHECK_PASSED)
"""Steps that the keyframe of their look is the evidence of."""

Notice = Callable[[LedgerEvent, Finding], str]
"""What the outside is told of an event, a JSON object."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A command was taken: what became of the finding, and when that is committed; None: the record says it then."""

    finding: Finding | None
    committed: "Future[Any]"
    repeated: bool = False


class FindingsService:
    """`check_now` orders visits and `ask` runs a question in the hub's thread; the hub sets both.

    `heard`, `advance`, `configure`, `delivered`, `measure` and `check_invariants` are for the hub's thread, the
    coroutines for any loop. `listeners` hear of events in the order of their places, each once, after the commit and in
    the writer's thread; `span` and `after` are the log behind them.
    """

    def __init__(
        self, settings: Settings, record: FindingRecord, writer: Writer, metrics: Metrics, notice: Notice
    ) -> None:
        self.check_now: Callable[[Sequence[str]], object] = lambda _: None
        self.ask: Callable[[Callable[[], _Taken]], Future[_Taken]]
        self.listeners: list[Callable[[Sequence[LoggedEvent]], None]] = []
        self._settings = settings
        self._record = record
        self._writer = writer
        self._metrics = metrics
        self._notice = notice
        self._ledger = Ledger(
            settings.ledger,
            wall_ns(),
            record.open_findings(),
            record.muted(),
            record.requests(REQUESTS_MAX),
            record.next_id(),
        )
        self._orders: list[RecheckRequest] = []
        self._lock = threading.Lock()
        self._waiting = 0
        self._unrung = False
        self._published_seq = record.last_seq()

    def heard(self, verdict: Verdict, camera: Camera, keyframe: Keyframe | None) -> tuple[Write, ...]:
        """A verdict was given. Returns what is to be written with it."""
        if not self._has_room():
            self._metrics.finding_unheard()
            return ()
        actions = self._ledger.observe(verdict, camera, wall_ns())
        write = self._write(actions, keyframe) if actions else None
        return () if write is None else (write,)

    def advance(self, now_wall_ns: int) -> None:
        """The hub's turn: deadlines that passed, looks that are wanted."""
        wakeup_ns = self._ledger.next_wakeup_wall_ns()
        if wakeup_ns is not None and now_wall_ns >= wakeup_ns and self._has_room():
            self._commit(self._ledger.tick(now_wall_ns))
        if self._orders:
            orders, self._orders = self._orders, []
            self.check_now([order.camera_id for order in orders])

    def delivered(self, finding_id: int, why: str) -> None:
        """A notice of the finding reached somebody; StoreError while nothing can be written: tell it again."""
        if not self._has_room():
            raise StoreError("the database is away, and nothing can be promised without it; ask again later")
        self._commit(self._ledger.record_delivery(finding_id, why, wall_ns()))

    def configure(self, settings: Settings) -> None:
        """New settings, for what begins from now on."""
        self._settings = settings
        self._ledger.configure(settings.ledger)

    def measure(self) -> None:
        """Findings by state and level, as they are now."""
        counts = self._ledger.counts.items()
        self._metrics.findings({(state.value, level.value): number for (state, level), number in counts})

    def check_invariants(self) -> None:
        """Raise if the books do not balance."""
        check_invariants(self._ledger)

    def ring(self) -> None:
        """The writer has committed something: tell the listeners what of it was the ledger's. In its thread."""
        with self._lock:
            unrung, self._unrung = self._unrung, False
        try:
            while unrung and (news := self._record.events_after(self._published_seq, _NEWS_MAX)):
                for listener in self.listeners:
                    listener(news)
                self._published_seq = news[-1].seq
        except BaseException:
            self._unrung = True
            raise

    async def span(self) -> tuple[int, int]:
        """(floor, head): events with floor < seq <= head are kept. None ever goes."""
        return 0, await asyncio.to_thread(self._record.last_seq)

    async def after(self, seq: int, limit: int) -> tuple[LoggedEvent, ...]:
        """The first events with a greater seq, at most `limit`."""
        return await asyncio.to_thread(self._record.events_after, seq, limit)

    async def finding(self, finding_id: int) -> Finding | None:
        """One finding; None if there is none."""
        return await asyncio.to_thread(self._record.get, finding_id)

    async def findings(self, query: FindingQuery) -> FindingPage:
        """A page of them, newest first."""
        return await asyncio.to_thread(self._record.page, query)

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """All events of a finding; empty if there is none such."""
        return await asyncio.to_thread(self._record.events_of, finding_id)

    async def act(self, command: FindingCommand, actor: Actor) -> Finding:
        """Do what a caller wants to a finding, and answer when it is committed.

        NotFoundError for one that is not there or not in the actor's region; InvalidArgumentError, DeniedError,
        StateError and ConflictError for what may not be done; StoreError while the database is away.
        """
        before = None
        if command.request_id:
            before = await asyncio.to_thread(self._record.request, actor.name, command.request_id)
        if is_repeated(command, before):
            return await self._kept(command.finding_id, actor)
        taken = await asyncio.wrap_future(self.ask(lambda: self._act(command, actor)))
        await asyncio.wrap_future(taken.committed)
        if taken.finding is not None:
            return taken.finding
        finding = await self._kept(command.finding_id, actor)
        if not taken.repeated:
            check_command(command, actor)
            check_state(command, finding)
        return finding

    def _act(self, command: FindingCommand, actor: Actor) -> _Taken:
        repeated = self._ledger.is_repeated(command, actor)
        held = self._ledger.findings.get(command.finding_id)
        if repeated or held is None or not actor.sees(held.subject.region):
            # What is committed says which it is; all that came before is committed with an empty write.
            return _Taken(None, self._writer.transact(), repeated)
        if not self._has_room():
            raise StoreError("the database is away, and nothing can be promised without it; ask again later")
        finding, actions = self._ledger.execute(command, actor, wall_ns())
        return _Taken(finding, self._commit(actions))

    async def _kept(self, finding_id: int, actor: Actor) -> Finding:
        finding = await self.finding(finding_id)
        if finding is None or not actor.sees(finding.subject.region):
            raise NotFoundError(f"findings/{finding_id}: there is none such; list them for those that there are")
        return finding

    def _has_room(self) -> bool:
        record = self._settings.record
        return self._waiting < min(EVENTS_MAX, record.queue_records_max, record.queue_bytes_max // _QUEUE_BYTES)

    def _commit(self, actions: Sequence[Action]) -> "Future[Any]":
        """Write what was said, by itself; done when it is committed."""
        write = self._write(actions, None)
        committed: Future[Any] = Future()
        if write is None:
            committed.set_result(None)
            return committed
        return self._writer.transact(write)

    def _write(self, actions: Sequence[Action], keyframe: Keyframe | None) -> Write | None:
        """What the writer is to do about them; looks that are wanted are ordered at the next turn."""
        self._orders += [action for action in actions if isinstance(action, RecheckRequest)]
        recorded = [action for action in actions if isinstance(action, RecordedEvent)]
        if not recorded:
            return None
        entries = [self._entry(one, keyframe) for one in recorded]
        for entry in entries:
            self._metrics.finding_event(entry.event.step)
        return self._counted(entries)

    def _entry(self, recorded: RecordedEvent, keyframe: Keyframe | None) -> Entry:
        event, finding = recorded.event, recorded.finding
        if keyframe is not None and event.step in _SHOWN:
            event = replace(event, evidence=(hashlib.sha256(keyframe.payload).hexdigest(),))
        return Entry(event, finding, self._notice(event, finding) if event.step in PUBLISHED_STEPS else "")

    def _counted(self, entries: Sequence[Entry]) -> Write:
        """The write, counted as waiting until it was carried out; a transaction that fails runs it again."""
        with self._lock:
            self._waiting += len(entries)
        waiting = len(entries)

        def write(connection: Any) -> None:
            nonlocal waiting
            append(connection, entries)
            with self._lock:
                self._waiting -= waiting
                self._unrung = True
            waiting = 0

        return write
