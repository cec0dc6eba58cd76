"""Defines every metric of the engine. No camera is ever a label. Pure."""

from engine.metrics.listeners import LISTENER_METRICS
from engine.metrics.metric import Label, Metric
from engine.metrics.stories import STORY_METRICS
from engine.metrics.vitals import PROCESS_ENDS, VITAL_METRICS
from engine.model.findings import FindingState, Level, Step
from engine.model.keyframe import DropReason
from engine.model.kpi import KpiName
from engine.model.notice import DeliveryState
from engine.model.verdict import Severity, State
from engine.model.visit import FailureReason, FeedKind

REGIONS_MAX = 500
"""Regions with a label value of their own; a province has fewer than 200 counties. All others count as `other`."""
OUTAGE_HOSTS_MAX = 20
"""Platforms in an outage with a label value of their own: those with most cameras. All others count as `other`."""

STAGES = (
    "connect", "keyframe_wait", "visit_total", "queue", "decode", "kernels", "judge", "arrival_to_verdict", "store",
)  # fmt: skip
CPU_STAGES = ("decode", "kernels", "judge")
CAMERA_CLASSES = ("key_point", "ordinary", "suspicious", "offline")
VISIT_OUTCOMES = ("keyframe", *FailureReason, "expired")
OPEN_STATES = tuple(state for state in FindingState if not state.ended)
NOTICE_OUTCOMES = (
    "delivered", "refused", "throttled", "gone", "redirected", "client_error", "server_error", "timeout", "unreachable",
    "broken", "no_secret", "internal", DeliveryState.DEAD,
)  # fmt: skip
THUMBNAIL_OUTCOMES = ("hit", "miss", "not_modified", "missing", "busy", "damaged")
FEEDER_KINDS = ("feeder", "demuxer")
REFUSED_REASONS = (
    "token_missing", "token_invalid", "token_ended", "role_too_low", "region_not_allowed", "not_in_region",
    "rate_token", "rate_address", "rate_failed",
)  # fmt: skip

_REGION = Label("region", unknown_because="the registry decides which counties there are; at most 500, the rest: other")
_ENDPOINT = Label("endpoint", unknown_because="the configuration names the endpoints; each is shown once it is read")
_STAGE = Label("stage", STAGES)
_CLASS = Label("class", CAMERA_CLASSES)
_RANK = Label("rank", ("latest", "beside", "exhibit", "pinned"))
_KPI = Label("kpi", tuple(KpiName))
_FEEDER_KIND = Label("kind", FEEDER_KINDS)
_LEVEL = Label("level", tuple(Level))
_PROCESS_END = Label("reason", PROCESS_ENDS)

METRICS = (
    Metric("patrol_build_info", "info", (), "info", "Version of the engine."),
    Metric("patrol_ready", "gauge", (), "0 or 1", "1 while /readyz answers 200: the hub serves and can do its work."),
    Metric(
        "patrol_visits_total",
        "counter",
        (Label("via", (FeedKind.RTSP, FeedKind.DEMUX)), Label("outcome", VISIT_OUTCOMES)),
        "visits",
        "Visits ended; outcome: keyframe, or the reason.",
    ),
    Metric(
        "patrol_checks_total",
        "counter",
        (Label("state", tuple(State)),),
        "verdicts",
        "Verdicts, by the visit's own state.",
    ),
    Metric("patrol_stage_seconds", "histogram", (_STAGE,), "seconds", "Time spent in one stage of a check."),
    Metric(
        "patrol_stage_cpu_seconds_total",
        "counter",
        (Label("stage", CPU_STAGES),),
        "seconds",
        "CPU time of decode, kernels and judge, without the time they wait for a core.",
    ),
    Metric(
        "patrol_intake_dropped_frames_total",
        "counter",
        (Label("reason", tuple(DropReason)),),
        "keyframes",
        "Keyframes dropped without a measurement.",
    ),
    Metric(
        "patrol_gateways_refused_total",
        "counter",
        (),
        "connections",
        "Connections to the intake that were refused because their key is not in intake.curve_clients_dir.",
    ),
    Metric("patrol_gateway_connections", "gauge", (), "connections", "TCP connections to the intake that are open."),
    Metric(
        "patrol_gateway_connections_closed_total",
        "counter",
        (),
        "connections",
        "Connections to the intake that were closed because there were more than intake.connections_max.",
    ),
    Metric("patrol_intake_queue_frames", "gauge", (), "keyframes", "Keyframes that wait for a worker."),
    Metric("patrol_intake_queue_bytes", "gauge", (), "bytes", "Size of the keyframes that wait for a worker."),
    Metric(
        "patrol_intake_queue_age_seconds",
        "gauge",
        (),
        "seconds",
        "How long the oldest keyframe in the queue has waited.",
    ),
    Metric("patrol_visits_in_flight", "gauge", (), "visits", "Visits that are ordered and have not ended."),
    Metric(
        "patrol_cameras",
        "gauge",
        (Label("state", ("unseen", *State)), _REGION),
        "cameras",
        "Cameras by announced state and county.",
    ),
    Metric("patrol_cameras_long_offline", "gauge", (), "cameras", "Cameras announced offline for more than an hour."),
    Metric("patrol_period_lag_seconds", "gauge", (), "seconds", "How late the most overdue camera is."),
    Metric("patrol_visit_lag_seconds", "histogram", (_CLASS,), "seconds", "How late a visit began."),
    Metric("patrol_class_cameras", "gauge", (_CLASS,), "cameras", "Cameras by the scheduler's class."),
    Metric(
        "patrol_class_period_seconds",
        "gauge",
        (_CLASS, Label("which", ("configured", "stretched", "achieved"))),
        "seconds",
        "Period: configured, stretched, achieved.",
    ),
    Metric(
        "patrol_class_coverage_ratio",
        "gauge",
        (_CLASS,),
        "ratio",
        "Periods with a check / periods due, since the start.",
    ),
    Metric(
        "patrol_periods_shed",
        "gauge",
        (Label("reason", ("overload", "uplink_cap", "host_cap", "host_rate", "outage", "paused", "internal")),),
        "periods",
        "Periods without a check, by what the camera waited for.",
    ),
    Metric(
        "patrol_visits_allowed",
        "gauge",
        (),
        "visits",
        "Visits that may be in flight: the least of cap, feeders' capacity, room in the intake.",
    ),
    Metric(
        "patrol_cameras_failing",
        "gauge",
        (Label("reason", tuple(FailureReason)),),
        "cameras",
        "Cameras whose last visit failed, by reason.",
    ),
    Metric(
        "patrol_scheduler_overloaded", "gauge", (), "0 or 1", "1 while demand is above capacity: periods are stretched."
    ),
    Metric(
        "patrol_scheduler_waiting",
        "gauge",
        (Label("gate", ("slot", "uplink", "host")),),
        "cameras",
        "Due cameras that wait, by what for: slot, uplink, host.",
    ),
    Metric(
        "patrol_scheduler_demand", "gauge", (), "visits a second", "Visits a second that the configured periods need."
    ),
    Metric(
        "patrol_scheduler_capacity",
        "gauge",
        (),
        "visits a second",
        "Visits a second that the machine achieves under overload; 0: it is not overloaded.",
    ),
    Metric(
        "patrol_county_lag_seconds",
        "gauge",
        (_REGION,),
        "seconds",
        "Longest lag of the last two minutes; the worst counties only.",
    ),
    Metric("patrol_outages", "gauge", (), "platforms", "Platforms that are out."),
    Metric(
        "patrol_outage_cameras",
        "gauge",
        (Label("host", unknown_because="the registry decides which platforms there are; at most 20, the rest: other"),),
        "cameras",
        "Cameras of a platform that is out; the platforms with most cameras, all others as `other`.",
    ),
    Metric(
        "patrol_config_reloads_total",
        "counter",
        (Label("outcome", ("applied", "unchanged", "refused")),),
        "reloads",
        "Reloads of the configuration; outcome: applied, unchanged, refused.",
    ),
    Metric(
        "patrol_config_stale",
        "gauge",
        (),
        "0 or 1",
        "1 while the last reload was refused and the old settings are in force.",
    ),
    Metric(
        "patrol_worker_restarts_total",
        "counter",
        (_PROCESS_END,),
        "processes",
        "Worker processes replaced; reason: the hub gave it up, its exit code, or the signal that ended it.",
    ),
    Metric("patrol_workers_ready", "gauge", (), "processes", "Worker processes that accept keyframes."),
    Metric(
        "patrol_feeder_restarts_total",
        "counter",
        (_FEEDER_KIND, _PROCESS_END),
        "processes",
        "Feeder and demuxer processes replaced; reason as for workers.",
    ),
    Metric(
        "patrol_feeders_ready", "gauge", (_FEEDER_KIND,), "processes", "Feeder and demuxer processes that take orders."
    ),
    Metric(
        "patrol_process_resident_memory_bytes",
        "gauge",
        (Label("process", unknown_because="the configuration decides how many there are; each is shown once it runs"),),
        "bytes",
        "Resident memory of each process of the engine, read every 10 s; what processes share counts in each.",
    ),
    Metric(
        "patrol_demux_stuck_threads",
        "gauge",
        (),
        "threads",
        "Demuxing threads that were given up and have not returned.",
    ),
    Metric(
        "patrol_rtsp_fallbacks_total",
        "counter",
        (Label("outcome", VISIT_OUTCOMES),),
        "visits",
        "RTSP visits retried through FFmpeg.",
    ),
    Metric(
        "patrol_store_writable",
        "gauge",
        (),
        "0 or 1",
        "1 while the database takes writes; a small write tries it every 5 s.",
    ),
    Metric(
        "patrol_store_errors_total",
        "counter",
        (Label("part", ("store", "refused", "evidence", "watchers", "upkeep", "audit")),),
        "errors",
        "Writes that failed; part: store (they are retried), refused, evidence, watchers, upkeep, audit.",
    ),
    Metric(
        "patrol_store_dropped_total",
        "counter",
        (Label("reason", ("queue_full", "queue_full_ledger", "refused", "evidence")),),
        "records",
        "Records dropped before they were written: queue_full, queue_full_ledger, refused; keyframes: evidence.",
    ),
    Metric("patrol_store_written_total", "counter", (), "verdicts", "Verdicts written."),
    Metric(
        "patrol_notices_total",
        "counter",
        (
            _ENDPOINT,
            Label("outcome", NOTICE_OUTCOMES),
        ),
        "attempts",
        "Attempts to deliver a notice; outcome: delivered, or the reason; dead: the notice was given up.",
    ),
    Metric("patrol_notices_waiting", "gauge", (_ENDPOINT,), "notices", "Notices that wait for an endpoint."),
    Metric(
        "patrol_notices_oldest_seconds",
        "gauge",
        (_ENDPOINT,),
        "seconds",
        "How long the oldest notice has waited for an endpoint.",
    ),
    Metric(
        "patrol_notices_circuit_open",
        "gauge",
        (_ENDPOINT,),
        "0 or 1",
        "1 while an endpoint's circuit is open because it failed too often.",
    ),
    Metric(
        "patrol_findings",
        "gauge",
        (Label("state", OPEN_STATES), _LEVEL),
        "findings",
        "Findings that are neither closed nor dismissed, by state.",
    ),
    Metric(
        "patrol_findings_open",
        "gauge",
        (Label("severity", tuple(Severity)), _LEVEL, Label("overdue", ("true", "false"))),
        "findings",
        "The same findings by severity, and by whether the deadline of their level has passed.",
    ),
    Metric(
        "patrol_cameras_for_operator",
        "gauge",
        (Label("reason", tuple(FailureReason)),),
        "cameras",
        "Cameras announced offline for a reason that lies with us (ledger.operator_reasons); they are no findings.",
    ),
    Metric("patrol_finding_events_total", "counter", (Label("step", tuple(Step)),), "events", "Events of the ledger."),
    Metric(
        "patrol_findings_unheard_total",
        "counter",
        (),
        "verdicts",
        "Verdicts that the ledger skipped because too many of its events wait for the database; the camera's next "
        "verdict makes up for it.",
    ),
    Metric("patrol_evidence_bytes", "gauge", (), "bytes", "Size of all keyframes that are kept."),
    Metric(
        "patrol_evidence_budget_bytes", "gauge", (), "bytes", "The most that may be kept: record.evidence_bytes_max."
    ),
    Metric("patrol_evidence_files", "gauge", (_RANK,), "keyframes", "Keyframes kept, by rank; docs/evidence.md."),
    Metric(
        "patrol_evidence_out_total", "counter", (_RANK,), "keyframes", "Keyframes deleted because the budget was spent."
    ),
    Metric(
        "patrol_thumbnails_total",
        "counter",
        (Label("outcome", THUMBNAIL_OUTCOMES),),
        "thumbnails",
        "Thumbnails asked for; outcome: hit (kept), miss (rendered), not_modified, missing, busy, damaged.",
    ),
    Metric("patrol_thumbnail_bytes", "gauge", (), "bytes", "Size of the thumbnails that are kept in memory."),
    Metric("patrol_kpi_ratio", "gauge", (_KPI, _REGION), "ratio", "KPI of the day so far, by county; docs/kpis.md."),
    Metric(
        "patrol_kpi_late_total",
        "counter",
        (),
        "verdicts",
        "Verdicts that came after their day was closed: no KPI counts them.",
    ),
    Metric("patrol_kpi_measured_ratio", "gauge", (_KPI, _REGION), "ratio", "Measured / registered of the same KPI."),
    Metric(
        "patrol_certificate_remaining_seconds",
        "gauge",
        (),
        "seconds",
        "Time until the first of the certificates of serve.tls_cert_file and serve.metrics_tls_cert_file expires, "
        "negative after that; +Inf without TLS.",
    ),
    Metric(
        "patrol_token_remaining_seconds",
        "gauge",
        (),
        "seconds",
        "Time until the first of the valid tokens expires; +Inf if none of them ever does.",
    ),
    Metric(
        "patrol_calls_refused_total",
        "counter",
        (Label("reason", REFUSED_REASONS),),
        "calls",
        "Calls refused to their callers; reason: no token, an unknown or ended one, its role, its region; "
        "not_in_region: the call names what its region does not have; rate_*: more calls a second than "
        "serve.*_calls_per_s_max allows. The audit log has who, and from where.",
    ),
    Metric("patrol_watchers", "gauge", (), "callers", "Callers that watch verdicts."),
    Metric(
        "patrol_rpc_seconds",
        "histogram",
        (
            Label("method", unknown_because="every method with every status and bucket would be ten thousand series"),
            Label("code", unknown_because="a status is shown from the first call that ends with it"),
        ),
        "seconds",
        "gRPC calls by method and status.",
    ),
    *LISTENER_METRICS,
    *VITAL_METRICS,
    *STORY_METRICS,
)
