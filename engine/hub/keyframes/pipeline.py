"""A keyframe's way through the hub, one method a stage: arrived, measured, judged, stored, published.

    arrived     waits in the intake until a worker has credit                     hub's thread
    measured    its measurement joins a micro-batch
    judged      it has a verdict, which goes to the scheduler, ledger and writer
    stored      the writer's transaction counts KPIs and adds notices             writer's thread
    published   after the commit: callers, watchers and the ledger's listeners

A keyframe that does not come this far ends in `_dropped`, `_undecoded`, `_too_costly` or `visit_failed`, with a reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.clock import monotonic_ns, seconds, wall_ns
from engine.config.schema import Settings
from engine.feed.intake import Dropped
from engine.hub.catalog import Catalog
from engine.hub.keyframes.costly_cameras import CostlyCameras
from engine.hub.keyframes.judging import Judge, Judgement
from engine.hub.keyframes.micro_batch import Measured, MicroBatch
from engine.hub.keyframes.worker_pool import WorkerPool
from engine.hub.services.finding_log import FindingPublisher
from engine.hub.services.findings import FindingsService
from engine.hub.services.kpis import KpiService
from engine.hub.services.notices import NoticesService
from engine.hub.stories.stories import Stories
from engine.hub.verdict_log import VerdictLog
from engine.hub.visiting.visit_traces import VisitTraces
from engine.hub.visiting.visits import Visits
from engine.metrics import Metrics
from engine.model.camera import CameraStream
from engine.model.keyframe import DropReason, EvidenceKeyframe, Keyframe
from engine.model.measurement import Measurement
from engine.model.verdict import PublishedVerdict, State, UnknownReason, Verdict
from engine.model.visit import VisitFailure
from engine.runtime.log import report
from engine.runtime.log_events import ANNOUNCED, QUARANTINED, TROUBLE
from engine.serve.streams.broadcast import Broadcast
from engine.storage.db.kpis import Transaction
from engine.storage.db.store import Store, VisitRecord
from engine.storage.evidence.quarantine import Quarantine
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer
from engine.worker.wire import Failed, Result

_JUDGED_DROPS = (DropReason.QUARANTINED, DropReason.TOO_COSTLY)
"""Reasons for which a keyframe that is dropped gets a verdict all the same."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Everything that outlives the process."""

    store: Store
    writer: Writer
    evidence: EvidenceStore
    quarantine: Quarantine


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a stored verdict goes: `kpis` and `notices` in its transaction, the others after the commit. `stories`: of
    cameras that are not quietly ok; they hear of each stage."""

    kpis: KpiService
    notices: NoticesService
    catalog: Catalog
    verdict_log: VerdictLog
    watch: Broadcast[PublishedVerdict]
    findings: FindingPublisher
    stories: Stories


class KeyframePipeline:
    """Runs the stages. `stored` and `published` are for the writer's thread, everything else for the hub's. `traces`:
    None without traces."""

    def __init__(
        self,
        settings: Settings,
        workers: WorkerPool,
        visits: Visits,
        judge: Judge,
        findings: FindingsService,
        storage: Storage,
        outlets: Outlets,
        metrics: Metrics,
        traces: VisitTraces | None = None,
    ) -> None:
        self._traces = traces
        self._settings = settings
        self._workers = workers
        self._visits = visits
        self._judge = judge
        self._findings = findings
        self._storage = storage
        self._outlets = outlets
        self._metrics = metrics
        self._batch = MicroBatch()
        self._costly = CostlyCameras()
        self.checks_total = 0

    def arrived(self, keyframe: Keyframe, now_ns: int) -> None:
        """Queue a keyframe that a visit or a gateway brought. One that is known to cost too much is judged at once, and
        so is one of a camera that rests."""
        if self._costly.is_known(keyframe):
            self._metrics.dropped(DropReason.TOO_COSTLY)
            self._too_costly(keyframe, "not decoded: the same picture took too much CPU time before", spent=False)
            return
        rest_ns = self._costly.rest_ns(keyframe.camera_id, now_ns)
        if rest_ns:
            self._metrics.dropped(DropReason.TOO_COSTLY)
            wait_s = f"{seconds(rest_ns):.0f} s"
            detail = f"not decoded: the camera's last picture took too much CPU time; one is tried again in {wait_s}"
            self._judge_too_costly(keyframe, detail)
            return
        self._dropped(self._workers.intake.offer(keyframe, now_ns))

    def hand_out(self, now_ns: int) -> None:
        """Give waiting keyframes to workers that have credit."""
        self._dropped(self._workers.hand_out(now_ns))

    def measured(self, worker: str, result: Result) -> None:
        """Add a worker's measurement to the micro-batch; a keyframe that gave no picture is judged at once."""
        keyframe = self._workers.finish(worker, result)
        if keyframe is None:
            return
        outcome = result.outcome
        if isinstance(outcome, Measurement):
            self._costly.measured(keyframe.camera_id)
            if self._traces is not None:
                self._traces.scored(keyframe.visit_id, outcome.decode_ns, outcome.kernels_ns, wall_ns())
            self._batch.add(Measured(keyframe, outcome, result.packed), monotonic_ns())
            self.judge_due()
        elif isinstance(outcome, Failed):
            if outcome.reason == UnknownReason.TOO_COSTLY:
                self._metrics.dropped(DropReason.TOO_COSTLY)
                self._too_costly(keyframe, outcome.detail, spent=False)
            else:
                self._undecoded(keyframe, outcome)

    def judge_due(self) -> None:
        """Judge the micro-batch if it is full, has waited long enough, or no other measurement can join it."""
        if self._batch.is_due(monotonic_ns(), self._workers.intake.held_frames):
            self.hand_out(monotonic_ns())  # the workers measure while the hub judges
            self.judge_waiting()

    def judge_waiting(self) -> None:
        """Judge all measurements that wait, then pass the verdicts on.

        Two loops on purpose: passing on one verdict would evict the caches that the next judgement needs.
        """
        batch = self._batch.drain()
        measured_wall_ns = wall_ns()
        judgements = [self._judge.judge_measurement(item.keyframe, item.measurement) for item in batch]
        for item, judgement in zip(batch, judgements, strict=True):
            self._count_measurement(item.measurement)
            if judgement is not None:
                packed = item.packed if self._settings.record.measurements else b""
                self.judged(judgement, item.keyframe, packed, measured_wall_ns=measured_wall_ns)

    def judged(
        self,
        judgement: Judgement,
        keyframe: Keyframe | None,
        packed_measurement: bytes = b"",
        *,
        failure: VisitFailure | None = None,
        measured_wall_ns: int = 0,
    ) -> None:
        """Pass a verdict to the ledger, the writer and the scheduler.

        `keyframe`: None if the visit brought none; `failure` says why. `measured_wall_ns`: when the measurement came.
        """
        verdict = judgement.verdict
        self._count_judgement(judgement, keyframe)
        announced = judgement.before != verdict.announced or judgement.announcement_changed
        if announced:
            _report(judgement)
        stories = self._outlets.stories
        if stories.judged(verdict, judgement.before, announced, keyframe, failure, measured_wall_ns):
            _report_trouble(judgement)
        evidence = self._evidence(keyframe, verdict)
        # The ledger cites only keyframes that are kept, and those it may cite are kept as exhibits.
        ledger_writes = self._findings.observe(verdict, judgement.camera, evidence)
        record = VisitRecord(
            verdict,
            judgement.judge_state,
            judgement.changed,
            packed_measurement,
            judgement.working,
            exhibit=judgement.announcement_changed or (bool(ledger_writes) and evidence is not None),
            region=judgement.camera.region,
        )
        self._storage.writer.submit(record, evidence, ledger_writes)
        if keyframe is not None:
            self._visits.judged(verdict, judgement.main_next, judgement.main_soon, monotonic_ns())

    def stored(self, transaction: Transaction, records: Sequence[VisitRecord]) -> None:
        """Count the records' KPIs and add their notices, in the transaction that writes them."""
        self._outlets.kpis.count_in(transaction, records)
        self._outlets.notices.add_to(transaction, records)

    def published(self, records: Sequence[VisitRecord]) -> None:
        """Show committed records to callers and watchers, and their ledger events to listeners."""
        outlets = self._outlets
        outlets.catalog.stored(records)
        outlets.kpis.committed()
        self._metrics.kpis_late(outlets.kpis.drain_late_count())
        outlets.stories.published(records)
        outlets.watch.publish(outlets.verdict_log.published(records))
        outlets.findings.publish()
        if self._traces is not None:
            self._traces.stored([record.verdict.visit_id for record in records], wall_ns())

    def visit_failed(self, failure: VisitFailure) -> None:
        """Judge a visit that brought no keyframe."""
        self._keep_order(failure.camera_id)
        judgement = self._judge.judge_failure(failure)
        if judgement is not None:
            self.judged(judgement, None, failure=failure)

    def rechecks_due(self, now_wall_ns: int) -> Sequence[str]:
        """Act on the ledger's deadlines; returns the cameras it wants rechecked now."""
        return self._findings.advance(now_wall_ns)

    def worker_lost(
        self, name: str, now_ns: int, begun_job: int = 0, *, blameless: bool = False, too_costly: bool = False
    ) -> None:
        """Take back the keyframes of a worker that ended. One that two workers died over is quarantined.

        `begun_job`: the job that it began last, 0 if that is not known. `blameless`: it was made to end, whatever it
        held. `too_costly`: the keyframe that it worked on spent its budget of CPU time, and is judged so.
        """
        self._dropped(self._workers.worker_lost(name, now_ns, begun_job, blameless=blameless, too_costly=too_costly))

    def configure(self, settings: Settings) -> None:
        """Apply new settings."""
        self._settings = settings
        self._workers.configure(settings.intake)
        self._judge.configure(settings.judge)

    @property
    def deadline_ns(self) -> int | None:
        """When `judge_due` must run at the latest; None if nothing waits."""
        return self._batch.deadline_ns

    def shut_down(self) -> None:
        """Judge what was measured and end all other keyframes.

        Raises AssertionError if a keyframe is unaccounted for, or the ledger contradicts itself.
        """
        self.judge_waiting()
        for dropped in self._workers.intake.shut_down():
            self._metrics.dropped(dropped.reason)
        self._workers.intake.check_invariants()
        self._findings.check_invariants()

    def _undecoded(self, keyframe: Keyframe, failed: Failed) -> None:
        self._keep_order(keyframe.camera_id)
        judgement = self._judge.judge_undecoded(keyframe, failed)
        if judgement is not None:
            self.judged(judgement, keyframe)

    def _dropped(self, dropped: Sequence[Dropped]) -> None:
        for end in dropped:
            self._metrics.dropped(end.reason)
            if self._traces is not None and end.reason not in _JUDGED_DROPS:
                self._traces.ended(end.keyframe.visit_id, end.reason, wall_ns())
            if end.reason == DropReason.QUARANTINED:
                self._quarantined(end.keyframe)
            elif end.reason == DropReason.TOO_COSTLY:
                limit_s = self._settings.worker.picture_cpu_s_max
                detail = (
                    f"decoding it takes too much CPU time; a picture may take {limit_s:g} s at most, a small one less"
                )
                self._too_costly(end.keyframe, detail, spent=True)
            else:
                self._outlets.stories.dropped(end.keyframe, end.reason)

    def _too_costly(self, keyframe: Keyframe, detail: str, *, spent: bool) -> None:
        """Judge a picture that costs too much; `spent`: it did, rather than would have, so the camera rests."""
        now_ns = monotonic_ns()
        if self._costly.strike(keyframe, now_ns, spent=spent):
            self._put_aside(keyframe, f"too costly: {detail}")
        self._judge_too_costly(keyframe, detail)
        newer = self._workers.intake.withdraw(keyframe.camera_id) if spent else None
        if newer is not None:
            self.arrived(newer, now_ns)  # the camera rests now

    def _judge_too_costly(self, keyframe: Keyframe, detail: str) -> None:
        self._keep_order(keyframe.camera_id)
        judgement = self._judge.judge_too_costly(keyframe, detail)
        if judgement is not None:
            self.judged(judgement, keyframe)

    def _put_aside(self, keyframe: Keyframe, reason: str) -> None:
        path = self._storage.quarantine.add(keyframe, reason)
        report(
            QUARANTINED,
            camera_id=keyframe.camera_id,
            region=self._judge.region_of(keyframe.camera_id),
            visit_id=keyframe.visit_id,
            file=str(path),
            reason=reason,
        )

    def _quarantined(self, keyframe: Keyframe) -> None:
        self._put_aside(keyframe, "two workers died over it")
        self._keep_order(keyframe.camera_id)
        judgement = self._judge.judge_quarantined(keyframe)
        if judgement is not None:
            self.judged(judgement, keyframe)

    def _keep_order(self, camera_id: str) -> None:
        """Judge the batch first if it holds this camera: a camera's visits are judged in the order they ended."""
        if self._batch.contains(camera_id):
            self.judge_waiting()

    def _evidence(self, keyframe: Keyframe | None, verdict: Verdict) -> EvidenceKeyframe | None:
        """Wrap the keyframe if `record.evidence` says that one with this verdict is kept.

        One that ends workers is not: each caller who asked for its picture would end another. None of a sub-stream is:
        evidence is of the main stream, which is visited before anything is announced.
        """
        policy = self._settings.record.evidence
        if (
            keyframe is None
            or keyframe.stream is CameraStream.SUB
            or policy == "none"
            or (policy == "faults" and verdict.state == State.OK)
        ):
            return None
        if verdict.reason in (UnknownReason.TOO_COSTLY, UnknownReason.QUARANTINED):
            return None
        return EvidenceKeyframe(keyframe)

    def _count_measurement(self, measurement: Measurement) -> None:
        self._metrics.stage("decode", seconds(measurement.decode_ns))
        self._metrics.stage("kernels", seconds(measurement.kernels_ns))
        self._metrics.stage_cpu("decode", seconds(measurement.decode_cpu_ns))
        self._metrics.stage_cpu("kernels", seconds(measurement.kernels_cpu_ns))

    def _count_judgement(self, judgement: Judgement, keyframe: Keyframe | None) -> None:
        self._metrics.stage("judge", seconds(judgement.took_ns))
        self._metrics.stage_cpu("judge", seconds(judgement.took_cpu_ns))
        if self._traces is not None:
            self._traces.judged(judgement.verdict, judgement.took_ns, wall_ns())
        if keyframe is not None:
            self._metrics.stage("arrival_to_verdict", seconds(max(0, wall_ns() - keyframe.arrival_wall_ns)))
        self._metrics.check_done(judgement.verdict.state)
        self.checks_total += 1


def _report(judgement: Judgement) -> None:
    verdict = judgement.verdict
    report(
        ANNOUNCED,
        camera_id=verdict.camera_id,
        region=judgement.camera.region,
        before=judgement.before,
        state=verdict.announced,
        kinds=verdict.announced_kinds,
        reason=verdict.reason,
        visit_id=verdict.visit_id,
    )


def _report_trouble(judgement: Judgement) -> None:
    verdict = judgement.verdict
    report(
        TROUBLE,
        camera_id=verdict.camera_id,
        region=judgement.camera.region,
        visit_id=verdict.visit_id,
        state=verdict.state,
        kinds=verdict.kinds,
        reason=verdict.reason,
        detail=verdict.detail,
    )
