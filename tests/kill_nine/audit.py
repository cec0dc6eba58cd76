"""What the clients were told against what is in the database."""

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


class Books:
    """The logs of verdicts and of findings, as they are once the engine has stopped."""

    def __init__(self, url: str, cameras: Sequence[Camera], evidence: Path) -> None:
        self._regions = {one.camera_id: one.region for one in cameras}
        self._evidence = EvidenceStore(evidence, 10**9)
        store = Store.open(url)
        self.verdicts = list(_all(store.history.after))
        self.events = list(_all(store.findings.events_after))
        self._kept = {one.event.finding_id: store.findings.get(one.event.finding_id) for one in self.events}
        store.close()
        self._places = {
            (one.verdict.camera_id, one.verdict.visit_id, one.verdict.at_wall_ns): one for one in self.verdicts
        }
        self.problems: list[str] = []

    def check_verdicts(self) -> None:
        """The log has no hole and nothing twice."""
        self._same("seq of verdicts", [one.seq for one in self.verdicts], list(range(1, len(self.verdicts) + 1)))
        # A gateway that is silent makes verdicts without a visit.
        visits = Counter((one.verdict.camera_id, one.verdict.visit_id or -one.seq) for one in self.verdicts)
        self._none("verdicts stored twice", [visit for visit, times in visits.items() if times > 1])

    def check_acknowledged(self, who: str, told: Sequence[Verdict]) -> None:
        """Every verdict that was told of is there, as it was told."""
        missing = []
        for one in told:
            place = self._places.get((one.camera_id, one.visit_id, one.at_wall_ns))
            if place is None or (place.verdict.state, place.verdict.announced) != (one.state, one.announced):
                missing.append((one.camera_id, one.visit_id))
        self._none(f"{who}: acknowledged and not stored", missing)

    def check_ledger(self) -> None:
        """Events 1..n of each finding, which are what the finding says; whatever they cite is kept."""
        seqs = [one.seq for one in self.events]
        self._none("seq of events out of order", [seq for before, seq in pairwise(seqs) if seq <= before])
        numbers: dict[int, list[int]] = {}
        for one in self.events:
            numbers.setdefault(one.event.finding_id, []).append(one.event.number)
        self._none("ledger", [(key, got) for key, got in numbers.items() if got != list(range(1, len(got) + 1))])
        replayed = replay([one.event for one in self.events])
        self._none("findings that their events do not give", [k for k, v in self._kept.items() if replayed.get(k) != v])
        self._none("evidence cited and not kept", list(self._lost_evidence()))
        opened = Counter(
            (one.finding.subject.camera_id, one.finding.subject.cause_key)
            for one in self.events
            if one.event.number == 1 and not one.finding.state.ended
        )
        self._none("open twice", [key for key, times in opened.items() if times > 1])

    def check_commands(self, who: str, commands: Sequence[Command]) -> None:
        """What was answered happened once; what was refused did not."""
        done: dict[str, list[LoggedEvent]] = {}
        for one in self.events:
            if one.event.request_id:
                done.setdefault(one.event.request_id, []).append(one)
        wrong = []
        for command in commands:
            found = [(one.event.finding_id, one.event.step) for one in done.get(command.request_id, ())]
            if found != ([(command.finding_id, command.step)] if command.number else []):
                wrong.append((command, found))
        self._none(f"{who}: commands", wrong)

    def check_watcher(self, watcher: VerdictWatcher, cutoff: int) -> None:
        """All that its filter lets through, in order, once; at least up to `cutoff`."""
        wanted = [one for one in self.verdicts if self._wants(watcher, one)]
        expected = [(one.verdict.camera_id, one.verdict.visit_id) for one in wanted]
        self._same(f"{watcher.name}: heard", watcher.heard, expected[: len(watcher.heard)])
        due = sum(one.seq <= cutoff for one in wanted)
        if len(watcher.heard) < due:
            self.problems.append(f"{watcher.name}: heard {len(watcher.heard)} of {due}")
        place = 0
        for heard, seq in watcher.marks:
            while place < len(wanted) and wanted[place].seq <= seq:
                place += 1
            if place != heard:
                self.problems.append(f"{watcher.name}: its token {seq} stands after {heard} instead of {place}")
                return

    def due(self, watcher: VerdictWatcher) -> int:
        """How many verdicts it has to hear of."""
        return sum(self._wants(watcher, one) for one in self.verdicts)

    def check_finding_watcher(self, watcher: FindingWatcher, cutoff: int) -> None:
        """The same of the ledger."""
        wanted = [one for one in self.events if one.finding.subject.region.startswith(watcher.region)]
        expected = [(one.event.finding_id, one.event.number) for one in wanted]
        self._same(f"{watcher.name}: heard", watcher.heard, expected[: len(watcher.heard)])
        due = sum(one.seq <= cutoff for one in wanted)
        if len(watcher.heard) < due:
            self.problems.append(f"{watcher.name}: heard {len(watcher.heard)} of {due}")

    def due_events(self, watcher: FindingWatcher) -> int:
        """How many events it has to hear of."""
        return sum(one.finding.subject.region.startswith(watcher.region) for one in self.events)

    def _wants(self, watcher: VerdictWatcher, one: LoggedVerdict) -> bool:
        camera_id = one.verdict.camera_id
        return (
            self._regions[camera_id].startswith(watcher.region)
            and (not watcher.camera_ids or camera_id in watcher.camera_ids)
            and (one.changed or not watcher.changes_only)
        )

    def _lost_evidence(self) -> Iterator[tuple[int, int, str]]:
        for one in self.events:
            for digest in one.event.evidence:
                try:
                    kept = self._evidence.get_exhibit(digest) is not None  # many cameras show the very same picture
                except PatrolError:
                    kept = False
                if not kept:
                    yield one.event.finding_id, one.event.number, digest

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
