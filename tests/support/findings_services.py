"""The office of findings with a real database and writer, and a thread that stands for the hub's."""

import asyncio
import json
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from engine.clock import wall_ns
from engine.config import Settings
from engine.config.ledger import LedgerSettings
from engine.config.schema import RecordSettings
from engine.errors import PatrolError
from engine.hub.finding_log import CommitFlag, FindingPublisher, Listener
from engine.hub.findings_service import FindingsService
from engine.hub.notices_service import NoticeBodies
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


class Bench:
    """`look` and `act` go through the thread, as in the hub."""

    def __init__(self, store: Store, writer: Writer, office: FindingsService, metrics: Metrics, hub: HubThread) -> None:
        self.store, self.writer, self.office, self.metrics, self.hub = store, writer, office, metrics, hub
        self.listeners: list[Listener] = []

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        for listener in self.listeners:
            listener(events)

    def look(self, camera_id: str, *kinds: FaultKind) -> None:
        """A verdict on a camera, announced at once."""
        state = State.FAULT if kinds else State.OK
        verdict = Verdict(camera_id, 1, wall_ns(), state, kinds, announced=state, announced_kinds=kinds)

        def judged() -> None:
            also = self.office.observe(verdict, Camera(camera_id, "", region="130102"), None)
            self.writer.submit(VisitRecord(verdict, b""), None, also)

        self.hub.calls.ask(judged).result()

    async def act(self, finding_id: int, step: Step, request_id: str = "") -> Finding:
        return await self.office.act(FindingCommand(finding_id, step, request_id=request_id), INSPECTOR)


@contextmanager
def bench(folder: Path, **record) -> Iterator[Bench]:
    """All of it on a SQLite file in `folder`."""
    settings = Settings(
        record=RecordSettings(url=f"sqlite:///{folder}/patrol.db", batch_wait_s=0.02, **record),
        ledger=LedgerSettings(recheck_n=1, recheck_m=1),
    )
    store = Store.open(settings.record.url)
    metrics = Metrics("test")
    writer = Writer(store, EvidenceStore(folder / "ev", 10**6), settings.record)
    hub, written = HubThread(), CommitFlag()
    bodies = NoticeBodies({}, hebei())
    office = FindingsService(settings, store.findings, writer, written, hub.calls, metrics, bodies.finding)
    one = Bench(store, writer, office, metrics, hub)
    publisher = FindingPublisher(store.findings, written, [one.publish])
    writer.start(lambda _: publisher.publish())
    try:
        yield one
    finally:
        one.hub.stop()
        writer.flush(5)
        writer.close()
        store.close()


def work(folder: Path, seed: int) -> None:
    """Find, claim and re-check until killed; every command that was answered is printed."""
    chance = Random(seed)

    async def callers(one: Bench) -> None:
        for round_ in range(1_000_000):
            camera_id = f"c{chance.randrange(20)}"
            one.look(camera_id, *([FaultKind.COVERED] if chance.random() < 0.6 else []))
            finding_id = chance.randrange(1, 40)
            step = chance.choice([Step.ACKNOWLEDGED, Step.CLAIMED])
            request_id = f"{seed}-{round_}"
            try:
                finding = await one.act(finding_id, step, request_id)
            except PatrolError:
                continue
            sys.stdout.write(json.dumps([finding_id, step, finding.number, request_id]) + "\n")
            sys.stdout.flush()

    with bench(folder) as one:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        asyncio.run(callers(one))


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
