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
from engine.metrics.definitions import CPU_STAGES, METRICS, STAGES, Metric
from engine.model.kpi import KpiName, Rate
from engine.model.schedule import SchedulerStatus

REGIONS_MAX = 500
"""Regions that get a label value of their own; a province has fewer than 200 counties. The rest is `other`."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one hub, in a registry of their own. Methods may be called from any thread."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # a `_created` series beside each counter doubles a scrape and tells nobody anything
        self.registry = CollectorRegistry()
        self._info = Info("patrol_build", _help("patrol_build_info"), registry=self.registry)
        self._info.info({"version": version})
        self._counters = {m.name: _counter(m, self.registry) for m in METRICS if m.kind == "counter"}
        self._gauges = {
            m.name: Gauge(m.name, m.help, m.labels, registry=self.registry) for m in METRICS if m.kind == "gauge"
        }
        self._histograms = {
            m.name: Histogram(m.name, m.help, m.labels, buckets=_SECONDS, registry=self.registry)
            for m in METRICS
            if m.kind == "histogram"
        }
        self._stages = {stage: self._histograms["patrol_stage_seconds"].labels(stage) for stage in STAGES}
        cpu = self._counters["patrol_stage_cpu_seconds_total"]
        self._cpu = {stage: cpu.labels(stage) for stage in CPU_STAGES}
        lags = self._histograms["patrol_visit_lag_seconds"]
        self._lags = {kind: lags.labels(kind) for kind in ("key_point", "ordinary", "suspicious", "offline")}
        self._camera_labels: set[tuple[str, str]] = set()
        self._server: WSGIServer | None = None
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def visit_ended(self, via: str, outcome: str) -> None:
        """A visit ended with a keyframe, or with a reason."""
        self._counters["patrol_visits_total"].labels(via, outcome).inc()

    def check_done(self, state: str) -> None:
        """A verdict was given."""
        self._counters["patrol_checks_total"].labels(state).inc()

    def stage(self, stage: str, seconds: float) -> None:
        """One of STAGES took this long."""
        self._stages[stage].observe(seconds)

    def stage_cpu(self, stage: str, seconds: float) -> None:
        """One of CPU_STAGES took so much processor time."""
        self._cpu[stage].inc(seconds)

    def dropped(self, reason: str, number: int = 1) -> None:
        """Frames ended without a measurement."""
        self._counters["patrol_intake_dropped_frames_total"].labels(reason).inc(number)

    def queue(self, frames: int, size: int, age_s: float) -> None:
        """The intake, as it is now."""
        self._gauges["patrol_intake_queue_frames"].set(frames)
        self._gauges["patrol_intake_queue_bytes"].set(size)
        self._gauges["patrol_intake_queue_age_seconds"].set(age_s)

    def cameras(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Cameras by announced state and region."""
        gauge = self._gauges["patrol_cameras"]
        regions = sorted({region for _, region in counts})[:REGIONS_MAX]
        known = set(regions)
        totals: dict[tuple[str, str], int] = dict.fromkeys(self._camera_labels, 0)
        for (state, region), number in counts.items():
            key = (state, (region or "none") if region in known else "other")
            totals[key] = totals.get(key, 0) + number
        for (state, region), number in totals.items():
            gauge.labels(state, region).set(number)
        self._camera_labels = set(totals)

    def kpis(self, counties: Mapping[str, Mapping[KpiName, Rate]]) -> None:
        """The day's KPIs so far by county; those without a denominator are left out, and counties beyond the bound."""
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
        """So many verdicts came when their day was over."""
        self._counters["patrol_kpi_late_total"].inc(number)

    def evidence(self, size: int, numbers: Mapping[str, int]) -> None:
        """What is kept, now, by rank."""
        self._gauges["patrol_evidence_bytes"].set(size)
        for rank, number in numbers.items():
            self._gauges["patrol_evidence_files"].labels(rank).set(number)

    def evidence_out(self, rank: str) -> None:
        """A keyframe was let go because the budget was spent."""
        self._counters["patrol_evidence_out_total"].labels(rank).inc()

    def lag(self, kind: str, lag_s: float) -> None:
        """A visit began so late."""
        self._lags[kind].observe(lag_s)

    def scheduler(self, status: SchedulerStatus) -> None:
        """How the patrol keeps its periods, as it is now."""
        gauges = self._gauges
        gauges["patrol_period_lag_seconds"].set(status.lag_s_max)
        for one in status.classes:
            gauges["patrol_class_cameras"].labels(one.name).set(one.cameras)
            gauges["patrol_class_coverage_ratio"].labels(one.name).set(one.coverage)
            periods = (one.period_s, one.period_s * one.stretch, one.achieved_period_s)
            for which, period_s in zip(("configured", "stretched", "achieved"), periods, strict=True):
                gauges["patrol_class_period_seconds"].labels(one.name, which).set(period_s)
        for reason, periods_shed in status.shed.items():
            gauges["patrol_periods_shed"].labels(reason).set(periods_shed)
        waiting = (("slot", status.ready), ("uplink", status.waiting_uplink), ("host", status.waiting_host))
        for gate, number in waiting:
            gauges["patrol_scheduler_waiting"].labels(gate).set(number)
        gauges["patrol_scheduler_demand"].set(status.demand_per_s)
        gauges["patrol_scheduler_capacity"].set(status.capacity_per_s)
        gauges["patrol_scheduler_overloaded"].set(status.capacity_per_s > 0)
        gauges["patrol_visits_allowed"].set(status.visits_allowed)
        gauges["patrol_cameras_failing"].clear()  # a reason that is gone is none of the failures now
        for reason, cameras in status.failing.items():
            gauges["patrol_cameras_failing"].labels(reason).set(cameras)
        gauges["patrol_outages"].set(len(status.outages))
        gauges["patrol_county_lag_seconds"].clear()  # a county that left the worst is no longer known
        for region, lag_s in status.county_lags.items():
            gauges["patrol_county_lag_seconds"].labels(region).set(lag_s)

    def reloaded(self, outcome: str) -> None:
        """A reload ended: applied, unchanged or refused."""
        self._counters["patrol_config_reloads_total"].labels(outcome).inc()
        self._gauges["patrol_config_stale"].set(outcome == "refused")

    def flow(self, visits_in_flight: int, workers: int, watchers: int) -> None:
        """What is under way, as it is now."""
        self._gauges["patrol_visits_in_flight"].set(visits_in_flight)
        self._gauges["patrol_workers_ready"].set(workers)
        self._gauges["patrol_watchers"].set(watchers)

    def worker_restarted(self, reason: str) -> None:
        """A worker was replaced."""
        self._counters["patrol_worker_restarts_total"].labels(reason).inc()

    def feeder_restarted(self, kind: str, reason: str) -> None:
        """A feeder or demuxer was replaced."""
        self._counters["patrol_feeder_restarts_total"].labels(kind, reason).inc()

    def stuck_threads(self, number: int) -> None:
        """Demuxing threads that do not come back, now."""
        self._gauges["patrol_demux_stuck_threads"].set(number)

    def fallback(self, outcome: str) -> None:
        """An RTSP visit was tried again through FFmpeg."""
        self._counters["patrol_rtsp_fallbacks_total"].labels(outcome).inc()

    def store_error(self, part: str) -> None:
        """A write failed."""
        self._counters["patrol_store_errors_total"].labels(part).inc()

    def stored(self, written: int, dropped: Mapping[str, int]) -> None:
        """Records written and not written since the last call."""
        self._counters["patrol_store_written_total"].inc(written)
        for reason, number in dropped.items():
            self._counters["patrol_store_dropped_total"].labels(reason).inc(number)

    def notice_ended(self, endpoint: str, outcome: str) -> None:
        """An attempt to deliver a notice ended, or a notice was given up (`dead`)."""
        self._counters["patrol_notices_total"].labels(endpoint, outcome).inc()

    def notices_waiting(self, endpoint: str, waiting: int, oldest_s: float, circuit_open: bool) -> None:
        """What waits for an endpoint, as it is now."""
        self._gauges["patrol_notices_waiting"].labels(endpoint).set(waiting)
        self._gauges["patrol_notices_oldest_seconds"].labels(endpoint).set(oldest_s)
        self._gauges["patrol_notices_circuit_open"].labels(endpoint).set(circuit_open)

    def findings(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Findings that have not ended, by state and level."""
        for (state, level), number in counts.items():
            self._gauges["patrol_findings"].labels(state, level).set(number)

    def finding_event(self, step: str) -> None:
        """The ledger said something."""
        self._counters["patrol_finding_events_total"].labels(step).inc()

    def finding_unheard(self) -> None:
        """The ledger did not hear a verdict."""
        self._counters["patrol_findings_unheard_total"].inc()

    def rpc(self, method: str, code: str, seconds: float) -> None:
        """A gRPC call ended."""
        self._histograms["patrol_rpc_seconds"].labels(method, code).observe(seconds)

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)

    def serve(self, listen: str) -> str:
        """Answer scrapes on host:port; returns the address really bound. Raises ListenError."""
        host, port = host_port(listen)
        try:
            self._server, _ = start_http_server(port, host, registry=self.registry)
        except OSError as error:
            raise ListenError(
                f"serve.metrics_listen = {listen!r}: {error.strerror}; stop what listens there or take another address"
            ) from error
        return f"{host}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _help(name: str) -> str:
    return next(one.help for one in METRICS if one.name == name)


def _counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name.removesuffix("_total"), metric.help, metric.labels, registry=registry)
