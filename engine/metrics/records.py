"""Metrics of what the engine keeps and passes on: verdicts, evidence, findings, KPIs, notices. Pure."""

from engine.metrics.labels import REGION
from engine.metrics.metric import Label, Metric
from engine.model.findings import FindingState, Level, Step
from engine.model.kpi import KpiName
from engine.model.notice import DeliveryState
from engine.model.verdict import Severity
from engine.model.visit import FailureReason

OPEN_STATES = tuple(state for state in FindingState if not state.ended)
NOTICE_OUTCOMES = (
    "delivered", "refused", "throttled", "gone", "redirected", "client_error", "server_error", "timeout", "unreachable",
    "broken", "no_secret", "internal", DeliveryState.DEAD,
)  # fmt: skip
THUMBNAIL_OUTCOMES = ("hit", "miss", "not_modified", "missing", "busy", "damaged")
_ENDPOINT = Label("endpoint", unknown_because="the configuration names the endpoints; each is shown once it is read")
_RANK = Label("rank", ("latest", "beside", "exhibit", "pinned"))
ARCHIVED = "archived"
"""What was deleted from the archive, in place of a rank."""
_RANK_OUT = Label("rank", ("latest", "beside", "exhibit", ARCHIVED))
_KPI = Label("kpi", tuple(KpiName))
_LEVEL = Label("level", tuple(Level))

RECORD_METRICS = (
    Metric(
        "patrol_store_writable",
        "gauge",
        (),
        "0 or 1",
        "1 while the database takes writes; a small write tries it every 5 s.",
        "0: is the database up, is its disk full, does another program hold its lock? `patrol db check`.",
    ),
    Metric(
        "patrol_store_errors_total",
        "counter",
        (Label("part", ("store", "refused", "evidence", "archive", "watchers", "upkeep", "audit")),),
        "errors",
        "Writes that failed; part: store (they are retried), refused, evidence, archive (retried), watchers, upkeep, "
        "audit.",
        "store: as patrol_store_writable. evidence: may the engine write to record.evidence_dir? archive: as "
        "patrol_evidence_uncopied. refused, upkeep, audit, watchers: the log.",
    ),
    Metric(
        "patrol_store_dropped_total",
        "counter",
        (Label("reason", ("queue_full", "queue_full_ledger", "refused", "evidence")),),
        "records",
        "Records dropped before they were written: queue_full, queue_full_ledger, refused; keyframes: evidence.",
        "queue_full, queue_full_ledger: the database was away for longer than the queue lasts; bring it back. "
        "evidence, refused: the log.",
    ),
    Metric(
        "patrol_store_written_total",
        "counter",
        (),
        "verdicts",
        "Verdicts written.",
        "It stands still while patrol_checks_total grows: patrol_store_writable.",
    ),
    Metric(
        "patrol_notices_total",
        "counter",
        (
            _ENDPOINT,
            Label("outcome", NOTICE_OUTCOMES),
        ),
        "attempts",
        "Attempts to deliver a notice; outcome: delivered, or the reason; dead: the notice was given up.",
        "`patrol notices test ENDPOINT` says what it answers; dead ones: `patrol notices list`, then `patrol "
        "notices replay`.",
    ),
    Metric(
        "patrol_notices_waiting",
        "gauge",
        (_ENDPOINT,),
        "notices",
        "Notices that wait for an endpoint.",
        "It grows: the endpoint is slow or away; `patrol notices test ENDPOINT`.",
    ),
    Metric(
        "patrol_notices_oldest_seconds",
        "gauge",
        (_ENDPOINT,),
        "seconds",
        "How long the oldest notice has waited for an endpoint.",
        "As patrol_notices_waiting.",
    ),
    Metric(
        "patrol_notices_circuit_open",
        "gauge",
        (_ENDPOINT,),
        "0 or 1",
        "1 while an endpoint's circuit is open because it failed too often.",
        "`patrol notices test ENDPOINT` says what it answers; call who runs it. It is tried again by itself.",
    ),
    Metric(
        "patrol_findings",
        "gauge",
        (Label("state", OPEN_STATES), _LEVEL),
        "findings",
        "Findings that are neither closed nor dismissed, by state.",
        "Nothing: for information; people work on them in the ledger.",
    ),
    Metric(
        "patrol_findings_open",
        "gauge",
        (Label("severity", tuple(Severity)), _LEVEL, Label("overdue", ("true", "false"))),
        "findings",
        "The same findings by severity, and by whether the deadline of their level has passed.",
        "overdue grows: `patrol findings list` names them; tell the level that answers for them.",
    ),
    Metric(
        "patrol_cameras_for_operator",
        "gauge",
        (Label("reason", tuple(FailureReason)),),
        "cameras",
        "Cameras announced offline for a reason that lies with us (ledger.operator_reasons); they are no findings.",
        "Correct the registry: `patrol cameras list --operator --wide` names cameras and reasons.",
    ),
    Metric(
        "patrol_finding_events_total",
        "counter",
        (Label("step", tuple(Step)),),
        "events",
        "Events of the ledger.",
        "Nothing: for information.",
    ),
    Metric(
        "patrol_findings_unheard_total",
        "counter",
        (),
        "verdicts",
        "Verdicts that the ledger skipped because too many of its events wait for the database; the camera's next "
        "verdict makes up for it.",
        "It grows: the database is slow or away; patrol_store_writable.",
    ),
    Metric(
        "patrol_evidence_bytes",
        "gauge",
        (),
        "bytes",
        "Size of all keyframes that are kept.",
        "Near patrol_evidence_budget_bytes the oldest keyframes are deleted: raise record.evidence_bytes_max if "
        "the disk has room.",
    ),
    Metric(
        "patrol_evidence_pinned_bytes",
        "gauge",
        (),
        "bytes",
        "Size of the exhibits that open findings cite, and of what they were compared with; they are never deleted.",
        "Near patrol_evidence_budget_bytes new faults get no evidence: raise record.evidence_bytes_max, or close what "
        "is put right.",
    ),
    Metric(
        "patrol_evidence_budget_bytes",
        "gauge",
        (),
        "bytes",
        "The most that may be kept: record.evidence_bytes_max.",
        "Nothing: for information.",
    ),
    Metric(
        "patrol_evidence_files",
        "gauge",
        (_RANK,),
        "keyframes",
        "Keyframes kept, by rank; docs/evidence.md.",
        "Nothing: for information.",
    ),
    Metric(
        "patrol_evidence_uncopied",
        "gauge",
        (),
        "exhibits",
        "Exhibits and photographs that have no copy in record.archive_url yet; 0 without an archive.",
        "More than 0 for minutes: does the store answer, are its credentials right, is its bucket there? The log says "
        "what it answers. Copies are made once it does; until then they are on this machine alone.",
    ),
    Metric(
        "patrol_evidence_out_total",
        "counter",
        (_RANK_OUT,),
        "keyframes",
        "Keyframes deleted because the budget was spent; archived: exhibits and photographs of the archive, whose "
        "budget is record.archive_bytes_max.",
        "Nothing: for information.",
    ),
    Metric(
        "patrol_thumbnails_total",
        "counter",
        (Label("outcome", THUMBNAIL_OUTCOMES),),
        "thumbnails",
        "Thumbnails asked for; outcome: hit (kept), miss (rendered), not_modified, missing, busy, damaged.",
        "busy: workers have no time for thumbnails. damaged, missing: the disk of record.evidence_dir.",
    ),
    Metric(
        "patrol_thumbnail_bytes",
        "gauge",
        (),
        "bytes",
        "Size of the thumbnails that are kept in memory.",
        "Nothing: for information.",
    ),
    Metric(
        "patrol_kpi_ratio",
        "gauge",
        (_KPI, REGION),
        "ratio",
        "KPI of the day so far, by county; docs/kpis.md.",
        "Read it beside patrol_kpi_measured_ratio; `patrol kpi --region CODE` has numerators and denominators.",
    ),
    Metric(
        "patrol_kpi_late_total",
        "counter",
        (),
        "verdicts",
        "Verdicts that came after their day was closed: no KPI counts them.",
        "It grows: a gateway's clock is behind, or the database was away at midnight.",
    ),
    Metric(
        "patrol_kpi_measured_ratio",
        "gauge",
        (_KPI, REGION),
        "ratio",
        "Measured / registered of the same KPI.",
        "Low: the KPI says little. Why are cameras not measured? patrol_cameras_failing.",
    ),
)
