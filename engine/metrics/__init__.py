"""The engine's metrics: their definitions, the recorder, and the HTTP listener that Prometheus scrapes."""

from engine.metrics.recorder import Metrics

__all__ = ["Metrics"]
