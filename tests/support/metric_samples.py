"""Reads the values of metrics, as a scrape shows them."""

from prometheus_client.parser import text_string_to_metric_families

from engine.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """Return the value of one sample."""
    return samples(metrics)[name, frozenset(labels.items())]
