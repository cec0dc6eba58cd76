"""Metrics of the HTTP gateway, which is a process of its own with series of its own."""

from engine.metrics.metric import Label, Metric
from engine.metrics.prometheus import Series

REFUSED_KINDS = ("calls", "streams", "uploads", "connections")

WEB_METRICS = (
    Metric(
        "patrol_web_request_seconds",
        "histogram",
        (
            Label("route", unknown_because="each call and path; it is shown once it was requested"),
            Label("status", unknown_because="each HTTP status; it is shown once it was sent"),
        ),
        "seconds",
        "HTTP requests by call (or path) and HTTP status; a stream counts when it ends.",
        "Status 5xx: the log. Slow: which route; patrol_rpc_seconds shows whether the engine or the gateway waits.",
    ),
    Metric(
        "patrol_web_calls",
        "gauge",
        (),
        "calls",
        "Calls in flight.",
        "At web.calls_max calls are refused: find out who calls so often.",
    ),
    Metric(
        "patrol_web_streams",
        "gauge",
        (),
        "streams",
        "Watches and checks in flight.",
        "At web.streams_max watches are refused: find out who opens so many.",
    ),
    Metric(
        "patrol_web_refused_total",
        "counter",
        (Label("kind", REFUSED_KINDS),),
        "requests",
        "Requests refused with 503, by what there was too much of; connections: closed to make room for others.",
        "It grows: raise web.calls_max or web.streams_max, or have the callers ask less often.",
    ),
    Metric(
        "patrol_web_sent_bytes_total",
        "counter",
        (),
        "bytes",
        "Bytes of bodies sent.",
        "Nothing: for information.",
    ),
    Metric(
        "patrol_web_handshakes_failed_total",
        "counter",
        (),
        "connections",
        "Connections that failed in their TLS handshake; those that were only broken off do not count.",
        "Many: `patrol audit` has the addresses: a caller without TLS or with an old authority, or somebody who tries.",
    ),
)


class WebMetrics:
    """The metrics of one gateway."""

    def __init__(self) -> None:
        self._series = Series(WEB_METRICS, {})

    def request(self, route: str, status: int, seconds: float, sent_bytes: int) -> None:
        """Record a request that ended."""
        self._series.observe("patrol_web_request_seconds", seconds, route, str(status))
        self._series.increase("patrol_web_sent_bytes_total", by=sent_bytes)

    def in_flight(self, calls: int, streams: int) -> None:
        """Set the numbers of calls and streams in flight."""
        self._series.set("patrol_web_calls", calls)
        self._series.set("patrol_web_streams", streams)

    def refused(self, kind: str) -> None:
        """Count a request that was refused, or a connection that was closed, because there are too many of a kind, one
        of REFUSED_KINDS."""
        self._series.increase("patrol_web_refused_total", kind)

    def handshake_failed(self) -> None:
        """Count a connection that failed in its TLS handshake."""
        self._series.increase("patrol_web_handshakes_failed_total")

    def render(self) -> bytes:
        """Return the text that a scrape gets."""
        return self._series.render()
