"""Notices of the running engine: what they say, which verdicts they tell of, and that a finding was told of."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from engine.config.notices import NoticesSettings
from engine.hub.findings_service import FindingsService
from engine.interchange.regions import Regions
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.findings import Finding, LedgerEvent
from engine.model.notice import VERDICT_CHANGED, Notice
from engine.notices.payload import finding_data, verdict_data
from engine.notices.sender import Sender
from engine.storage.db.kpis import Transaction
from engine.storage.db.outbox import Outbox, add_notices
from engine.storage.db.store import VisitRecord

_TOLD_S = 2.0
"""How long the hub's thread may take to hear of deliveries; it is told again later."""


class NoticesService:
    """`cameras`: the registry's, by id; `finding_notice` and `join` are called while notices are written."""

    def __init__(self, settings: NoticesSettings, cameras: Mapping[str, Camera], regions: Regions) -> None:
        self._settings = settings
        self._cameras = cameras
        self._regions = regions
        self._sender: Sender | None = None

    def finding_notice(self, event: LedgerEvent, finding: Finding) -> str:
        """What is told of a step of the ledger, a JSON object."""
        subject = finding.subject
        camera = self._cameras.get(subject.camera_id)
        return finding_data(event, finding, camera, self._regions.label(subject.region)).model_dump_json()

    def join(self, transaction: Transaction, records: Sequence[VisitRecord]) -> None:
        """Put changes of announced verdicts into the outbox, in the transaction that writes them."""
        if not self._settings.verdicts:
            return
        notices = []
        for record in records:
            verdict = record.verdict
            camera = self._cameras.get(verdict.camera_id)
            if record.changed and camera is not None:
                body = verdict_data(verdict, camera, self._regions.label(camera.region)).model_dump_json()
                notices.append(Notice(0, VERDICT_CHANGED, 0, 0, verdict.at_wall_ns, camera.region, body))
        add_notices(transaction, notices)

    def start(
        self,
        outbox: Outbox,
        findings: FindingsService,
        metrics: Metrics,
        ask: "Callable[[Callable[[], None]], Future[None]]",
    ) -> None:
        """Begin to send. `ask` runs a question in the hub's thread."""

        def told(delivered: Mapping[int, str]) -> None:
            def tell() -> None:
                for finding_id, endpoint in delivered.items():
                    findings.delivered(finding_id, f"told {endpoint}")

            ask(tell).result(_TOLD_S)

        self._sender = sender = Sender(outbox, self._settings, told, metrics)
        findings.listeners.append(lambda _: sender.wake())

    def configure(self, settings: NoticesSettings) -> None:
        """New settings, for what is sent from now on."""
        self._settings = settings
        if self._sender is not None:
            self._sender.configure(settings)

    def close(self) -> None:
        """End the sender; what it has not got done waits in the outbox."""
        if self._sender is not None:
            self._sender.close()
