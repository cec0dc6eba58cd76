"""Records the engine's metrics: one method for each event that is counted, or thing that is measured."""

import math
from collections import Counter
from collections.abc import Mapping
from wsgiref.types import WSGIApplication

from engine.metrics.definitions import FEEDER_KINDS, METRICS
from engine.metrics.labels import REGIONS_MAX, by_host
from engine.metrics.metric import OTHER
from engine.metrics.prometheus import Series
from engine.metrics.stories import StoryRecorder
from engine.metrics.vitals import VitalsRecorder
from engine.model.findings import FindingTally
from engine.model.kpi import KpiName, Rate
from engine.model.schedule import SchedulerStatus
from engine.model.visit import FailureReason


class Metrics:
    """The metrics of one hub. Methods may be called from any thread.

    Methods named after an event count it; methods named after a thing set gauges to its present state. `vitals` records
    those of processes and disks, `stories` those of the stories of cameras.
    """

    def __init__(self, version: str) -> None:
        self._series = Series(METRICS, {"patrol_build_info": {"version": version}})
        self.vitals = VitalsRecorder(self._series)
        self.stories = StoryRecorder(self._series)
        self._camera_labels: set[tuple[str, str]] = set()
        self._certificates_s: dict[str, float] = {}
        self.certificate(math.inf)
        self.tokens(math.inf)
        self.outages({})

    def visit_ended(self, via: str, outcome: str) -> None:
        """Count a visit that ended; `outcome`: keyframe, or the reason why there is none."""
        self._series.increase("patrol_visits_total", via, outcome)

    def stream_visited(self, stream: str, received_bytes: int, *, failed: bool) -> None:
        """Count a visit of a camera that has a sub-stream, by STREAM_OUTCOMES, and what it received."""
        self._series.increase("patrol_stream_visits_total", stream, "failed" if failed else "keyframe")
        self._series.increase("patrol_stream_bytes_total", stream, by=received_bytes)

    def sub_stream_set_aside(self, reason: str) -> None:
        """Count a sub-stream that is not visited for a while."""
        self._series.increase("patrol_sub_streams_set_aside_total", reason)

    def reading(self, outcome: str) -> None:
        """Count a camera whose clock was to be read, by READING_OUTCOMES."""
        self._series.increase("patrol_readings_total", outcome)

    def check_done(self, state: str) -> None:
        """Count a verdict."""
        self._series.increase("patrol_checks_total", state)

    def stage(self, stage: str, seconds: float) -> None:
        """Record how long one of STAGES took."""
        self._series.observe("patrol_stage_seconds", seconds, stage)

    def stage_cpu(self, stage: str, seconds: float) -> None:
        """Add the CPU time that one of CPU_STAGES took."""
        self._series.increase("patrol_stage_cpu_seconds_total", stage, by=seconds)

    def dropped(self, reason: str, number: int = 1) -> None:
        """Count keyframes that were dropped without a measurement."""
        self._series.increase("patrol_intake_dropped_frames_total", reason, by=number)

    def passed_on(self, outcome: str, number: int) -> None:
        """Count keyframes that a front sent to the engine of a shard, by PASSED_ON_OUTCOMES."""
        self._series.increase("patrol_passed_on_frames_total", outcome, by=number)

    def gateways_refused(self, number: int) -> None:
        """Count connections of gateways whose key is not known."""
        self._series.increase("patrol_gateways_refused_total", by=number)

    def gateway_connections(self, number: int, closed: int) -> None:
        """Set how many connections to the intake are open, and count those that were closed to make room."""
        self._series.set("patrol_gateway_connections", number)
        self._series.increase("patrol_gateway_connections_closed_total", by=closed)

    def queue(self, frames: int, size: int, age_s: float) -> None:
        """Set the length, bytes and age of the intake queue."""
        self._series.set("patrol_intake_queue_frames", frames)
        self._series.set("patrol_intake_queue_bytes", size)
        self._series.set("patrol_intake_queue_age_seconds", age_s)

    def cameras(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Set the numbers of cameras by announced state and region."""
        labelled = set(sorted({region for _, region in counts})[:REGIONS_MAX])
        totals: dict[tuple[str, str], int] = dict.fromkeys(self._camera_labels, 0)
        for (state, region), number in counts.items():
            key = (state, (region or "none") if region in labelled else OTHER)
            totals[key] = totals.get(key, 0) + number
        for (state, region), number in totals.items():
            self._series.set("patrol_cameras", number, state, region)
        self._camera_labels = set(totals)

    def long_offline(self, cameras: int) -> None:
        """Set the number of cameras announced offline for more than an hour."""
        self._series.set("patrol_cameras_long_offline", cameras)

    def kpis(self, counties: Mapping[str, Mapping[KpiName, Rate]]) -> None:
        """Set the day's KPIs so far by county, but not those without a denominator, nor counties beyond REGIONS_MAX."""
        ratios: dict[tuple[str, ...], float] = {}
        measured: dict[tuple[str, ...], float] = {}
        for county in sorted(counties)[:REGIONS_MAX]:
            for name, rate in counties[county].items():
                if rate.value is not None:
                    ratios[name, county or "none"] = rate.value
                if rate.registered:
                    measured[name, county or "none"] = rate.measured / rate.registered
        self._series.replace("patrol_kpi_ratio", ratios)
        self._series.replace("patrol_kpi_measured_ratio", measured)

    def kpis_late(self, number: int) -> None:
        """Count verdicts that came after their day was closed."""
        self._series.increase("patrol_kpi_late_total", by=number)

    def evidence(self, size: int, pinned: int, budget: int, uncopied: int, numbers: Mapping[str, int]) -> None:
        """Set the bytes of all keyframes that are kept, of those that are never deleted, and the most that may be; how
        many have no copy in the archive yet; and the keyframes' number by rank."""
        self._series.set("patrol_evidence_uncopied", uncopied)
        self._series.set("patrol_evidence_bytes", size)
        self._series.set("patrol_evidence_pinned_bytes", pinned)
        self._series.set("patrol_evidence_budget_bytes", budget)
        for rank, number in numbers.items():
            self._series.set("patrol_evidence_files", number, rank)

    def evidence_out(self, rank: str) -> None:
        """Count a keyframe that was deleted because the budget was spent."""
        self._series.increase("patrol_evidence_out_total", rank)

    def thumbnail(self, outcome: str, bytes_kept: int) -> None:
        """Count a thumbnail that a caller asked for, one of THUMBNAIL_OUTCOMES; set the size of those that are kept."""
        self._series.increase("patrol_thumbnails_total", outcome)
        self._series.set("patrol_thumbnail_bytes", bytes_kept)

    def lag(self, kind: str, lag_s: float) -> None:
        """Record how late a visit of a class began."""
        self._series.observe("patrol_visit_lag_seconds", lag_s, kind)

    def scheduler(self, status: SchedulerStatus) -> None:
        """Set the gauges of the scheduler's state."""
        series = self._series
        series.set("patrol_period_lag_seconds", status.lag_s_max)
        for row in status.classes:
            series.set("patrol_class_cameras", row.cameras, row.name)
            series.set("patrol_class_coverage_ratio", row.coverage, row.name)
            periods = (row.period_s, row.period_s * row.stretch, row.achieved_period_s)
            for which, period_s in zip(("configured", "stretched", "achieved"), periods, strict=True):
                series.set("patrol_class_period_seconds", period_s, row.name, which)
        for reason, periods_shed in status.shed.items():
            series.set("patrol_periods_shed", periods_shed, reason)
        waiting = (("slot", status.ready), ("uplink", status.waiting_uplink), ("host", status.waiting_host))
        for gate, number in waiting:
            series.set("patrol_scheduler_waiting", number, gate)
        series.set("patrol_scheduler_demand", status.demand_per_s)
        series.set("patrol_scheduler_capacity", status.capacity_per_s)
        series.set("patrol_scheduler_overloaded", status.capacity_per_s > 0)
        series.set("patrol_visits_allowed", status.visits_allowed)
        series.replace("patrol_cameras_failing", {(reason,): number for reason, number in status.failing.items()})
        series.replace("patrol_county_lag_seconds", {(region,): lag_s for region, lag_s in status.county_lags.items()})
        series.set("patrol_outages", len(status.outages))

    def outages(self, cameras: Mapping[str, int]) -> None:
        """Set the numbers of cameras of platforms that are out; those beyond HOSTS_MAX are summed."""
        self._series.replace("patrol_outage_cameras", {(OTHER,): 0.0} | by_host(cameras))

    def reloaded(self, outcome: str) -> None:
        """Count a reload of the configuration: applied, unchanged or refused."""
        self._series.increase("patrol_config_reloads_total", outcome)
        self._series.set("patrol_config_stale", outcome == "refused")

    def flow(self, visits_in_flight: int, workers: int, watchers: int) -> None:
        """Set the numbers of visits in flight, ready workers and watchers."""
        self._series.set("patrol_visits_in_flight", visits_in_flight)
        self._series.set("patrol_workers_ready", workers)
        self._series.set("patrol_watchers", watchers)

    def readiness(self, ready: bool, store_writable: bool) -> None:
        """Set whether the hub is ready, and whether its database takes writes."""
        self._series.set("patrol_ready", ready)
        self._series.set("patrol_store_writable", store_writable)

    def feeders(self, ready: Mapping[str, int]) -> None:
        """Set the numbers of feeders and demuxers that take orders, by FEEDER_KINDS."""
        for kind in FEEDER_KINDS:
            self._series.set("patrol_feeders_ready", ready.get(kind, 0), kind)

    def memory(self, resident_bytes: Mapping[str, int]) -> None:
        """Set the resident memory of each process, by its name."""
        sizes: dict[tuple[str, ...], float] = {(name,): size for name, size in resident_bytes.items()}
        self._series.replace("patrol_process_resident_memory_bytes", sizes)

    def certificate(self, remaining_s: float, listener: str = "grpc") -> None:
        """Set the seconds until the certificate of a listener expires; infinity if it has none."""
        self._certificates_s[listener] = remaining_s
        self._series.set("patrol_certificate_remaining_seconds", min(self._certificates_s.values()))

    def tokens(self, remaining_s: float) -> None:
        """Set the seconds until the first of the valid tokens expires; infinity if none ever does."""
        self._series.set("patrol_token_remaining_seconds", remaining_s)

    def worker_restarted(self, reason: str) -> None:
        """Count a worker that was replaced."""
        self._series.increase("patrol_worker_restarts_total", reason)

    def feeder_restarted(self, kind: str, reason: str) -> None:
        """Count a feeder or demuxer that was replaced."""
        self._series.increase("patrol_feeder_restarts_total", kind, reason)

    def stuck_threads(self, number: int) -> None:
        """Set the number of demuxing threads that were given up and have not returned."""
        self._series.set("patrol_demux_stuck_threads", number)

    def fallback(self, outcome: str) -> None:
        """Count an RTSP visit that was retried through FFmpeg."""
        self._series.increase("patrol_rtsp_fallbacks_total", outcome)

    def store_error(self, part: str) -> None:
        """Count a write that failed."""
        self._series.increase("patrol_store_errors_total", part)

    def stored(self, written: int, dropped: Mapping[str, int]) -> None:
        """Add the records that were written, and that were dropped by reason, since the last call."""
        self._series.increase("patrol_store_written_total", by=written)
        for reason, number in dropped.items():
            self._series.increase("patrol_store_dropped_total", reason, by=number)

    def notice_endpoint(self, endpoint: str) -> None:
        """Show the counters of a configured endpoint, at 0 until it is sent something."""
        self._series.show("patrol_notices_total", endpoint=endpoint)

    def notice_ended(self, endpoint: str, outcome: str) -> None:
        """Count an attempt to deliver a notice, or a notice that was given up (`dead`)."""
        self._series.increase("patrol_notices_total", endpoint, outcome)

    def notices_waiting(self, endpoint: str, waiting: int, oldest_s: float, circuit_open: bool) -> None:
        """Set the state of an endpoint: notices that wait, the age of the oldest, whether its circuit is open."""
        self._series.set("patrol_notices_waiting", waiting, endpoint)
        self._series.set("patrol_notices_oldest_seconds", oldest_s, endpoint)
        self._series.set("patrol_notices_circuit_open", circuit_open, endpoint)

    def findings(self, counts: Mapping[FindingTally, int]) -> None:
        """Set the numbers of findings that have not ended."""
        by_state: Counter[tuple[str, ...]] = Counter()
        by_severity: Counter[tuple[str, ...]] = Counter()
        for tally, number in counts.items():
            by_state[tally.state, tally.level] += number
            by_severity[tally.severity, tally.level, "true" if tally.overdue else "false"] += number
        self._series.replace("patrol_findings", by_state)
        self._series.replace("patrol_findings_open", by_severity)

    def operator_list(self, counts: Mapping[str, int]) -> None:
        """Set the number of cameras that are offline for a reason of ours, by reason; reasons left out are 0."""
        for reason in FailureReason:
            self._series.set("patrol_cameras_for_operator", counts.get(reason, 0), reason)

    def finding_event(self, step: str) -> None:
        """Count an event of the ledger."""
        self._series.increase("patrol_finding_events_total", step)

    def finding_unheard(self) -> None:
        """Count a verdict that the ledger skipped."""
        self._series.increase("patrol_findings_unheard_total")

    def rpc(self, method: str, code: str, seconds: float) -> None:
        """Record a gRPC call that ended."""
        self._series.observe("patrol_rpc_seconds", seconds, method, code)

    def call_refused(self, reason: str) -> None:
        """Count a call that was refused, by REFUSED_REASONS."""
        self._series.increase("patrol_calls_refused_total", reason)

    def handshakes_failed(self, listener: str, number: int) -> None:
        """Count connections that failed in their handshake, by HANDSHAKE_LISTENERS."""
        self._series.increase("patrol_handshakes_failed_total", listener, by=number)

    def scrape_refused(self, reason: str) -> None:
        """Count a scrape that was refused: password_missing or password_wrong."""
        self._series.increase("patrol_scrapes_refused_total", reason)

    def spans(self, outcome: str, number: int) -> None:
        """Count spans, by SPAN_OUTCOMES."""
        self._series.increase("patrol_trace_spans_total", outcome, by=number)

    def render(self) -> bytes:
        """Return the text that a scrape gets."""
        return self._series.render()

    def wsgi_app(self) -> WSGIApplication:
        """Return what answers scrapes."""
        return self._series.wsgi_app()
