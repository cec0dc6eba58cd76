"""Runs a FindingsService with a real database and writer; one thread stands in for the hub's."""

import asyncio
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from engine.clock import wall_ns
from engine.config import Settings
from engine.config.ledger import LedgerSettings
from engine.config.schema import RecordSettings
from engine.errors import PatrolError
from engine.hub.findings_service import FindingsService
from engine.hub.notices_service import NoticesService
from engine.interchange.regions import hebei
from engine.metrics import Metrics
from engine.model.access import Actor, Role
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingCommand, Step
from engine.model.verdict import FaultKind, State, Verdict
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer

INSPECTOR = Actor("wang", Role.INSPECTOR)


class FindingsHarness:
    """A service with its store, writer and metrics. `judge` and `act` go through the hub's thread."""

    def __init__(self, store: Store, writer: Writer, service: FindingsService, metrics: Metrics) -> None:
        self.store, self.writer, self.service, self.metrics = store, writer, service, metrics
        self.hub = ThreadPoolExecutor(1)
        self.rechecks: list[str] = []
        service.ask = self.hub.submit
        service.check_now = self.rechecks.extend

    def judge(self, camera_id: str, *kinds: FaultKind) -> None:
        """Submit a verdict on a camera that announces these fault kinds, or ok."""
        state = State.FAULT if kinds else State.OK
        verdict = Verdict(camera_id, 1, wall_ns(), state, kinds, announced=state, announced_kinds=kinds)

        def judged() -> None:
            also = self.service.heard(verdict, Camera(camera_id, "", region="130102"), None)
            self.writer.submit(VisitRecord(verdict, b""), None, also)

        self.hub.submit(judged).result()

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
    services: list[FindingsService] = []
    writer = Writer(store, EvidenceStore(folder / "ev", 10**6), settings.record, lambda _: services[0].ring())
    notices = NoticesService(settings.notices, {}, hebei())
    services.append(FindingsService(settings, store.findings, writer, metrics, notices.finding_notice))
    bench = FindingsHarness(store, writer, services[0], metrics)
    try:
        yield bench
    finally:
        bench.hub.shutdown()
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
