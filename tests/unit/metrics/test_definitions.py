"""Every metric says what its labels can be, so that no series is missing until its first increase."""

import math
import re
from itertools import product

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

from engine.metrics import Metrics, records, scheduling
from engine.metrics.definitions import METRICS
from engine.metrics.labels import HOSTS_MAX
from engine.metrics.metric import OTHER, Label, Metric
from engine.metrics.prometheus import Series
from engine.metrics.web import WEB_METRICS
from engine.model.findings import FindingState, FindingTally, Level
from engine.model.verdict import Severity
from engine.model.visit import FailureReason
from engine.notices.attempt import Outcome
from engine.scheduler.classes import CLASSES
from engine.scheduler.dispatch import WAIT_REASONS
from engine.storage.evidence.quota import Rank
from tests.support.metric_samples import samples

BASE_UNITS = ("seconds", "bytes", "ratio")


@pytest.mark.parametrize("values", [{}, {"values": ("a",), "unknown_because": "b"}])
def test_a_label_names_its_values_or_says_why_it_cannot(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="label reason: give its values, or say why"):
        Label("reason", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", [*METRICS, *WEB_METRICS], ids=lambda metric: metric.name)
def test_a_metric_is_described_and_named_by_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"patrol_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.help.endswith(".")
    assert metric.what_to_do.endswith(".")
    assert metric.what_to_do != metric.help
    assert metric.unit
    for unit in BASE_UNITS:
        ends = metric.name.removesuffix("_total").endswith(f"_{unit}")
        assert ends == (metric.unit == unit), f"a name ends with its unit, {metric.unit} here"
    for label in metric.labels:
        assert len(set(label.values)) == len(label.values)
        assert "camera" not in label.name


@pytest.mark.parametrize("metric", [m for m in METRICS if m.kind != "info"], ids=lambda metric: metric.name)
def test_every_series_that_is_known_exists_from_the_start(metric: Metric) -> None:
    name = f"{metric.name}_count" if metric.kind == "histogram" else metric.name
    shown = {labels: value for (sample, labels), value in samples(Metrics("x")).items() if sample == name}
    known = [
        frozenset(zip(metric.label_names, values, strict=True))
        for values in product(*(label.values for label in metric.labels))
    ]
    assert set(known) <= set(shown)
    assert {shown[labels] for labels in known} <= {0.0, math.inf}
    if all(label.values for label in metric.labels):
        assert set(shown) == set(known)


def test_the_values_are_those_that_the_stages_have() -> None:
    """The stages lie above the metrics and cannot be imported there."""
    assert tuple(camera_class.label for camera_class in CLASSES) == scheduling.CAMERA_CLASSES
    assert set(records.NOTICE_OUTCOMES) == {*Outcome, "dead"}
    shown = samples(Metrics("x"))
    for rank in Rank:
        assert ("patrol_evidence_files", frozenset({("rank", rank.label)})) in shown
    for reason in WAIT_REASONS[1:]:
        assert ("patrol_periods_shed", frozenset({("reason", reason)})) in shown


def test_a_value_that_nobody_knows_counts_as_other() -> None:
    metrics = Metrics("x")
    metrics.worker_restarted("signal_31")
    metrics.visit_ended("rtsp", FailureReason.DNS)
    assert samples(metrics)["patrol_worker_restarts_total", frozenset({("reason", OTHER)})] == 1
    assert samples(metrics)["patrol_visits_total", frozenset({("via", "rtsp"), ("outcome", "dns")})] == 1


def test_an_endpoint_shows_every_outcome_once_it_is_configured() -> None:
    metrics = Metrics("x")
    metrics.notice_endpoint("county")
    outcomes = [labels for name, labels in samples(metrics) if name == "patrol_notices_total"]
    assert len(outcomes) == len(records.NOTICE_OUTCOMES)
    metrics.notice_ended("county", "delivered")
    metrics.notice_endpoint("county")  # the configuration was read again
    delivered = frozenset({("endpoint", "county"), ("outcome", "delivered")})
    assert samples(metrics)["patrol_notices_total", delivered] == 1


def test_a_gauge_that_is_replaced_forgets_what_is_over() -> None:
    labels = (Label("host", unknown_because="a test"),)
    series = Series([Metric("x", "gauge", labels, "cameras", "X.", "Nothing: for information.")], {})
    series.replace("x", {("a",): 1, ("b",): 2})
    series.replace("x", {("b",): 3})
    text = series.render().decode()
    assert 'x{host="b"} 3.0' in text
    assert 'host="a"' not in text


def test_platforms_that_are_out_are_bounded_and_the_rest_is_summed() -> None:
    metrics = Metrics("x")
    assert samples(metrics)["patrol_outage_cameras", frozenset({("host", OTHER)})] == 0
    metrics.outages({f"host-{n:02}": n for n in range(1, 31)})
    shown = {dict(labels)["host"]: value for (name, labels), value in samples(metrics).items() if "outage_cam" in name}
    assert len(shown) == HOSTS_MAX + 1
    assert shown["host-30"] == 30
    assert shown[OTHER] == sum(range(1, 11))
    metrics.outages({})
    shown = {dict(labels)["host"]: value for (name, labels), value in samples(metrics).items() if "outage_cam" in name}
    assert shown == {OTHER: 0}


def test_visits_that_are_granted_are_shown_of_shared_platforms_only() -> None:
    metrics = Metrics("x")
    granted = {f"host-{n:02}": n for n in range(1, 23)}
    for hosts, shown in (({}, {OTHER: 0}), ({"a": 0, "b": 7}, {"a": 0, "b": 7}), (granted, {OTHER: 3, "host-22": 22})):
        metrics.vitals.shard(9, 0, hosts)
        seen = {dict(labels)["host"]: value for (name, labels), value in samples(metrics).items() if "granted" in name}
        assert shown.items() <= seen.items()
        assert len(seen) == min(len(hosts), HOSTS_MAX) + 1


def test_findings_are_counted_by_state_and_by_severity() -> None:
    metrics = Metrics("x")
    tally = FindingTally(FindingState.OPEN, Level.COUNTY, Severity.BLIND, overdue=False)
    metrics.findings({tally: 3, tally._replace(state=FindingState.OVERDUE, overdue=True): 2})
    late = frozenset({("severity", "blind"), ("level", "county"), ("overdue", "true")})
    assert samples(metrics)["patrol_findings_open", late] == 2
    assert samples(metrics)["patrol_findings", frozenset({("state", "open"), ("level", "county")})] == 3
    metrics.findings({})
    assert samples(metrics)["patrol_findings_open", late] == 0


def test_nothing_that_expires_is_infinitely_far_away() -> None:
    metrics = Metrics("x")
    assert samples(metrics)["patrol_token_remaining_seconds", frozenset()] == math.inf
    metrics.tokens(86_400)
    metrics.certificate(-1)
    assert samples(metrics)["patrol_token_remaining_seconds", frozenset()] == 86_400
    assert samples(metrics)["patrol_certificate_remaining_seconds", frozenset()] == -1


def test_open_metrics_parses_and_names_the_units() -> None:
    def start(status: str, headers: list[tuple[str, str]]) -> None:
        assert dict(headers)["Content-Type"].startswith("application/openmetrics-text")

    request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "HTTP_ACCEPT": "application/openmetrics-text"}
    body = b"".join(Metrics("x").wsgi_app()(request, start))  # type: ignore[arg-type]
    units = {family.name: family.unit for family in open_metrics(body.decode())}
    assert units["patrol_stage_seconds"] == "seconds"
    assert units["patrol_evidence_budget_bytes"] == "bytes"
