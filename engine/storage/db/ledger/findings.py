"""Stores the ledger: appends events, keeps the current state of each finding, and adds notices to the outbox.

`append` runs in the writer's transaction; everything else only reads. `seq` numbers are assigned in the order of
commits, which is safe because there is one writer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from engine.model.access import ENGINE
from engine.model.camera import KeyPoint
from engine.model.faults import READ_KINDS, family_of_cause_key
from engine.model.findings import (
    Finding,
    FindingCommand,
    FindingPage,
    FindingQuery,
    FindingState,
    FindingSummary,
    GroupBy,
    LedgerEvent,
    Level,
    LoggedEvent,
    Step,
    Subject,
)
from engine.model.photograph import photograph_name
from engine.model.verdict import Severity, State
from engine.storage.db.database import upsert
from engine.storage.db.ledger.finding_queries import (
    ENDED,
    LEVEL_RANK,
    SEVERITY_RANK,
    behind,
    conditions,
    count_groups,
    cursor_of,
    order_of,
    within,
)
from engine.storage.db.ledger.finding_tables import finding_events, findings
from engine.storage.db.shards.scope import EVERYTHING, Scope
from engine.storage.db.shards.sequences import ALONE, Sequences
from engine.storage.db.tables import cameras, latest, outbox

_CHUNK_ROWS = 500
_SUBJECT = ("camera_id", "cause_key", "site_id", "site_name", "region", "camera_name")
_PLAIN = ("finding_id", "deadline_wall_ns", "opened_wall_ns", "changed_wall_ns", "number", "claims", "claimed_by",
          "overdue", "supervised")  # fmt: skip
_ENUMS = ("state", "standing", "severity", "level")
_FINDING_PREFIX = "finding__"
"""Prefix of the columns of findings where they are selected together with those of events."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One event to append. `finding`: the finding after it. `notice`: the notice for other systems, a JSON object;
    empty if there is none."""

    event: LedgerEvent
    finding: Finding
    notice: str = ""


class FindingStore:
    """The ledger of one database. Any thread may call; every call is its own transaction.

    `sequences`, `scope`: of a shard: `last_seq` and `events_after` are about the events that it has written; what the
    ledger loads at a start is about its cameras.
    """

    def __init__(self, engine: Engine, sequences: Sequences = ALONE, scope: Scope = EVERYTHING) -> None:
        self._engine = engine
        self._scope = scope
        self.sequences = sequences
        self._own = sequences.own(finding_events.c.seq)

    def get(self, finding_id: int) -> Finding | None:
        """Return a finding, also one that has ended; None if there is no such finding."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(findings).where(findings.c.finding_id == finding_id)).first()
        return None if row is None else _finding(row._mapping)

    def page(self, query: FindingQuery) -> FindingPage:
        """Return a page of findings, behind `query.after` if it is set. New findings do not shift pages."""
        wanted = conditions(query)
        with self._engine.connect() as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(findings).where(*wanted)) or 0
            rows = connection.execute(
                sa.select(findings).where(*wanted, *behind(query)).order_by(*order_of(query)).limit(query.page_size + 1)
            ).all()
        page = tuple(_finding(row._mapping) for row in rows[: query.page_size])
        more = len(rows) > query.page_size
        return FindingPage(page, cursor_of(query, rows[query.page_size - 1]) if more else None, total)

    def summary(self, query: FindingQuery, tables: Sequence[tuple[GroupBy, ...]]) -> FindingSummary:
        """Count the findings of a query: all of them, and grouped in each of the ways of `tables`."""
        with self._engine.connect() as connection:
            return count_groups(connection, query, tables)

    def get_all(self, finding_ids: Iterable[int]) -> dict[int, Finding]:
        """Return those findings that exist, also ended ones, by id."""
        found: dict[int, Finding] = {}
        ids = list(finding_ids)
        with self._engine.connect() as connection:
            for begin in range(0, len(ids), _CHUNK_ROWS):
                chunk = ids[begin : begin + _CHUNK_ROWS]
                for row in connection.execute(sa.select(findings).where(findings.c.finding_id.in_(chunk))):
                    found[row.finding_id] = _finding(row._mapping)
        return found

    def events_of(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """Return all events of a finding in order; empty if there is no such finding."""
        with self._engine.connect() as connection:
            rows = connection.execute(_events().where(finding_events.c.finding_id == finding_id)).all()
        return tuple(_logged_event(row._mapping).event for row in rows)

    def events_after(self, seq: int, limit: int = 1000, region_prefix: str = "") -> tuple[LoggedEvent, ...]:
        """Return events committed after `seq`, in the order of commits."""
        query = _events().where(finding_events.c.seq > seq, self._own, *within(region_prefix)).limit(limit)
        with self._engine.connect() as connection:
            return tuple(_logged_event(row._mapping) for row in connection.execute(query))

    def last_seq(self) -> int:
        """Return the `seq` of the last committed event; 0 if there is none."""
        last = sa.select(finding_events.c.seq).where(self._own).order_by(finding_events.c.seq.desc()).limit(1)
        with self._engine.connect() as connection:
            return connection.scalar(last) or 0

    def open_findings(self) -> Iterator[Finding]:
        """Yield all findings that have not ended, by id; the ledger loads them at a start."""
        query = sa.select(findings).where(findings.c.state.not_in(ENDED), self._held()).order_by(findings.c.finding_id)
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                yield _finding(row._mapping)

    def open_of(self, camera_ids: Iterable[str]) -> list[Finding]:
        """Return the findings of these cameras that have not ended, by id."""
        ids, found = list(camera_ids), []
        with self._engine.connect() as connection:
            for begin in range(0, len(ids), _CHUNK_ROWS):
                chunk = findings.c.camera_id.in_(ids[begin : begin + _CHUNK_ROWS])
                query = sa.select(findings).where(findings.c.state.not_in(ENDED), chunk).order_by(findings.c.finding_id)
                found += [_finding(row._mapping) for row in connection.execute(query)]
        return found

    def dismissed(self, since_wall_ns: int, limit: int) -> list[Finding]:
        """Return the latest `limit` findings that people dismissed since a time, the earliest first."""
        query = (
            sa.select(findings)
            .select_from(
                findings.join(
                    finding_events,
                    (finding_events.c.finding_id == findings.c.finding_id)
                    & (finding_events.c.number == findings.c.number),
                )
            )
            .where(
                findings.c.state == FindingState.DISMISSED.value,
                findings.c.changed_wall_ns >= since_wall_ns,
                finding_events.c.role != "",
                self._held(),
            )
            .order_by(findings.c.changed_wall_ns.desc(), findings.c.finding_id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [_finding(row._mapping) for row in reversed(rows)]

    def cited(self, finding_id: int = 0) -> dict[int, tuple[str, ...]]:
        """Return what events cite, by id of the finding: SHA-256 digests of keyframes, and names of photographs.

        Of the findings that have not ended, or of `finding_id` alone, whatever its state.
        """
        cites = sa.or_(finding_events.c.evidence != "", finding_events.c.photographs != "")
        open_here = sa.and_(findings.c.state.not_in(ENDED), self._held())
        whose = findings.c.finding_id == finding_id if finding_id else open_here
        query = (
            sa.select(finding_events.c.finding_id, finding_events.c.evidence, finding_events.c.photographs)
            .select_from(finding_events.join(findings, finding_events.c.finding_id == findings.c.finding_id))
            .where(whose, cites)
            .order_by(finding_events.c.seq)
        )
        cited: dict[int, tuple[str, ...]] = {}
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                photographs = map(photograph_name, _lines(row.photographs))
                cited[row.finding_id] = (*cited.get(row.finding_id, ()), *_lines(row.evidence), *photographs)
        return cited

    def events_within(self, begin_wall_ns: int, end_wall_ns: int, region_prefix: str = "") -> Iterator[LedgerEvent]:
        """Yield all events of the findings that were open at some time of the span, grouped by finding and in order.

        Open in the span: opened before `end_wall_ns` and not ended before `begin_wall_ns`.
        """
        not_ended_before = sa.or_(findings.c.state.not_in(ENDED), findings.c.changed_wall_ns >= begin_wall_ns)
        query = (
            _events()
            .where(findings.c.opened_wall_ns < end_wall_ns, not_ended_before, *within(region_prefix))
            .order_by(None)
            .order_by(finding_events.c.finding_id, finding_events.c.number)
        )
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                yield _logged_event(row._mapping).event

    def next_id(self) -> int:
        """Return an id above every id that was assigned; the next ones follow at `sequences.step`."""
        with self._engine.connect() as connection:
            return self.sequences.next_id(connection.scalar(sa.select(sa.func.max(findings.c.finding_id))) or 0)

    def muted(self) -> dict[str, set[str]]:
        """Return, by camera id, the fault families whose finding has ended while the fault is still announced.

        The announced fault must have begun before the finding ended; otherwise it is a new one. No verdict says whether
        a wrong clock or name is still there: of these a person's decision stands until a reading is right.
        """
        query = (
            sa.select(findings.c.camera_id, findings.c.cause_key)
            .select_from(findings.join(latest, findings.c.camera_id == latest.c.camera_id))
            .where(
                findings.c.state.in_(ENDED),
                latest.c.announced.in_((State.FAULT.value, State.OFFLINE.value)),
                latest.c.since_wall_ns <= findings.c.changed_wall_ns,
                self._held(),
            )
        )
        muted: dict[str, set[str]] = {}
        with self._engine.connect() as connection:
            for row in (*connection.execute(query), *connection.execute(self._decided_readings())):
                muted.setdefault(row.camera_id, set()).add(family_of_cause_key(row.cause_key))
        return muted

    def _decided_readings(self) -> "sa.Select[Any]":
        """Select camera and cause key of the findings of READ_KINDS that a person has ended."""
        last = sa.and_(
            findings.c.finding_id == finding_events.c.finding_id, findings.c.number == finding_events.c.number
        )
        is_read = sa.or_(*(findings.c.cause_key.startswith(kind, autoescape=True) for kind in READ_KINDS))
        decided = sa.and_(findings.c.state.in_(ENDED), finding_events.c.who != ENGINE.name, is_read, self._held())
        columns = sa.select(findings.c.camera_id, findings.c.cause_key)
        return columns.select_from(findings.join(finding_events, last)).where(decided)

    def _held(self) -> "sa.ColumnElement[bool]":
        """Match the findings of a shard: by where their camera is now, or was, if it has left the registry."""
        if self._scope.counties is None:
            return sa.true()
        region = sa.select(cameras.c.region).where(cameras.c.camera_id == findings.c.camera_id).scalar_subquery()
        return self._scope.holds(sa.func.coalesce(region, findings.c.region))

    def requests(self, limit: int) -> list[tuple[tuple[str, str], FindingCommand]]:
        """Return the latest commands with their caller and request id, oldest first."""
        query = sa.select(finding_events).where(finding_events.c.request_id != "")
        query = query.order_by(finding_events.c.seq.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [((row.who, row.request_id), _command(row)) for row in reversed(rows)]

    def requests_of(self, who: str, request_ids: Iterable[str]) -> dict[str, FindingCommand]:
        """Return the commands that a caller once gave under these request ids, by request id."""
        given: dict[str, FindingCommand] = {}
        ids = list(request_ids)
        with self._engine.connect() as connection:
            for begin in range(0, len(ids), _CHUNK_ROWS):
                chunk = finding_events.c.request_id.in_(ids[begin : begin + _CHUNK_ROWS])
                query = sa.select(finding_events).where(chunk, finding_events.c.who == who)
                for row in connection.execute(query):
                    given[row.request_id] = _command(row)
        return given


def append(connection: Connection, entries: Sequence[LedgerEntry], sequences: Sequences = ALONE) -> None:
    """Append events in the writer's transaction, with the findings as they are after them and their notices."""
    seqs = count(sequences.first(connection, finding_events.c.seq), sequences.step)
    events = [_event_row(seq, entry.event) for seq, entry in zip(seqs, entries, strict=False)]
    rows = {entry.finding.finding_id: _finding_row(entry.finding) for entry in entries}
    connection.execute(sa.insert(finding_events), events)
    if notices := [_notice_row(entry, sequences.shard_no) for entry in entries if entry.notice]:
        connection.execute(sa.insert(outbox), notices)
    upsert(connection, findings, list(rows.values()))


def _events() -> "sa.Select[Any]":
    joined = finding_events.join(findings, finding_events.c.finding_id == findings.c.finding_id)
    finding = (column.label(f"{_FINDING_PREFIX}{column.name}") for column in findings.columns)
    return sa.select(finding_events, *finding).select_from(joined).order_by(finding_events.c.seq)


def _finding(row: Any) -> Finding:
    return Finding(
        subject=Subject(**{name: row[name] for name in _SUBJECT}, key_point=KeyPoint(row["key_point"])),
        state=FindingState(row["state"]),
        standing=FindingState(row["standing"]),
        severity=Severity(row["severity"]),
        level=Level(row["level"]),
        **{name: row[name] for name in _PLAIN},
    )


def _finding_row(finding: Finding) -> dict[str, Any]:
    return {
        **{name: getattr(finding.subject, name) for name in _SUBJECT},
        **{name: getattr(finding, name).value for name in _ENUMS},
        **{name: getattr(finding, name) for name in _PLAIN},
        "key_point": finding.subject.key_point.value,
        "severity_rank": SEVERITY_RANK[finding.severity],
        "level_rank": LEVEL_RANK[finding.level],
    }


def _event_row(seq: int, event: LedgerEvent) -> dict[str, Any]:
    return {
        "seq": seq,
        "finding_id": event.finding_id,
        "number": event.number,
        "step": event.step.value,
        "at_wall_ns": event.at_wall_ns,
        "who": event.who,
        "role": event.role,
        "why": event.why,
        "evidence": "\n".join(event.evidence),
        "severity": event.severity.value if event.severity is not None else None,
        "level": event.level.value if event.level is not None else None,
        "deadline_wall_ns": event.deadline_wall_ns,
        "request_id": event.request_id,
        "photographs": "\n".join(event.photographs),
    }


def _logged_event(row: Any) -> LoggedEvent:
    finding = _finding({column.name: row[f"{_FINDING_PREFIX}{column.name}"] for column in findings.columns})
    step = Step(row["step"])
    event = LedgerEvent(
        finding_id=row["finding_id"],
        number=row["number"],
        step=step,
        at_wall_ns=row["at_wall_ns"],
        who=row["who"],
        role=row["role"],
        why=row["why"],
        evidence=_lines(row["evidence"]),
        subject=finding.subject if step is Step.OPENED else None,
        severity=Severity(row["severity"]) if row["severity"] else None,
        level=Level(row["level"]) if row["level"] else None,
        deadline_wall_ns=row["deadline_wall_ns"],
        request_id=row["request_id"],
        photographs=_lines(row["photographs"]),
    )
    return LoggedEvent(row["seq"], event, finding)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def _command(row: Any) -> FindingCommand:
    return FindingCommand(row.finding_id, Step(row.step), row.why, request_id=row.request_id)


def _notice_row(entry: LedgerEntry, shard_no: int) -> dict[str, Any]:
    event, finding = entry.event, entry.finding
    return {
        "shard_no": shard_no,
        "event_kind": f"finding.{event.step}",
        "finding_id": event.finding_id,
        "number": event.number,
        "at_wall_ns": event.at_wall_ns,
        "region": finding.subject.region,
        "body": entry.notice,
    }
