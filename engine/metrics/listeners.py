"""Definitions of the metrics of what listeners refuse beside calls, and of traces. Pure."""

from engine.metrics.metric import Label, Metric
from engine.model.trace import SPAN_OUTCOMES

HANDSHAKE_LISTENERS = ("grpc", "metrics", "intake")

LISTENER_METRICS = (
    Metric(
        "patrol_handshakes_failed_total",
        "counter",
        (Label("listener", HANDSHAKE_LISTENERS),),
        "connections",
        "Connections that failed in their handshake: no TLS or no CURVE, or a certificate or a key of ours that is not "
        "the right one. Those that were only broken off count at the intake alone, where they look the same; keys of "
        "gateways that are not known do not count.",
        "Many: `patrol audit` has the addresses, where the transport tells them: a caller without TLS, with an old "
        "authority or key, or somebody who tries.",
    ),
    Metric(
        "patrol_scrapes_refused_total",
        "counter",
        (Label("reason", ("password_missing", "password_wrong")),),
        "scrapes",
        "Requests for /metrics of serve.metrics_listen that were refused for want of the password.",
        "It grows: `patrol audit` shows from where: a Prometheus with an old password, or somebody who tries.",
    ),
    Metric(
        "patrol_trace_spans_total",
        "counter",
        (Label("outcome", SPAN_OUTCOMES),),
        "spans",
        "Spans of traces (trace.endpoint): exported to the collector; dropped, because too many waited; failed, as "
        "the collector did not accept them.",
        "dropped: lower trace.visit_ratio and trace.call_ratio, or raise trace.queue_spans_max. failed: see that the "
        "collector at trace.endpoint is up and accepts trace.headers_file.",
    ),
)
