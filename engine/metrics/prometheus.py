"""Holds the series of the metrics and writes them for a scrape. The only module that imports prometheus_client."""

from collections.abc import Mapping, Sequence
from typing import Any
from wsgiref.types import WSGIApplication

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
    make_wsgi_app,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from engine.metrics.metric import OTHER, Metric

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets of every histogram."""
_UNITS = ("seconds", "bytes", "ratio")
"""Units that OpenMetrics knows; a name must end with its unit."""


class Series:
    """The series of these metrics, in a registry of their own. Every series that is known exists from the start, at 0.

    Methods may be called from any thread. Label values are given in the order of the metric's labels; one that the
    metric does not know counts as OTHER. A KeyError means that there is no such metric.
    """

    def __init__(self, metrics: Sequence[Metric], info: Mapping[str, Mapping[str, str]]) -> None:
        disable_created_metrics()  # a useless `_created` series beside each counter would double the scrape
        self._registry = CollectorRegistry()
        self._metrics = {metric.name: metric for metric in metrics}
        self._families = {metric.name: _family(metric, self._registry) for metric in metrics}
        self._known: dict[tuple[str, ...], Any] = {}
        self._replaced: dict[str, set[tuple[str, ...]]] = {}
        for metric in metrics:
            if metric.kind == "info":
                self._families[metric.name].info(dict(info[metric.name]))
            else:
                self.show(metric.name)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def show(self, name: str, **fixed: str) -> None:
        """Make the known series of a metric exist, at 0. `fixed`: values of labels that are not known by themselves."""
        for values in self._metrics[name].known_series(**fixed):
            key = (name, *values)
            if key not in self._known:
                family = self._families[name]
                self._known[key] = family.labels(*values) if values else family

    def increase(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Add to a counter."""
        self._series(name, labels).inc(by)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._series(name, labels).set(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Record a value in a histogram."""
        self._series(name, labels).observe(value)

    def replace(self, name: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Set a gauge by label values: known series that are not given become 0, all others are removed."""
        known = self._metrics[name].known_series()
        for labels in known:
            if labels not in values:
                self.set(name, 0, *labels)
        for labels, value in values.items():
            self.set(name, value, *labels)
        if not known:
            for labels in self._replaced.get(name, set()) - set(values):
                self._families[name].remove(*labels)
            self._replaced[name] = set(values)

    def render(self) -> bytes:
        """Return all series as Prometheus text."""
        return generate_latest(self._registry)

    def wsgi_app(self) -> WSGIApplication:
        """Return what answers scrapes: as Prometheus text, or as OpenMetrics if the request accepts that."""
        app: WSGIApplication = make_wsgi_app(self._registry)
        return app

    def _series(self, name: str, labels: tuple[str, ...]) -> Any:
        series = self._known.get((name, *labels))
        if series is not None:
            return series
        bounded = (
            value if not label.values or value in label.values else OTHER
            for label, value in zip(self._metrics[name].labels, labels, strict=True)
        )
        return self._families[name].labels(*bounded)


def _family(metric: Metric, registry: CollectorRegistry) -> Any:
    name = metric.name.removesuffix("_total").removesuffix("_info")
    unit = metric.unit if metric.unit in _UNITS and name.endswith(f"_{metric.unit}") else ""
    if metric.kind == "info":
        return Info(name, metric.help, registry=registry)
    if metric.kind == "counter":
        return Counter(name, metric.help, metric.label_names, unit=unit, registry=registry)
    if metric.kind == "gauge":
        return Gauge(name, metric.help, metric.label_names, unit=unit, registry=registry)
    return Histogram(name, metric.help, metric.label_names, unit=unit, buckets=_SECONDS, registry=registry)
