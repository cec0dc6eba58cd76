"""Compares what the clients were told with what is in the database."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from engine.errors import PatrolError
from engine.ledger.projection import replay
from engine.model.camera import Camera
from engine.model.findings import LoggedEvent
from engine.model.verdict import LoggedVerdict, Verdict
from engine.storage.db.store import Store
from engine.storage.evidence.store import EvidenceStore
from tests.kill_nine.clients import Command, FindingWatcher, VerdictWatcher

Row = TypeVar("Row", LoggedVerdict, LoggedEvent)

_ROWS = 5_000
_SHOWN = 5


class StoredLogs:
    """The logs of verdicts and findings after the engine has stopped. Checks append to `problems`."""

    def __init__(self, url: str, cameras: Sequence[Camera], evidence: Path) -> None:
        self._regions = {camera.camera_id: camera.region for camera in cameras}
        self._evidence = EvidenceStore(evidence, 10**9)
        store = Store.open(url)
        self.verdicts = list(_all(store.history.after))
        self.events = list(_all(store.findings.events_after))
        self._kept = {event.event.finding_id: store.findings.get(event.event.finding_id) for event in self.events}
        store.close()
        self._places = {
            (verdict.verdict.camera_id, verdict.verdict.visit_id, verdict.verdict.at_wall_ns): verdict
            for verdict in self.verdicts
        }
        self.problems: list[str] = []

    def check_verdicts(self) -> None:
        """The log has no gap and no verdict twice."""
        self._same(
            "seq of verdicts", [verdict.seq for verdict in self.verdicts], list(range(1, len(self.verdicts) + 1))
        )
        # A gateway that is silent makes verdicts without a visit.
        visits = Counter(
            (verdict.verdict.camera_id, verdict.verdict.visit_id or -verdict.seq) for verdict in self.verdicts
        )
        self._none("verdicts stored twice", [visit for visit, times in visits.items() if times > 1])

    def check_acknowledged(self, who: str, outcomes: Sequence[Verdict]) -> None:
        """Every verdict that a client was told of is stored with the same states."""
        missing = []
        for verdict in outcomes:
            place = self._places.get((verdict.camera_id, verdict.visit_id, verdict.at_wall_ns))
            if place is None or (place.verdict.state, place.verdict.announced) != (verdict.state, verdict.announced):
                missing.append((verdict.camera_id, verdict.visit_id))
        self._none(f"{who}: acknowledged and not stored", missing)

    def check_ledger(self) -> None:
        """Each finding has events 1..n that replay to it, and all evidence they cite is kept."""
        seqs = [event.seq for event in self.events]
        self._none("seq of events out of order", [seq for before, seq in pairwise(seqs) if seq <= before])
        numbers: dict[int, list[int]] = {}
        for event in self.events:
            numbers.setdefault(event.event.finding_id, []).append(event.event.number)
        self._none("ledger", [(key, got) for key, got in numbers.items() if got != list(range(1, len(got) + 1))])
        replayed = replay([event.event for event in self.events])
        self._none("findings that their events do not give", [k for k, v in self._kept.items() if replayed.get(k) != v])
        self._none("evidence cited and not kept", list(self._lost_evidence()))
        opened = Counter(
            (event.finding.subject.camera_id, event.finding.subject.cause_key)
            for event in self.events
            if event.event.number == 1 and not event.finding.state.ended
        )
        self._none("open twice", [key for key, times in opened.items() if times > 1])

    def check_commands(self, who: str, commands: Sequence[Command]) -> None:
        """Answered commands were carried out once, refused ones not at all."""
        done: dict[str, list[LoggedEvent]] = {}
        for event in self.events:
            if event.event.request_id:
                done.setdefault(event.event.request_id, []).append(event)
        wrong = []
        for command in commands:
            found = [(row.event.finding_id, row.event.step) for row in done.get(command.request_id, ())]
            if found != ([(command.finding_id, command.step)] if command.number else []):
                wrong.append((command, found))
        self._none(f"{who}: commands", wrong)

    def check_watcher(self, watcher: VerdictWatcher, cutoff: int) -> None:
        """The watcher received all that its filter lets through, in order, once; at least up to seq `cutoff`."""
        wanted = [verdict for verdict in self.verdicts if self._wants(watcher, verdict)]
        expected = [(row.verdict.camera_id, row.verdict.visit_id) for row in wanted]
        self._same(f"{watcher.name}: received", watcher.received, expected[: len(watcher.received)])
        due = sum(row.seq <= cutoff for row in wanted)
        if len(watcher.received) < due:
            self.problems.append(f"{watcher.name}: received {len(watcher.received)} of {due}")
        place = 0
        for received, seq in watcher.marks:
            while place < len(wanted) and wanted[place].seq <= seq:
                place += 1
            if place != received:
                self.problems.append(f"{watcher.name}: its token {seq} stands after {received} instead of {place}")
                return

    def due(self, watcher: VerdictWatcher) -> int:
        """Return how many verdicts the watcher must receive."""
        return sum(self._wants(watcher, verdict) for verdict in self.verdicts)

    def check_finding_watcher(self, watcher: FindingWatcher, cutoff: int) -> None:
        """The same for a watcher of findings."""
        wanted = [event for event in self.events if event.finding.subject.region.startswith(watcher.region)]
        expected = [(row.event.finding_id, row.event.number) for row in wanted]
        self._same(f"{watcher.name}: received", watcher.received, expected[: len(watcher.received)])
        due = sum(row.seq <= cutoff for row in wanted)
        if len(watcher.received) < due:
            self.problems.append(f"{watcher.name}: received {len(watcher.received)} of {due}")

    def due_events(self, watcher: FindingWatcher) -> int:
        """Return how many events the watcher must receive."""
        return sum(event.finding.subject.region.startswith(watcher.region) for event in self.events)

    def _wants(self, watcher: VerdictWatcher, row: LoggedVerdict) -> bool:
        camera_id = row.verdict.camera_id
        return (
            self._regions[camera_id].startswith(watcher.region)
            and (not watcher.camera_ids or camera_id in watcher.camera_ids)
            and (row.changed or not watcher.changes_only)
        )

    def _lost_evidence(self) -> Iterator[tuple[int, int, str]]:
        for event in self.events:
            for digest in event.event.evidence:
                try:
                    kept = self._evidence.get_exhibit(digest) is not None  # many cameras show the very same picture
                except PatrolError:
                    kept = False
                if not kept:
                    yield event.event.finding_id, event.event.number, digest

    def _none(self, what: str, found: Sequence[object]) -> None:
        if found:
            self.problems.append(f"{what}: {len(found)}, such as {found[:_SHOWN]}")

    def _same(self, what: str, got: Sequence[object], expected: Sequence[object]) -> None:
        if got == expected:
            return
        place = next((n for n, pair in enumerate(zip(got, expected, strict=False)) if pair[0] != pair[1]), -1)
        near = slice(max(0, place - 1), place + 3)
        self.problems.append(f"{what}: differs at {place} of {len(got)}: {got[near]} instead of {expected[near]}")


def _all(after: Callable[[int, int], Sequence[Row]]) -> Iterator[Row]:
    seq = 0
    while rows := after(seq, _ROWS):
        yield from rows
        seq = rows[-1].seq
