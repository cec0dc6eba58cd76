"""Metrics of the HTTP gateway, which is a process of its own with a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.process_collector import ProcessCollector

from engine.metrics.definitions import Metric

WEB_METRICS = (
    Metric(
        "patrol_web_request_seconds",
        "histogram",
        ("route", "status"),
        "HTTP requests by call (or path) and HTTP status; a stream counts when it ends.",
    ),
    Metric("patrol_web_calls", "gauge", (), "Calls in flight."),
    Metric("patrol_web_streams", "gauge", (), "Watches and checks in flight."),
    Metric(
        "patrol_web_refused_total", "counter", ("kind",), "Requests refused with 503, by what there was too much of."
    ),
    Metric("patrol_web_sent_bytes_total", "counter", (), "Bytes of bodies sent."),
)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class WebMetrics:
    """The metrics of one gateway."""

    def __init__(self) -> None:
        disable_created_metrics()
        self._registry = CollectorRegistry()
        requests, calls, streams, refused, sent = WEB_METRICS
        self._requests = Histogram(
            requests.name, requests.help, requests.labels, buckets=_SECONDS, registry=self._registry
        )
        self._calls = Gauge(calls.name, calls.help, registry=self._registry)
        self._streams = Gauge(streams.name, streams.help, registry=self._registry)
        self._refused = Counter(refused.name, refused.help, refused.labels, registry=self._registry)
        self._sent = Counter(sent.name, sent.help, registry=self._registry)
        for kind in ("calls", "streams"):
            self._refused.labels(kind)  # born at 0, so that the first refusal counts as an increase
        ProcessCollector(registry=self._registry)

    def request(self, route: str, status: int, seconds: float, sent_bytes: int) -> None:
        """Record a request that ended."""
        self._requests.labels(route, str(status)).observe(seconds)
        self._sent.inc(sent_bytes)

    def in_flight(self, calls: int, streams: int) -> None:
        """Set the numbers of calls and streams in flight."""
        self._calls.set(calls)
        self._streams.set(streams)

    def refused(self, kind: str) -> None:
        """Count a request that was refused because there are too many `calls` or `streams`."""
        self._refused.labels(kind).inc()

    def render(self) -> bytes:
        """Return the text that a scrape gets."""
        return generate_latest(self._registry)
