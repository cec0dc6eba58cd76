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
    Metric("patrol_checks_total", "counter", ("state",), "Verdicts given, by the visit's own state."),
    Metric("patrol_stage_seconds", "histogram", ("stage",), "Time spent in one stage of a check."),
    Metric(
        "patrol_stage_cpu_seconds_total",
        "counter",
        ("stage",),
        "Processor time spent in decode, kernels and judge: what they cost, without waiting for a core.",
    ),
    Metric("patrol_intake_dropped_frames_total", "counter", ("reason",), "Frames that ended without a measurement."),
    Metric("patrol_intake_queue_frames", "gauge", (), "Frames that wait for a worker."),
    Metric("patrol_intake_queue_bytes", "gauge", (), "Their size."),
    Metric("patrol_intake_queue_age_seconds", "gauge", (), "How long the first in the line has waited."),
    Metric("patrol_visits_in_flight", "gauge", (), "Visits ordered and not ended."),
    Metric("patrol_cameras", "gauge", ("state", "region"), "Cameras by announced state and county."),
    Metric("patrol_period_lag_seconds", "gauge", (), "How late the most overdue camera is."),
    Metric("patrol_visit_lag_seconds", "histogram", ("class",), "How late a visit began."),
    Metric("patrol_class_cameras", "gauge", ("class",), "Cameras by the scheduler's class."),
    Metric("patrol_class_period_seconds", "gauge", ("class", "which"), "Period: configured, stretched, achieved."),
    Metric("patrol_class_coverage_ratio", "gauge", ("class",), "Periods with a look / periods due, since the start."),
    Metric("patrol_periods_shed", "gauge", ("reason",), "Periods without a look, by what the camera waited for."),
    Metric("patrol_visits_allowed", "gauge", (), "Visits that may be in flight: cap, feeders, room in the intake."),
    Metric("patrol_cameras_failing", "gauge", ("reason",), "Cameras whose last visit failed, by reason."),
    Metric("patrol_scheduler_overloaded", "gauge", (), "1 while demand is above capacity: periods are stretched."),
    Metric("patrol_scheduler_waiting", "gauge", ("gate",), "Cameras that wait: for a slot, their uplink, host."),
    Metric("patrol_scheduler_demand", "gauge", (), "Visits a second that the configured periods ask for."),
    Metric("patrol_scheduler_capacity", "gauge", (), "Visits a second this machine was seen to carry; 0: enough."),
    Metric("patrol_county_lag_seconds", "gauge", ("region",), "Longest lag of late; the worst counties only."),
    Metric("patrol_outages", "gauge", (), "Platforms that are out now."),
    Metric("patrol_config_reloads_total", "counter", ("outcome",), "Reloads: applied, unchanged, refused."),
    Metric("patrol_config_stale", "gauge", (), "1 while the last reload was refused and the old settings stand."),
    Metric("patrol_worker_restarts_total", "counter", ("reason",), "Worker processes replaced."),
    Metric("patrol_workers_ready", "gauge", (), "Worker processes that take frames."),
    Metric("patrol_feeder_restarts_total", "counter", ("kind", "reason"), "Feeder processes replaced."),
    Metric("patrol_demux_stuck_threads", "gauge", (), "Demuxing threads given up and not back."),
    Metric("patrol_rtsp_fallbacks_total", "counter", ("outcome",), "RTSP visits tried again through FFmpeg."),
    Metric("patrol_store_errors_total", "counter", ("part",), "Writes that failed: store (tried again), evidence."),
    Metric(
        "patrol_store_dropped_total",
        "counter",
        ("reason",),
        "Records not written: queue_full, queue_full_ledger, refused; keyframes: evidence.",
    ),
    Metric("patrol_store_written_total", "counter", (), "Verdicts written."),
    Metric(
        "patrol_notices_total",
        "counter",
        ("endpoint", "outcome"),
        "Attempts to deliver a notice; outcome: delivered, or why not; dead: given up.",
    ),
    Metric("patrol_notices_waiting", "gauge", ("endpoint",), "Notices that wait for an endpoint."),
    Metric("patrol_notices_oldest_seconds", "gauge", ("endpoint",), "How long the oldest of them has waited."),
    Metric("patrol_notices_circuit_open", "gauge", ("endpoint",), "1 while an endpoint has failed too often."),
    Metric("patrol_findings", "gauge", ("state", "level"), "Findings that have not ended."),
    Metric("patrol_finding_events_total", "counter", ("step",), "Events of the ledger."),
    Metric(
        "patrol_findings_unheard_total",
        "counter",
        (),
        "Verdicts that the ledger did not hear since its events wait for the database; the camera's next one tells it.",
    ),
    Metric("patrol_evidence_bytes", "gauge", (), "Size of all keyframes that are kept."),
    Metric(
        "patrol_evidence_files",
        "gauge",
        ("rank",),
        "Keyframes kept, by rank; docs/evidence.md.",
    ),
    Metric("patrol_evidence_out_total", "counter", ("rank",), "Keyframes let go because the budget was spent."),
    Metric("patrol_kpi_ratio", "gauge", ("kpi", "region"), "KPI of the day so far by county; docs/kpis.md."),
    Metric("patrol_kpi_late_total", "counter", (), "Verdicts that came when their day was over: no KPI has them."),
    Metric("patrol_kpi_measured_ratio", "gauge", ("kpi", "region"), "Measured / registered beside it."),
    Metric("patrol_watchers", "gauge", (), "Callers that watch verdicts."),
    Metric("patrol_rpc_seconds", "histogram", ("method", "code"), "gRPC calls by method and status."),
)
STAGES = (
    "connect", "keyframe_wait", "visit_total", "queue", "decode", "kernels", "judge", "arrival_to_verdict", "store",
)  # fmt: skip
CPU_STAGES = ("decode", "kernels", "judge")
