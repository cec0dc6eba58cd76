"""Defines every metric of the engine: name, kind, labels, help. No camera is ever a label. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """Name, kind (counter, gauge, histogram, info), labels and help of one metric; a row of docs/metrics.md."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


METRICS = (
    Metric("patrol_build_info", "info", (), "Version of the engine."),
    Metric("patrol_visits_total", "counter", ("via", "outcome"), "Visits ended; outcome: keyframe, or the reason."),
    Metric("patrol_checks_total", "counter", ("state",), "Verdicts, by the visit's own state."),
    Metric("patrol_stage_seconds", "histogram", ("stage",), "Time spent in one stage of a check."),
    Metric(
        "patrol_stage_cpu_seconds_total",
        "counter",
        ("stage",),
        "CPU time of decode, kernels and judge, without the time they wait for a core.",
    ),
    Metric("patrol_intake_dropped_frames_total", "counter", ("reason",), "Keyframes dropped without a measurement."),
    Metric("patrol_intake_queue_frames", "gauge", (), "Keyframes that wait for a worker."),
    Metric("patrol_intake_queue_bytes", "gauge", (), "Size of the keyframes that wait for a worker."),
    Metric("patrol_intake_queue_age_seconds", "gauge", (), "How long the oldest keyframe in the queue has waited."),
    Metric("patrol_visits_in_flight", "gauge", (), "Visits that are ordered and have not ended."),
    Metric("patrol_cameras", "gauge", ("state", "region"), "Cameras by announced state and county."),
    Metric("patrol_period_lag_seconds", "gauge", (), "How late the most overdue camera is."),
    Metric("patrol_visit_lag_seconds", "histogram", ("class",), "How late a visit began."),
    Metric("patrol_class_cameras", "gauge", ("class",), "Cameras by the scheduler's class."),
    Metric("patrol_class_period_seconds", "gauge", ("class", "which"), "Period: configured, stretched, achieved."),
    Metric("patrol_class_coverage_ratio", "gauge", ("class",), "Periods with a check / periods due, since the start."),
    Metric("patrol_periods_shed", "gauge", ("reason",), "Periods without a check, by what the camera waited for."),
    Metric(
        "patrol_visits_allowed",
        "gauge",
        (),
        "Visits that may be in flight: the least of cap, feeders' capacity, room in the intake.",
    ),
    Metric("patrol_cameras_failing", "gauge", ("reason",), "Cameras whose last visit failed, by reason."),
    Metric("patrol_scheduler_overloaded", "gauge", (), "1 while demand is above capacity: periods are stretched."),
    Metric("patrol_scheduler_waiting", "gauge", ("gate",), "Due cameras that wait, by what for: slot, uplink, host."),
    Metric("patrol_scheduler_demand", "gauge", (), "Visits a second that the configured periods need."),
    Metric(
        "patrol_scheduler_capacity",
        "gauge",
        (),
        "Visits a second that the machine achieves under overload; 0: it is not overloaded.",
    ),
    Metric(
        "patrol_county_lag_seconds",
        "gauge",
        ("region",),
        "Longest lag of the last two minutes; the worst counties only.",
    ),
    Metric("patrol_outages", "gauge", (), "Platforms that are out."),
    Metric(
        "patrol_config_reloads_total",
        "counter",
        ("outcome",),
        "Reloads of the configuration; outcome: applied, unchanged, refused.",
    ),
    Metric(
        "patrol_config_stale", "gauge", (), "1 while the last reload was refused and the old settings are in force."
    ),
    Metric("patrol_worker_restarts_total", "counter", ("reason",), "Worker processes replaced."),
    Metric("patrol_workers_ready", "gauge", (), "Worker processes that accept keyframes."),
    Metric("patrol_feeder_restarts_total", "counter", ("kind", "reason"), "Feeder processes replaced."),
    Metric("patrol_demux_stuck_threads", "gauge", (), "Demuxing threads that were given up and have not returned."),
    Metric("patrol_rtsp_fallbacks_total", "counter", ("outcome",), "RTSP visits retried through FFmpeg."),
    Metric(
        "patrol_store_errors_total",
        "counter",
        ("part",),
        "Writes that failed; part: store (they are retried), evidence.",
    ),
    Metric(
        "patrol_store_dropped_total",
        "counter",
        ("reason",),
        "Records dropped before they were written: queue_full, queue_full_ledger, refused; keyframes: evidence.",
    ),
    Metric("patrol_store_written_total", "counter", (), "Verdicts written."),
    Metric(
        "patrol_notices_total",
        "counter",
        ("endpoint", "outcome"),
        "Attempts to deliver a notice; outcome: delivered, or the reason; dead: the notice was given up.",
    ),
    Metric("patrol_notices_waiting", "gauge", ("endpoint",), "Notices that wait for an endpoint."),
    Metric(
        "patrol_notices_oldest_seconds",
        "gauge",
        ("endpoint",),
        "How long the oldest notice has waited for an endpoint.",
    ),
    Metric(
        "patrol_notices_circuit_open",
        "gauge",
        ("endpoint",),
        "1 while an endpoint's circuit is open because it failed too often.",
    ),
    Metric("patrol_findings", "gauge", ("state", "level"), "Findings that are neither closed nor dismissed."),
    Metric("patrol_finding_events_total", "counter", ("step",), "Events of the ledger."),
    Metric(
        "patrol_findings_unheard_total",
        "counter",
        (),
        "Verdicts that the ledger skipped because too many of its events wait for the database; the camera's next "
        "verdict makes up for it.",
    ),
    Metric("patrol_evidence_bytes", "gauge", (), "Size of all keyframes that are kept."),
    Metric(
        "patrol_evidence_files",
        "gauge",
        ("rank",),
        "Keyframes kept, by rank; docs/evidence.md.",
    ),
    Metric("patrol_evidence_out_total", "counter", ("rank",), "Keyframes deleted because the budget was spent."),
    Metric(
        "patrol_thumbnails_total",
        "counter",
        ("outcome",),
        "Thumbnails asked for; outcome: hit (kept), miss (rendered), not_modified, missing, busy, damaged.",
    ),
    Metric("patrol_thumbnail_bytes", "gauge", (), "Size of the thumbnails that are kept in memory."),
    Metric("patrol_kpi_ratio", "gauge", ("kpi", "region"), "KPI of the day so far, by county; docs/kpis.md."),
    Metric(
        "patrol_kpi_late_total", "counter", (), "Verdicts that came after their day was closed: no KPI counts them."
    ),
    Metric("patrol_kpi_measured_ratio", "gauge", ("kpi", "region"), "Measured / registered of the same KPI."),
    Metric("patrol_watchers", "gauge", (), "Callers that watch verdicts."),
    Metric("patrol_rpc_seconds", "histogram", ("method", "code"), "gRPC calls by method and status."),
)
STAGES = (
    "connect", "keyframe_wait", "visit_total", "queue", "decode", "kernels", "judge", "arrival_to_verdict", "store",
)  # fmt: skip
THUMBNAIL_OUTCOMES = ("hit", "miss", "not_modified", "missing", "busy", "damaged")
CPU_STAGES = ("decode", "kernels", "judge")
