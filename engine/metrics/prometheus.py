"""Records the engine's metrics and serves them to Prometheus. The only module that imports prometheus_client."""

from collections.abc import Mapping
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
    start_http_server,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from engine.config.address import host_port
from engine.errors import ListenError
from engine.metrics.definitions import CPU_STAGES, METRICS, STAGES, THUMBNAIL_OUTCOMES, Metric
from engine.model.kpi import KpiName, Rate
from engine.model.schedule import SchedulerStatus

REGIONS_MAX = 500
"""Regions with a label value of their own; a province has fewer than 200 counties. All others count as `other`."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one hub, in a registry of their own. Methods may be called from any thread.

    Methods named after an event count it; methods named after a thing set gauges to its present state.
    """

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # a useless `_created` series beside each counter would double the scrape
        self.registry = CollectorRegistry()
        self._info = Info("patrol_build", _help("patrol_build_info"), registry=self.registry)
        self._info.info({"version": version})
        self._counters = {
            metric.name: _counter(metric, self.registry) for metric in METRICS if metric.kind == "counter"
        }
        self._gauges = {
            metric.name: Gauge(metric.name, metric.help, metric.labels, registry=self.registry)
            for metric in METRICS
            if metric.kind == "gauge"
        }
        self._histograms = {
            metric.name: Histogram(metric.name, metric.help, metric.labels, buckets=_SECONDS, registry=self.registry)
            for metric in METRICS
            if metric.kind == "histogram"
        }
        self._stages = {stage: self._histograms["patrol_stage_seconds"].labels(stage) for stage in STAGES}
        cpu = self._counters["patrol_stage_cpu_seconds_total"]
        self._cpu = {stage: cpu.labels(stage) for stage in CPU_STAGES}
        lags = self._histograms["patrol_visit_lag_seconds"]
        self._lags = {kind: lags.labels(kind) for kind in ("key_point", "ordinary", "suspicious", "offline")}
        thumbnails = self._counters["patrol_thumbnails_total"]
        self._thumbnails = {outcome: thumbnails.labels(outcome) for outcome in THUMBNAIL_OUTCOMES}
        self._camera_labels: set[tuple[str, str]] = set()
        self._server: WSGIServer | None = None
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def visit_ended(self, via: str, outcome: str) -> None:
        """Count a visit that ended; `outcome`: keyframe, or the reason why there is none."""
        self._counters["patrol_visits_total"].labels(via, outcome).inc()

    def check_done(self, state: str) -> None:
        """Count a verdict."""
        self._counters["patrol_checks_total"].labels(state).inc()

    def stage(self, stage: str, seconds: float) -> None:
        """Record how long one of STAGES took."""
        self._stages[stage].observe(seconds)

    def stage_cpu(self, stage: str, seconds: float) -> None:
        """Add the CPU time that one of CPU_STAGES took."""
        self._cpu[stage].inc(seconds)

    def dropped(self, reason: str, number: int = 1) -> None:
        """Count keyframes that were dropped without a measurement."""
        self._counters["patrol_intake_dropped_frames_total"].labels(reason).inc(number)

    def queue(self, frames: int, size: int, age_s: float) -> None:
        """Set the length, bytes and age of the intake queue."""
        self._gauges["patrol_intake_queue_frames"].set(frames)
        self._gauges["patrol_intake_queue_bytes"].set(size)
        self._gauges["patrol_intake_queue_age_seconds"].set(age_s)

    def cameras(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Set the numbers of cameras by announced state and region."""
        gauge = self._gauges["patrol_cameras"]
        labelled = set(sorted({region for _, region in counts})[:REGIONS_MAX])
        totals: dict[tuple[str, str], int] = dict.fromkeys(self._camera_labels, 0)
        for (state, region), number in counts.items():
            key = (state, (region or "none") if region in labelled else "other")
            totals[key] = totals.get(key, 0) + number
        for (state, region), number in totals.items():
            gauge.labels(state, region).set(number)
        self._camera_labels = set(totals)

    def thumbnail(self, outcome: str, bytes_kept: int) -> None:
        """Count a thumbnail that a caller asked for, one of THUMBNAIL_OUTCOMES; set the size of those that are kept."""
        self._thumbnails[outcome].inc()
        self._gauges["patrol_thumbnail_bytes"].set(bytes_kept)

    def kpis(self, counties: Mapping[str, Mapping[KpiName, Rate]]) -> None:
        """Set the day's KPIs so far by county, but not those without a denominator, nor counties beyond REGIONS_MAX."""
        ratio, measured = self._gauges["patrol_kpi_ratio"], self._gauges["patrol_kpi_measured_ratio"]
        ratio.clear()
        measured.clear()
        for county in sorted(counties)[:REGIONS_MAX]:
            for name, rate in counties[county].items():
                if rate.value is not None:
                    ratio.labels(name, county or "none").set(rate.value)
                if rate.registered:
                    measured.labels(name, county or "none").set(rate.measured / rate.registered)

    def kpis_late(self, number: int) -> None:
        """Count verdicts that came after their day was closed."""
        self._counters["patrol_kpi_late_total"].inc(number)

    def evidence(self, size: int, numbers: Mapping[str, int]) -> None:
        """Set the bytes of all keyframes that are kept, and their number by rank."""
        self._gauges["patrol_evidence_bytes"].set(size)
        for rank, number in numbers.items():
            self._gauges["patrol_evidence_files"].labels(rank).set(number)

    def evidence_out(self, rank: str) -> None:
        """Count a keyframe that was deleted because the budget was spent."""
        self._counters["patrol_evidence_out_total"].labels(rank).inc()

    def lag(self, kind: str, lag_s: float) -> None:
        """Record how late a visit of a class began."""
        self._lags[kind].observe(lag_s)

    def scheduler(self, status: SchedulerStatus) -> None:
        """Set the gauges of the scheduler's state."""
        gauges = self._gauges
        gauges["patrol_period_lag_seconds"].set(status.lag_s_max)
        for row in status.classes:
            gauges["patrol_class_cameras"].labels(row.name).set(row.cameras)
            gauges["patrol_class_coverage_ratio"].labels(row.name).set(row.coverage)
            periods = (row.period_s, row.period_s * row.stretch, row.achieved_period_s)
            for which, period_s in zip(("configured", "stretched", "achieved"), periods, strict=True):
                gauges["patrol_class_period_seconds"].labels(row.name, which).set(period_s)
        for reason, periods_shed in status.shed.items():
            gauges["patrol_periods_shed"].labels(reason).set(periods_shed)
        waiting = (("slot", status.ready), ("uplink", status.waiting_uplink), ("host", status.waiting_host))
        for gate, number in waiting:
            gauges["patrol_scheduler_waiting"].labels(gate).set(number)
        gauges["patrol_scheduler_demand"].set(status.demand_per_s)
        gauges["patrol_scheduler_capacity"].set(status.capacity_per_s)
        gauges["patrol_scheduler_overloaded"].set(status.capacity_per_s > 0)
        gauges["patrol_visits_allowed"].set(status.visits_allowed)
        gauges["patrol_cameras_failing"].clear()  # reasons that no camera fails for any more
        for reason, cameras in status.failing.items():
            gauges["patrol_cameras_failing"].labels(reason).set(cameras)
        gauges["patrol_outages"].set(len(status.outages))
        gauges["patrol_county_lag_seconds"].clear()  # counties that are no longer among the worst
        for region, lag_s in status.county_lags.items():
            gauges["patrol_county_lag_seconds"].labels(region).set(lag_s)

    def reloaded(self, outcome: str) -> None:
        """Count a reload of the configuration: applied, unchanged or refused."""
        self._counters["patrol_config_reloads_total"].labels(outcome).inc()
        self._gauges["patrol_config_stale"].set(outcome == "refused")

    def flow(self, visits_in_flight: int, workers: int, watchers: int) -> None:
        """Set the numbers of visits in flight, ready workers and watchers."""
        self._gauges["patrol_visits_in_flight"].set(visits_in_flight)
        self._gauges["patrol_workers_ready"].set(workers)
        self._gauges["patrol_watchers"].set(watchers)

    def worker_restarted(self, reason: str) -> None:
        """Count a worker that was replaced."""
        self._counters["patrol_worker_restarts_total"].labels(reason).inc()

    def feeder_restarted(self, kind: str, reason: str) -> None:
        """Count a feeder or demuxer that was replaced."""
        self._counters["patrol_feeder_restarts_total"].labels(kind, reason).inc()

    def stuck_threads(self, number: int) -> None:
        """Set the number of demuxing threads that were given up and have not returned."""
        self._gauges["patrol_demux_stuck_threads"].set(number)

    def fallback(self, outcome: str) -> None:
        """Count an RTSP visit that was retried through FFmpeg."""
        self._counters["patrol_rtsp_fallbacks_total"].labels(outcome).inc()

    def store_error(self, part: str) -> None:
        """Count a write that failed."""
        self._counters["patrol_store_errors_total"].labels(part).inc()

    def stored(self, written: int, dropped: Mapping[str, int]) -> None:
        """Add the records that were written, and that were dropped by reason, since the last call."""
        self._counters["patrol_store_written_total"].inc(written)
        for reason, number in dropped.items():
            self._counters["patrol_store_dropped_total"].labels(reason).inc(number)

    def notice_ended(self, endpoint: str, outcome: str) -> None:
        """Count an attempt to deliver a notice, or a notice that was given up (`dead`)."""
        self._counters["patrol_notices_total"].labels(endpoint, outcome).inc()

    def notices_waiting(self, endpoint: str, waiting: int, oldest_s: float, circuit_open: bool) -> None:
        """Set the state of an endpoint: notices that wait, the age of the oldest, whether its circuit is open."""
        self._gauges["patrol_notices_waiting"].labels(endpoint).set(waiting)
        self._gauges["patrol_notices_oldest_seconds"].labels(endpoint).set(oldest_s)
        self._gauges["patrol_notices_circuit_open"].labels(endpoint).set(circuit_open)

    def findings(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Set the numbers of findings that have not ended, by state and level."""
        for (state, level), number in counts.items():
            self._gauges["patrol_findings"].labels(state, level).set(number)

    def finding_event(self, step: str) -> None:
        """Count an event of the ledger."""
        self._counters["patrol_finding_events_total"].labels(step).inc()

    def finding_unheard(self) -> None:
        """Count a verdict that the ledger skipped."""
        self._counters["patrol_findings_unheard_total"].inc()

    def rpc(self, method: str, code: str, seconds: float) -> None:
        """Record a gRPC call that ended."""
        self._histograms["patrol_rpc_seconds"].labels(method, code).observe(seconds)

    def render(self) -> bytes:
        """Return the text that a scrape gets."""
        return generate_latest(self.registry)

    def serve(self, listen: str) -> str:
        """Answer scrapes on host:port; return the address that was bound. Raises ListenError if it cannot be bound."""
        host, port = host_port(listen)
        try:
            self._server, _ = start_http_server(port, host, registry=self.registry)
        except OSError as error:
            raise ListenError(
                f"serve.metrics_listen = {listen!r}: {error.strerror}; stop what listens there or take another address"
            ) from error
        return f"{host}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop answering scrapes."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _help(name: str) -> str:
    return next(metric.help for metric in METRICS if metric.name == name)


def _counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name.removesuffix("_total"), metric.help, metric.labels, registry=registry)
