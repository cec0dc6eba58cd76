"""Settings of the traces for OpenTelemetry."""

from typing import ClassVar

from engine.config.setting import Section, key


class TraceSettings(Section):
    """Spans of visits and API calls for a collector, by OTLP over HTTP. Needs `pip install kitchen-patrol[otlp]`."""

    all_file_only: ClassVar[bool] = True

    endpoint: str = key(
        "",
        "URL of the collector for spans, such as http://127.0.0.1:4318/v1/traces; empty: no traces, at no cost.",
        hot=False,
    )
    visit_ratio: float = key(0.01, "Share of the visits that are traced.", ge=0, le=1, hot=False)
    call_ratio: float = key(
        0.1,
        "Share of the API calls that are traced. A caller with a valid token that sends a `traceparent` (W3C) decides "
        "for its own calls.",
        ge=0,
        le=1,
        hot=False,
    )
    headers_file: str = key(
        "",
        "File with headers for the collector, `name: value` a line, such as its API key; empty: none.",
        hot=False,
    )
    headers_env: str = key(
        "", "Name of the environment variable that has these lines, in place of the file.", hot=False
    )
    ca_file: str = key(
        "", "PEM file of the authority that signed the collector's certificate; empty: those of the system.", hot=False
    )
    queue_spans_max: int = key(
        4096, "Most spans that wait for the collector; beyond it new ones are dropped.", ge=16, le=1_000_000, hot=False
    )
