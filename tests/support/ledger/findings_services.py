"""Runs a FindingsService with a real database and writer; one thread stands in for the hub's."""

import asyncio
import json
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from engine.clock import wall_ns
from engine.config import Settings
from engine.config.ledger import LedgerSettings
from engine.config.schema import RecordSettings
from engine.errors import PatrolError
from engine.hub.services.finding_log import CommitFlag, FindingPublisher, Listener
from engine.hub.services.findings import FindingsService
from engine.hub.services.notices import NoticeBodies
from engine.hub.thread_calls import ThreadCalls
from engine.interchange.regions import hebei
from engine.metrics import Metrics
from engine.model.access import Actor, Role
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingCommand, LoggedEvent, Step
from engine.model.verdict import FaultKind, State, Verdict
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer

INSPECTOR = Actor("wang", Role.INSPECTOR)


class HubThread:
    """A thread that runs calls as the hub's does."""

    def __init__(self) -> None:
        self.calls = ThreadCalls()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="hub")
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self.calls.ask(lambda: None)
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            select.select([self.calls.descriptor], [], [])
            self.calls.run_waiting()


class FindingsHarness:
    """A service with its store, writer and metrics. `judge` and `act` go through the hub's thread.

    `listeners`: called with the events that were committed.
    """

    def __init__(
        self, store: Store, writer: Writer, service: FindingsService, metrics: Metrics, hub: HubThread
    ) -> None:
        self.store, self.writer, self.service, self.metrics, self.hub = store, writer, service, metrics, hub
        self.listeners: list[Listener] = []

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """Call the listeners with committed events."""
        for listener in self.listeners:
            listener(events)

    def judge(self, camera_id: str, *kinds: FaultKind) -> None:
        """Submit a verdict on a camera that announces these fault kinds, or ok."""
        state = State.FAULT if kinds else State.OK
        verdict = Verdict(camera_id, 1, wall_ns(), state, kinds, announced=state, announced_kinds=kinds)

        def judged() -> None:
            also = self.service.observe(verdict, Camera(camera_id, "", region="130102"), None)
            self.writer.submit(VisitRecord(verdict, b""), None, also)

        self.hub.calls.ask(judged).result()

    async def act(self, finding_id: int, step: Step, request_id: str = "") -> Finding:
        return await self.service.act(FindingCommand(finding_id, step, request_id=request_id), INSPECTOR)


@contextmanager
def findings_harness(folder: Path, **record: Any) -> Iterator[FindingsHarness]:
    """Run a harness on a SQLite file in `folder`."""
    settings = Settings(
        record=RecordSettings(url=f"sqlite:///{folder}/patrol.db", batch_wait_s=0.02, **record),
        ledger=LedgerSettings(recheck_n=1, recheck_m=1),
    )
    store = Store.open(settings.record.url)
    metrics = Metrics("test")
    writer = Writer(store, EvidenceStore(folder / "ev", 10**6), settings.record)
    hub, written = HubThread(), CommitFlag()
    bodies = NoticeBodies({}, hebei())
    service = FindingsService(settings, store.findings, writer, written, hub.calls, metrics, bodies.finding)
    harness = FindingsHarness(store, writer, service, metrics, hub)
    publisher = FindingPublisher(store.findings, written, [harness.publish])
    writer.start(lambda _: publisher.publish())
    try:
        yield harness
    finally:
        harness.hub.stop()
        writer.flush(5)
        writer.close()
        store.close()


def work(folder: Path, seed: int) -> None:
    """Open, acknowledge and claim findings until killed; print every command that was answered."""
    chance = Random(seed)

    async def callers(harness: FindingsHarness) -> None:
        for round_ in range(1_000_000):
            camera_id = f"c{chance.randrange(20)}"
            harness.judge(camera_id, *([FaultKind.COVERED] if chance.random() < 0.6 else []))
            finding_id = chance.randrange(1, 40)
            step = chance.choice([Step.ACKNOWLEDGED, Step.CLAIMED])
            request_id = f"{seed}-{round_}"
            try:
                finding = await harness.act(finding_id, step, request_id)
            except PatrolError:
                continue
            sys.stdout.write(json.dumps([finding_id, step, finding.number, request_id]) + "\n")
            sys.stdout.flush()

    with findings_harness(folder) as harness:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        asyncio.run(callers(harness))


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
