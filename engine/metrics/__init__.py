"""The engine's metrics: their definitions, and the recorder that Prometheus scrapes."""

from engine.metrics.prometheus import Metrics

__all__ = ["Metrics"]
