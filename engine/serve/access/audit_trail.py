"""Writes the audit log: changes one by one, refused calls and shown pictures in sums.

A change is noted before it is carried out, and again when it is known how it ended. One that the log cannot hold is
refused: on a full disk nothing is changed that nobody can account for later. A change that is refused changes nothing:
after the first of its kind its note is withdrawn, and it is counted.
"""

import asyncio

import structlog

from engine.clock import monotonic_ns, wall_ns
from engine.errors import ErrorReason, PatrolError, StoreError
from engine.metrics import Metrics
from engine.model.access import ANONYMOUS, OUTCOME_PENDING, Actor, AuditEntry
from engine.serve.access.audit_sums import Refused, RefusedSums, ShownSums, Viewer
from engine.serve.access.refusals import HANDSHAKE, SCRAPE, WEB_CONNECT, Refusals
from engine.serve.access.tokens import TokenEndedError
from engine.serve.port import AccessStore
from engine.serve.status import TooManyCallsError

NOT_IN_REGION = "not_in_region"
"""Why a call of a token with a region is refused if what it names is not in the region, whether it exists or not."""
_REFUSALS = (
    ErrorReason.TOKEN_MISSING,
    ErrorReason.TOKEN_INVALID,
    ErrorReason.TOKEN_ENDED,
    ErrorReason.ROLE_TOO_LOW,
    ErrorReason.REGION_NOT_ALLOWED,
)
_EACH_S = 1.0
_PEER_CHARS_MAX = 64
_SUBJECT_CHARS_MAX = 400
_NUMBER_CHARS_MAX = 9
_REASON_CHARS_MAX = 40


class AuditTrail:
    """The audit log of one server. For its event loop. `refusals`: what is refused elsewhere than in a call."""

    def __init__(self, store: AccessStore, metrics: Metrics, refusals: Refusals) -> None:
        self._store = store
        self._metrics = metrics
        self._refusals = refusals
        self._refused = RefusedSums()
        self._refused_changes = RefusedSums()
        """Of callers with a token: a flood of calls without one must not crowd their lines out."""
        self._refused_elsewhere = RefusedSums()
        self._shown = ShownSums()

    async def begin(self, actor: Actor, method: str, subject: str, peer: str) -> int:
        """Note a change that is about to be carried out, with the outcome PENDING; return the entry's number.

        Raises StoreError if the log cannot be written; the change must not be carried out then.
        """
        entry = AuditEntry(wall_ns(), actor, method, subject, OUTCOME_PENDING, peer[:_PEER_CHARS_MAX])
        try:
            return await asyncio.shield(asyncio.to_thread(self._store.note, entry))
        except PatrolError as error:
            self._metrics.store_error("audit")
            structlog.get_logger().error("change refused: not in the audit log", method=method, detail=str(error))
            raise StoreError(f"nothing was changed, because the audit log cannot be written: {error}") from error

    async def end(self, actor: Actor, method: str, subject: str, outcome: str, peer: str, entry_id: int) -> None:
        """Note how a change, or an attempt at one, ended. `entry_id`: what `begin` returned; 0 if it was not begun.

        An entry that cannot be brought up to date stays PENDING.
        """
        entry = AuditEntry(wall_ns(), actor, method, subject, outcome, peer[:_PEER_CHARS_MAX], entry_id)
        write = self._store.conclude if entry_id else self._store.note
        try:
            await asyncio.shield(asyncio.to_thread(write, entry))
        except PatrolError as error:
            self._metrics.store_error("audit")
            structlog.get_logger().error("outcome not in the audit log", method=method, detail=str(error))

    def count_refused(self, reason: str) -> None:
        """Count a refused call whose line in the log is that of the change that it began."""
        self._metrics.call_refused(reason)

    async def refused_change(
        self, actor: Actor, method: str, subject: str, reason: str, outcome: str, peer: str, entry_id: int
    ) -> None:
        """Count a change that was begun and refused before anything was changed. `entry_id`: what `begin` returned.

        The first of its kind within a minute keeps its entry; the entries of the others are withdrawn.
        """
        self._metrics.call_refused(reason)
        kind = Refused(actor, method, host_of_peer(peer), reason, outcome)
        if self._refused_changes.is_first(kind, monotonic_ns()):
            await self.end(actor, method, _refused_subject(subject, reason), outcome, peer, entry_id)
            return
        try:
            await asyncio.shield(asyncio.to_thread(self._store.withdraw, entry_id))
        except PatrolError as error:
            self._metrics.store_error("audit")
            structlog.get_logger().error("refused change stays in the audit log", method=method, detail=str(error))

    async def refused(
        self, actor: Actor | None, method: str, subject: str, reason: str, outcome: str, peer: str
    ) -> None:
        """Count a refused call, and write it unless calls of its kind were written within a minute.

        `actor`: None if the caller did not say with a known token who it is.
        """
        self._metrics.call_refused(reason)
        kind = Refused(actor or ANONYMOUS, method, host_of_peer(peer), reason, outcome)
        if self._refused.is_first(kind, monotonic_ns()):
            resource = _refused_subject(subject, reason)
            await self._note(AuditEntry(wall_ns(), kind.actor, method, resource, outcome, peer[:_PEER_CHARS_MAX]))

    def refused_by_gateway(self, told: str) -> None:
        """Note what the HTTP gateway tells of callers whom it refused, as REFUSED_METADATA has it."""
        number, reason, host = (*told.split(" ", 2), "", "")[:3]
        if number.isdecimal() and len(number) <= _NUMBER_CHARS_MAX:
            method = WEB_CONNECT if reason == HANDSHAKE else SCRAPE
            self._refusals.add(method, reason[:_REASON_CHARS_MAX], host=host[:_PEER_CHARS_MAX], number=int(number))

    async def shown(self, actor: Actor, method: str, names: list[str], peer: str) -> None:
        """Write which pictures a caller was shown, within ten seconds."""
        viewer = Viewer(actor, method, host_of_peer(peer))
        for full, line in self._shown.add(viewer, names, monotonic_ns()):
            await self._note(_shown_entry(full, line))

    async def keep_writing(self) -> None:
        """Write the sums whose time is over, until cancelled."""
        while True:
            await asyncio.sleep(_EACH_S)
            await self.flush(monotonic_ns())

    async def flush(self, now_ns: int | None = None) -> None:
        """Write what was refused elsewhere, and the sums whose time is over; None: all of them."""
        at_ns = monotonic_ns() if now_ns is None else now_ns
        for refused in self._refusals.drain():
            if self._refused_elsewhere.is_first(refused.kind, at_ns, refused.number):
                resource = f"{refused.subject[:_SUBJECT_CHARS_MAX]} ({refused.kind.reason})".strip()
                await self._note(_refused_entry(refused.kind, resource))
        for sums in (self._refused, self._refused_changes, self._refused_elsewhere):
            for kind, more in sums.drain(now_ns):
                resource = f"{more} more within a minute ({kind.reason})"
                await self._note(_refused_entry(kind, resource))
        for viewer, line in self._shown.drain(now_ns):
            await self._note(_shown_entry(viewer, line))

    async def _note(self, entry: AuditEntry) -> None:
        """Write an entry. If the log cannot be written, that is logged and counted, and the call goes on."""
        try:
            await asyncio.shield(asyncio.to_thread(self._store.note, entry))
        except PatrolError as error:
            self._metrics.store_error("audit")
            structlog.get_logger().error("call not in the audit log", method=entry.method, detail=str(error))


def refusal_of(error: BaseException) -> str:
    """Return why a call was refused that ended with this error, as REFUSED_REASONS of the metrics has it; empty if it
    was not refused."""
    if isinstance(error, TooManyCallsError):
        return f"rate_{error.by}"
    reason = error.error_reason if isinstance(error, PatrolError) else ErrorReason.INTERNAL
    return reason.value.lower() if reason in _REFUSALS else ""


def actor_of(error: BaseException) -> Actor | None:
    """Return whose token it was that is no longer valid; None if the error is not about such a token."""
    return error.actor if isinstance(error, TokenEndedError) else None


def host_of_peer(peer: str) -> str:
    """Return a peer as gRPC writes it without the port: `ipv4:10.0.0.1:5000 http` becomes `ipv4:10.0.0.1 http`."""
    address, blank, way = peer.partition(" ")
    if address.startswith(("ipv4:", "ipv6:")):
        address = address.rpartition(":")[0]
    return f"{address}{blank}{way}"[:_PEER_CHARS_MAX]


def _refused_subject(subject: str, reason: str) -> str:
    return f"{subject[:_SUBJECT_CHARS_MAX]} ({reason})".strip()


def _refused_entry(kind: Refused, resource: str) -> AuditEntry:
    return AuditEntry(wall_ns(), kind.actor, kind.method, resource, kind.outcome, kind.host)


def _shown_entry(viewer: Viewer, line: str) -> AuditEntry:
    return AuditEntry(wall_ns(), viewer.actor, viewer.method, line, "OK", viewer.host)
