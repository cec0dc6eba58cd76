"""Keeps the registry and the latest verdicts of all shards in memory, in step with what they commit to the database."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from engine.hub.catalog import Catalog
from engine.hub.registry import Registry
from engine.hub.verdict_log import located
from engine.model.findings import LoggedEvent
from engine.model.packed import verdict as packed_verdict
from engine.model.registry import CameraStatus
from engine.model.verdict import LoggedVerdict, PublishedVerdict
from engine.runtime.log import logger
from engine.storage.db.shards.leases import Leases
from engine.storage.db.store import Store, VisitRecord

_ROWS = 1000


class Followers(Protocol):
    """Who is told of what the replica read, in the order of the logs."""

    def verdicts(self, published: Sequence[PublishedVerdict]) -> None:
        """Verdicts that are final."""

    def events(self, events: Sequence[LoggedEvent]) -> None:
        """Events of the ledger that are final."""


class Replica:
    """`step` is for one thread; any thread may read `registry` and `catalog`. All methods raise StoreError."""

    def __init__(self, store: Store, leases: Leases) -> None:
        self._store = store
        self._leases = leases
        self._changing = threading.Lock()
        self._changes = store.changes.place()
        self._final = leases.final_below()
        self._verdict_seq = self._event_seq = self._final - 1
        verdicts = {camera_id: packed for camera_id, packed, _ in store.latest()}
        announced = {camera_id: packed.shape.key.announced for camera_id, packed in verdicts.items()}
        self.registry = Registry(store.registry.cameras(), announced)
        self.catalog = Catalog(self.registry, verdicts)

    def step(self, followers: Followers, wants_more: Callable[[], bool]) -> None:
        """Read what was committed since the last step, and tell the followers. `wants_more`: False ends the step."""
        self._final = self._leases.final_below()
        self._follow_registry()
        while wants_more() and self._follow_verdicts(followers):
            pass
        while wants_more() and self._follow_events(followers):
            pass

    def refresh(self, camera_ids: Iterable[str]) -> None:
        """Read these cameras anew. Any thread."""
        ids = list(dict.fromkeys(camera_ids))
        with self._changing:
            self._refresh(ids)

    def _refresh(self, ids: Sequence[str]) -> None:
        found = self._store.registry.statuses(ids)
        gone = [camera_id for camera_id in ids if camera_id not in found and camera_id in self.registry.cameras]
        if gone:
            self.registry.remove(gone)
            self.catalog.forget(gone)
        known = self.registry.cameras
        changed = [status for status in found.values() if known.get(status.camera.camera_id) != status.camera]
        if changed:
            self.registry.upsert(status.camera for status in changed)
        for status in changed:
            self._show(status)

    def _show(self, status: CameraStatus) -> None:
        """Show the latest verdict of a camera that is new here."""
        verdict = status.latest
        if verdict is not None:
            self._take([VisitRecord(verdict, b"", packed_verdict=packed_verdict.pack(verdict))])

    def _follow_registry(self) -> None:
        changes = self._store.changes.after(self._changes)
        if changes.lost:
            logger().warning("changes of cameras were missed for an hour, reading all of them")
            self.refresh([*self.registry.cameras, *(camera.camera_id for camera in self._store.registry.cameras())])
        elif changes.camera_ids:
            self.refresh(changes.camera_ids)
        self._changes = changes.place

    def _follow_verdicts(self, followers: Followers) -> bool:
        """Read some verdicts; return whether there may be more."""
        rows = [row for row in self._store.history.after(self._verdict_seq, _ROWS) if row.seq < self._final]
        if not rows:
            return False
        with self._changing:
            self._take([_record(row) for row in rows])
        followers.verdicts([located(row.seq, row.verdict, row.changed, self.registry) for row in rows])
        self._verdict_seq = rows[-1].seq
        return len(rows) == _ROWS

    def _follow_events(self, followers: Followers) -> bool:
        events = [row for row in self._store.findings.events_after(self._event_seq, _ROWS) if row.seq < self._final]
        if not events:
            return False
        followers.events(events)
        self._event_seq = events[-1].seq
        return len(events) == _ROWS

    def _take(self, records: Sequence[VisitRecord]) -> None:
        """Show verdicts, unless a later one is shown already: the load and a refresh are ahead of the log."""
        fresh = []
        for record in records:
            verdict = record.verdict
            shown_ns = self.catalog.visited_wall_ns(verdict.camera_id)
            if verdict.camera_id in self.registry.cameras and shown_ns <= verdict.at_wall_ns:
                fresh.append(record)
                self.registry.announce(verdict.camera_id, verdict.announced, verdict.since_wall_ns)
        self.catalog.stored(fresh)


def _record(row: LoggedVerdict) -> VisitRecord:
    return VisitRecord(row.verdict, b"", row.changed, seq=row.seq, packed_verdict=packed_verdict.pack(row.verdict))
