"""Which metrics Grafana's dashboards show, and how. Titles, units and explanations come from the table of metrics."""

from dataclasses import dataclass
from enum import StrEnum


class Show(StrEnum):
    """How a metric becomes a graph. `NOW`: its present value as a number, green, yellow or red. `VALUE`: over time.
    `RATE`: how often a second. `COUNT`: how often an hour. `QUANTILES`: median and 99th percentile of a histogram."""

    NOW = "now"
    VALUE = "value"
    RATE = "rate"
    COUNT = "count"
    QUANTILES = "quantiles"


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph. `by`: labels that are kept; others are summed up, or with `worst` the largest value is shown.
    `only`: which series, as PromQL matches labels. `bad_above`: with NOW, a value above it is red. `bad_below`: one
    below it is."""

    title: str
    metric: str
    show: Show = Show.VALUE
    by: tuple[str, ...] = ()
    only: str = ""
    worst: bool = False
    bad_above: float | None = None
    bad_below: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard. `name`: of its file."""

    name: str
    title: str
    description: str
    panels: tuple[Panel, ...]


_NOW, _RATE, _COUNT, _QUANTILES = Show.NOW, Show.RATE, Show.COUNT, Show.QUANTILES

PATROL = Dashboard(
    "patrol",
    "Patrol: is every camera visited in time?",
    "Begin here at night. What is red has a rule in docs/alerts.yml, and what to do is in docs/runbook.md. Panels of "
    "ratios need the recording rules of docs/alerts.yml.",
    (
        Panel("Ready", "patrol_ready", _NOW, bad_below=1),
        Panel("Most overdue camera", "patrol_period_lag_seconds", _NOW, worst=True, bad_above=1800),
        Panel("The same, in periods", "instance:patrol_period_lag_seconds:ratio", _NOW, worst=True, bad_above=1),
        Panel("Cameras offline", "instance:patrol_cameras:offline_ratio", _NOW, worst=True, bad_above=0.2),
        Panel("Overloaded", "patrol_scheduler_overloaded", _NOW, worst=True, bad_above=0),
        Panel("Platforms out", "patrol_outages", _NOW, bad_above=0),
        Panel("Offline for an hour", "patrol_cameras_long_offline", _NOW),
        Panel("Visits in flight", "patrol_visits_in_flight", _NOW),
        Panel("Visits by outcome", "patrol_visits_total", _RATE, ("outcome",)),
        Panel("Verdicts by state", "patrol_checks_total", _RATE, ("state",)),
        Panel("Coverage by class", "patrol_class_coverage_ratio", by=("class",), worst=True),
        Panel("How late visits begin", "patrol_visit_lag_seconds", _QUANTILES, ("class",)),
        Panel("Periods by class", "patrol_class_period_seconds", by=("class", "which"), worst=True),
        Panel("Cameras by class", "patrol_class_cameras", by=("class",)),
        Panel("Periods without a check", "patrol_periods_shed", by=("reason",)),
        Panel("Due cameras that wait", "patrol_scheduler_waiting", by=("gate",)),
        Panel("Visits that the periods need", "patrol_scheduler_demand"),
        Panel("Visits that the machine achieves", "patrol_scheduler_capacity"),
        Panel("Visits that may be in flight", "patrol_visits_allowed"),
        Panel("Cameras whose last visit failed", "patrol_cameras_failing", by=("reason",)),
        Panel("Cameras of platforms that are out", "patrol_outage_cameras", by=("host",)),
        Panel("Counties that wait longest", "patrol_county_lag_seconds", by=("region",), worst=True),
        Panel("Visits retried through FFmpeg", "patrol_rtsp_fallbacks_total", _RATE, ("outcome",)),
        Panel("Visits by stream", "patrol_stream_visits_total", _RATE, ("stream", "outcome")),
        Panel("Received by stream", "patrol_stream_bytes_total", _RATE, ("stream",)),
        Panel("Sub-streams set aside", "patrol_sub_streams_set_aside_total", _COUNT, ("reason",)),
    ),
)
PROVINCE = Dashboard(
    "province",
    "Province: what do the kitchens show?",
    "For those who answer for the programme. Every KPI stands beside the share of cameras that it was measured on.",
    (
        Panel("Cameras by state", "patrol_cameras", by=("state",)),
        Panel("Offline cameras by county", "patrol_cameras", by=("region",), only='state="offline"'),
        Panel("KPIs of the day so far", "patrol_kpi_ratio", by=("kpi", "region"), worst=True),
        Panel("Measured / registered", "patrol_kpi_measured_ratio", by=("kpi", "region"), worst=True),
        Panel("Open findings by severity", "patrol_findings_open", by=("severity",)),
        Panel("Overdue findings by level", "patrol_findings_open", by=("level",), only='overdue="true"'),
        Panel("Findings by state", "patrol_findings", by=("state",)),
        Panel("Steps in the ledger", "patrol_finding_events_total", _COUNT, ("step",)),
        Panel("Cameras for the operator", "patrol_cameras_for_operator", by=("reason",)),
        Panel("Notices by outcome", "patrol_notices_total", _COUNT, ("endpoint", "outcome")),
        Panel("Notices that wait", "patrol_notices_waiting", by=("endpoint",)),
        Panel("Oldest notice", "patrol_notices_oldest_seconds", by=("endpoint",), worst=True),
        Panel("Endpoints that are not called", "patrol_notices_circuit_open", by=("endpoint",), worst=True),
        Panel("Verdicts after their day", "patrol_kpi_late_total", _COUNT),
        Panel("Verdicts that the ledger skipped", "patrol_findings_unheard_total", _COUNT),
    ),
)
ENGINE = Dashboard(
    "engine",
    "Engine: what does the machine do?",
    "Processes, queues, disks, and where time goes.",
    (
        Panel("Workers", "patrol_workers_ready", _NOW, bad_below=1),
        Panel("Database takes writes", "patrol_store_writable", _NOW, bad_below=1),
        Panel("Last reload refused", "patrol_config_stale", _NOW, worst=True, bad_above=0),
        Panel("Certificate ends in", "patrol_certificate_remaining_seconds", _NOW, bad_below=14 * 86_400),
        Panel("A token ends in", "patrol_token_remaining_seconds", _NOW, bad_below=14 * 86_400),
        Panel("Shards without an engine", "patrol_shards", _NOW, only='state="away"', worst=True, bad_above=0),
        Panel("Evidence without a copy", "patrol_evidence_uncopied", _NOW, bad_above=0),
        Panel("Lease of the shard ends in", "patrol_shard_lease_seconds", _NOW, bad_below=1),
        Panel("Version", "patrol_build_info", _NOW, ("version",)),
        Panel("Memory by process", "patrol_process_resident_memory_bytes", by=("process",)),
        Panel("Feeders and demuxers", "patrol_feeders_ready", by=("kind",)),
        Panel("Not ready because of", "patrol_not_ready", by=("part",)),
        Panel("Processes replaced", "patrol_process_restarts_total", _COUNT, ("kind", "reason")),
        Panel("Age of the last heartbeat", "patrol_heartbeat_age_seconds", by=("kind",), worst=True),
        Panel("Open descriptors by process", "patrol_process_open_descriptors", by=("process",)),
        Panel(
            "Descriptors, of what may be open",
            "instance_process:patrol_process_open_descriptors:ratio",
            by=("process",),
            worst=True,
        ),
        Panel("Descriptors that may be open", "patrol_process_descriptors_max", by=("process",)),
        Panel("Free disk", "patrol_disk_free_bytes", by=("folder",)),
        Panel("Free disk, of its size", "instance_folder:patrol_disk_free_bytes:ratio", by=("folder",), worst=True),
        Panel("Size of the disk", "patrol_disk_bytes", by=("folder",)),
        Panel("Size of the database", "patrol_database_bytes"),
        Panel("Writes that the fence refused", "patrol_writes_fenced_total", _COUNT),
        Panel("Visits at once that shards have of platforms", "patrol_host_visits_granted", by=("host",)),
        Panel("Workers replaced", "patrol_worker_restarts_total", _COUNT, ("reason",)),
        Panel("Feeders replaced", "patrol_feeder_restarts_total", _COUNT, ("kind", "reason")),
        Panel("Stuck threads", "patrol_demux_stuck_threads"),
        Panel("Time by stage", "patrol_stage_seconds", _QUANTILES, ("stage",)),
        Panel("CPU by stage", "patrol_stage_cpu_seconds_total", _RATE, ("stage",)),
        Panel("Keyframes that wait", "patrol_intake_queue_frames"),
        Panel("Bytes that wait", "patrol_intake_queue_bytes"),
        Panel("Oldest keyframe that waits", "patrol_intake_queue_age_seconds", worst=True),
        Panel("Gateways refused", "patrol_gateways_refused_total", _COUNT),
        Panel("Connections of gateways", "patrol_gateway_connections"),
        Panel("Handshakes that failed", "patrol_handshakes_failed_total", _COUNT, ("listener",)),
        Panel("Scrapes refused", "patrol_scrapes_refused_total", _COUNT, ("reason",)),
        Panel("Spans of traces", "patrol_trace_spans_total", _COUNT, ("outcome",)),
        Panel("Confinement in force", "patrol_confinement", by=("kind", "part")),
        Panel("Connections of gateways closed", "patrol_gateway_connections_closed_total", _COUNT),
        Panel(
            "Keyframes dropped in 15 minutes",
            "instance_reason:patrol_intake_dropped_frames_total:increase15m",
            by=("reason",),
        ),
        Panel("Keyframes dropped", "patrol_intake_dropped_frames_total", _COUNT, ("reason",)),
        Panel("Keyframes that fronts passed on", "patrol_passed_on_frames_total", _COUNT, ("outcome",)),
        Panel("Verdicts written", "patrol_store_written_total", _RATE),
        Panel("Writes that failed", "patrol_store_errors_total", _COUNT, ("part",)),
        Panel("Records dropped", "patrol_store_dropped_total", _COUNT, ("reason",)),
        Panel("Evidence", "patrol_evidence_bytes"),
        Panel("Evidence, of what is allowed", "instance:patrol_evidence_bytes:ratio", worst=True),
        Panel("Evidence of open findings", "patrol_evidence_pinned_bytes"),
        Panel("Most evidence that is kept", "patrol_evidence_budget_bytes"),
        Panel("Keyframes kept", "patrol_evidence_files", by=("rank",)),
        Panel("Keyframes deleted for want of room", "patrol_evidence_out_total", _COUNT, ("rank",)),
        Panel("Cameras with an open story", "patrol_stories_open"),
        Panel("Memory of stories", "patrol_stories_bytes"),
        Panel("Stories given up", "patrol_stories_evicted_total", _COUNT, ("bound",)),
        Panel("Reloads of the configuration", "patrol_config_reloads_total", _COUNT, ("outcome",)),
    ),
)
API = Dashboard(
    "api",
    "API: who calls, and how long do they wait?",
    "gRPC, and the HTTP gateway if Prometheus scrapes its /metrics too.",
    (
        Panel("Watchers", "patrol_watchers", _NOW),
        Panel("HTTP calls", "patrol_web_calls", _NOW),
        Panel("HTTP streams", "patrol_web_streams", _NOW),
        Panel("Live pages of the console", "patrol_web_live_pages", _NOW),
        Panel("gRPC calls by status", "patrol_rpc_seconds", _RATE, ("code",)),
        Panel("Calls refused", "patrol_calls_refused_total", _COUNT, ("reason",)),
        Panel("gRPC calls by method", "patrol_rpc_seconds", _RATE, ("method",)),
        Panel("Time of gRPC calls", "patrol_rpc_seconds", _QUANTILES, ("method",)),
        Panel("HTTP requests by status", "patrol_web_request_seconds", _RATE, ("status",)),
        Panel("Time of HTTP requests", "patrol_web_request_seconds", _QUANTILES, ("route",)),
        Panel("HTTP requests refused", "patrol_web_refused_total", _COUNT, ("kind",)),
        Panel("HTTP handshakes that failed", "patrol_web_handshakes_failed_total", _COUNT),
        Panel("Bytes sent over HTTP", "patrol_web_sent_bytes_total", _RATE),
        Panel("Thumbnails", "patrol_thumbnails_total", _RATE, ("outcome",)),
        Panel("Memory of thumbnails", "patrol_thumbnail_bytes"),
        Panel("Clocks read", "patrol_readings_total", _RATE, ("outcome",)),
    ),
)
DASHBOARDS = (PATROL, PROVINCE, ENGINE, API)
