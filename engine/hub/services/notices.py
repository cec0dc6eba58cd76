"""Notices of the running engine: their bodies, which verdicts cause one, and what a delivery means for a finding."""

from collections.abc import Callable, Mapping, Sequence

from engine.config.notices import NoticesSettings
from engine.hub.services.findings import FindingsService
from engine.hub.thread_calls import ThreadCalls
from engine.interchange.regions import Regions
from engine.model.camera import Camera
from engine.model.findings import Finding, LedgerEvent
from engine.model.notice import VERDICT_CHANGED, Notice
from engine.model.verdict import Verdict
from engine.notices.payload import finding_data, verdict_data
from engine.storage.db.kpis import Transaction
from engine.storage.db.outbox import Outbox
from engine.storage.db.store import VisitRecord

_CONFIRM_S = 2.0
"""How long the hub's thread may take to confirm deliveries; the sender reports them again later."""


class NoticeBodies:
    """Writes the body of a notice as a JSON object. `cameras`: the registry's, by id."""

    def __init__(self, cameras: Mapping[str, Camera], regions: Regions) -> None:
        self._cameras = cameras
        self._regions = regions

    def finding(self, event: LedgerEvent, finding: Finding) -> str:
        """Return the body for a step of the ledger."""
        subject = finding.subject
        camera = self._cameras.get(subject.camera_id)
        return finding_data(event, finding, camera, self._regions.label(subject.region)).model_dump_json()

    def verdict(self, verdict: Verdict) -> Notice | None:
        """Return the notice of a changed verdict; None if its camera left the registry."""
        camera = self._cameras.get(verdict.camera_id)
        if camera is None:
            return None
        body = verdict_data(verdict, camera, self._regions.label(camera.region)).model_dump_json()
        return Notice(0, VERDICT_CHANGED, 0, 0, verdict.at_wall_ns, camera.region, body)


class NoticesService:
    """Puts changes of announced verdicts into the outbox, if `notices.verdicts` asks for them."""

    def __init__(self, settings: NoticesSettings, bodies: NoticeBodies, outbox: Outbox) -> None:
        self._settings = settings
        self._bodies = bodies
        self._outbox = outbox

    def add_to(self, transaction: Transaction, records: Sequence[VisitRecord]) -> None:
        """Add the notices of these records, in the transaction that writes them."""
        if self._settings.verdicts:
            notices = [self._bodies.verdict(record.verdict) for record in records if record.changed]
            self._outbox.add_within(transaction, [notice for notice in notices if notice is not None])

    def configure(self, settings: NoticesSettings) -> None:
        """Apply new settings to the next records."""
        self._settings = settings


def confirm_with(findings: FindingsService, calls: ThreadCalls) -> Callable[[Mapping[int, str]], None]:
    """Return what the sender calls with the endpoint that each finding's notice reached, by finding id.

    It raises TimeoutError if the hub does not confirm in time, and what `confirm_delivery` raises.
    """

    def confirm(delivered: Mapping[int, str]) -> None:
        def confirm_all() -> None:
            for finding_id, endpoint in delivered.items():
                findings.confirm_delivery(finding_id, f"told {endpoint}")

        calls.ask(confirm_all).result(_CONFIRM_S)

    return confirm
