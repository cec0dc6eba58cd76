"""The ledger in the database: events are appended, findings kept as these left them, notices put into the outbox.

`append` runs in the writer's transaction; all else reads. Places (`seq`) are given here, in the order of commits: there
is one writer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from engine.model.faults import family_of_cause_key
from engine.model.findings import (
    Finding,
    FindingCommand,
    FindingPage,
    FindingQuery,
    FindingState,
    LedgerEvent,
    Level,
    LoggedEvent,
    Step,
    Subject,
)
from engine.model.verdict import Severity, State
from engine.storage.db.finding_tables import finding_events, findings
from engine.storage.db.tables import latest, outbox

_CHUNK_ROWS = 500
_ENDED = (FindingState.CLOSED.value, FindingState.DISMISSED.value)
_SUBJECT = ("camera_id", "cause_key", "site_id", "site_name", "region")
_PLAIN = ("finding_id", "deadline_wall_ns", "opened_wall_ns", "changed_wall_ns", "number", "claims", "claimed_by",
          "overdue", "supervised")  # fmt: skip
_WORDS = ("state", "standing", "severity", "level")
_OF_FINDING = "finding__"
"""What columns of findings begin with where they stand beside those of events."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written of one event. `finding`: as it is after it; `notice`: what the outside is told, a JSON object, or
    nothing."""

    event: LedgerEvent
    finding: Finding
    notice: str = ""


class FindingRecord:
    """The ledger of one database. Any thread may call; every call is its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, finding_id: int) -> Finding | None:
        """One finding, ended ones too; None if there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(findings).where(findings.c.finding_id == finding_id)).first()
        return None if row is None else _finding(row._mapping)

    def page(self, query: FindingQuery) -> FindingPage:
        """Findings, newest first, below `query.page_token` if there is one; those opened meanwhile move no page."""
        wanted = _filters(query)
        below = [findings.c.finding_id < query.page_token] if query.page_token else []
        with self._engine.connect() as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(findings).where(*wanted)) or 0
            rows = connection.execute(
                sa.select(findings)
                .where(*wanted, *below)
                .order_by(findings.c.finding_id.desc())
                .limit(query.page_size + 1)
            ).all()
        found = tuple(_finding(row._mapping) for row in rows[: query.page_size])
        return FindingPage(found, found[-1].finding_id if len(rows) > query.page_size else 0, total)

    def events_of(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """All events of a finding, in their order; empty if there is none such."""
        with self._engine.connect() as connection:
            rows = connection.execute(_events().where(finding_events.c.finding_id == finding_id)).all()
        return tuple(_logged(row._mapping).event for row in rows)

    def events_after(self, seq: int, limit: int = 1000, region_prefix: str = "") -> tuple[LoggedEvent, ...]:
        """Events that were committed after `seq`, in the order of commits."""
        query = _events().where(finding_events.c.seq > seq, *_within(region_prefix)).limit(limit)
        with self._engine.connect() as connection:
            return tuple(_logged(row._mapping) for row in connection.execute(query))

    def last_seq(self) -> int:
        """Of the event that was committed last; 0 if there is none yet."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(finding_events.c.seq))) or 0

    def open_findings(self) -> Iterator[Finding]:
        """Those that have not ended, as the ledger wants them at a start."""
        query = sa.select(findings).where(findings.c.state.not_in(_ENDED)).order_by(findings.c.finding_id)
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                yield _finding(row._mapping)

    def cited(self) -> dict[int, tuple[str, ...]]:
        """By finding that has not ended, the SHA-256 of the keyframes that its events name."""
        query = (
            sa.select(finding_events.c.finding_id, finding_events.c.evidence)
            .select_from(finding_events.join(findings, finding_events.c.finding_id == findings.c.finding_id))
            .where(findings.c.state.not_in(_ENDED), finding_events.c.evidence != "")
            .order_by(finding_events.c.seq)
        )
        cited: dict[int, tuple[str, ...]] = {}
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                cited[row.finding_id] = (*cited.get(row.finding_id, ()), *row.evidence.split("\n"))
        return cited

    def events_within(self, begin_wall_ns: int, end_wall_ns: int, region_prefix: str = "") -> Iterator[LedgerEvent]:
        """All events, finding by finding and each in its order, of findings that had not ended before `begin_wall_ns`
        and were opened before `end_wall_ns`."""
        stood = sa.or_(findings.c.state.not_in(_ENDED), findings.c.changed_wall_ns >= begin_wall_ns)
        query = (
            _events()
            .where(findings.c.opened_wall_ns < end_wall_ns, stood, *_within(region_prefix))
            .order_by(None)
            .order_by(finding_events.c.finding_id, finding_events.c.number)
        )
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=_CHUNK_ROWS).execute(query):
                yield _logged(row._mapping).event

    def next_id(self) -> int:
        """Above every id that was given."""
        with self._engine.connect() as connection:
            return (connection.scalar(sa.select(sa.func.max(findings.c.finding_id))) or 0) + 1

    def muted(self) -> dict[str, set[str]]:
        """By camera, families that ended while, for all one can know, the fault was announced and still is."""
        query = (
            sa.select(findings.c.camera_id, findings.c.cause_key)
            .select_from(findings.join(latest, findings.c.camera_id == latest.c.camera_id))
            .where(
                findings.c.state.in_(_ENDED),
                latest.c.announced.in_((State.FAULT.value, State.OFFLINE.value)),
                latest.c.since_wall_ns <= findings.c.changed_wall_ns,
            )
        )
        muted: dict[str, set[str]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                muted.setdefault(row.camera_id, set()).add(family_of_cause_key(row.cause_key))
        return muted

    def requests(self, limit: int) -> list[tuple[tuple[str, str], FindingCommand]]:
        """The latest commands by who and request id, oldest first."""
        query = sa.select(finding_events).where(finding_events.c.request_id != "")
        query = query.order_by(finding_events.c.seq.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [((row.who, row.request_id), _command(row)) for row in reversed(rows)]

    def request(self, who: str, request_id: str) -> FindingCommand | None:
        """What somebody once asked for under this id."""
        query = sa.select(finding_events).where(finding_events.c.request_id == request_id, finding_events.c.who == who)
        with self._engine.connect() as connection:
            row = connection.execute(query.limit(1)).first()
        return None if row is None else _command(row)


def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write events, findings and notices in the writer's transaction."""
    seq = connection.scalar(sa.select(sa.func.max(finding_events.c.seq))) or 0
    events = [_event_row(seq + place, entry.event) for place, entry in enumerate(entries, 1)]
    newest = {entry.finding.finding_id: _finding_row(entry.finding) for entry in entries}
    connection.execute(sa.insert(finding_events), events)
    if notices := [_notice_row(entry) for entry in entries if entry.notice]:
        connection.execute(sa.insert(outbox), notices)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(findings)
    changed = {column.name: statement.excluded[column.name] for column in findings.columns if not column.primary_key}
    statement = statement.on_conflict_do_update(index_elements=["finding_id"], set_=changed)
    connection.execute(statement, list(newest.values()))


def _events() -> "sa.Select[Any]":
    joined = finding_events.join(findings, finding_events.c.finding_id == findings.c.finding_id)
    finding = (column.label(f"{_OF_FINDING}{column.name}") for column in findings.columns)
    return sa.select(finding_events, *finding).select_from(joined).order_by(finding_events.c.seq)


def _filters(query: FindingQuery) -> "list[sa.ColumnElement[bool]]":
    wanted = _within(query.region_prefix)
    for column, value in ((findings.c.site_id, query.site_id), (findings.c.camera_id, query.camera_id)):
        if value:
            wanted.append(column == value)
    if query.states:
        wanted.append(findings.c.state.in_(sorted(query.states)))
    if query.level is not None:
        wanted.append(findings.c.level == query.level.value)
    if query.open_only:
        wanted.append(findings.c.state.not_in(_ENDED))
    return wanted


def _within(region_prefix: str) -> "list[sa.ColumnElement[bool]]":
    """A region and what it contains, as a span of codes, which an index can serve."""
    if not region_prefix:
        return []
    wanted = [findings.c.region >= region_prefix]
    after = str(int(region_prefix) + 1).zfill(len(region_prefix)) if region_prefix.isdecimal() else ""
    if len(after) != len(region_prefix):
        return [findings.c.region.startswith(region_prefix, autoescape=True)]
    return [*wanted, findings.c.region < after]


def _finding(row: Any) -> Finding:
    return Finding(
        subject=Subject(**{name: row[name] for name in _SUBJECT}),
        state=FindingState(row["state"]),
        standing=FindingState(row["standing"]),
        severity=Severity(row["severity"]),
        level=Level(row["level"]),
        **{name: row[name] for name in _PLAIN},
    )


def _finding_row(finding: Finding) -> dict[str, Any]:
    return {
        **{name: getattr(finding.subject, name) for name in _SUBJECT},
        **{name: getattr(finding, name).value for name in _WORDS},
        **{name: getattr(finding, name) for name in _PLAIN},
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
    }


def _logged(row: Any) -> LoggedEvent:
    finding = _finding({column.name: row[f"{_OF_FINDING}{column.name}"] for column in findings.columns})
    step = Step(row["step"])
    event = LedgerEvent(
        finding_id=row["finding_id"],
        number=row["number"],
        step=step,
        at_wall_ns=row["at_wall_ns"],
        who=row["who"],
        role=row["role"],
        why=row["why"],
        evidence=tuple(row["evidence"].split("\n")) if row["evidence"] else (),
        subject=finding.subject if step is Step.OPENED else None,
        severity=Severity(row["severity"]) if row["severity"] else None,
        level=Level(row["level"]) if row["level"] else None,
        deadline_wall_ns=row["deadline_wall_ns"],
        request_id=row["request_id"],
    )
    return LoggedEvent(row["seq"], event, finding)


def _command(row: Any) -> FindingCommand:
    return FindingCommand(row.finding_id, Step(row.step), row.why, request_id=row.request_id)


def _notice_row(entry: Entry) -> dict[str, Any]:
    event, finding = entry.event, entry.finding
    return {
        "event_kind": f"finding.{event.step}",
        "finding_id": event.finding_id,
        "number": event.number,
        "at_wall_ns": event.at_wall_ns,
        "region": finding.subject.region,
        "body": entry.notice,
    }
