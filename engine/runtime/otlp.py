"""Sends spans to a collector by OTLP over HTTP. The only import of OpenTelemetry; loaded only where traces are wanted.

The queue is bounded and sending has a thread of its own: a collector that is slow or away costs spans, and no visit.
"""

import logging
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence

from engine.config.reading.bounded_file import read_bounded
from engine.config.trace import TraceSettings
from engine.errors import ConfigError
from engine.model.trace import Span

try:
    import requests
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as missing:
    raise ConfigError(
        f"trace.endpoint: {missing}; `pip install 'kitchen-patrol[otlp]'`, or leave trace.endpoint empty"
    ) from missing

_BATCH_MAX = 512
_WAIT_S = 1.0
"""Longest time that a span waits for others before it is sent."""
_SEND_S = 10.0
_CLOSE_S = 3.0
_HEADERS_BYTES_MAX = 16_384


class OtlpExporter:
    """`counted(outcome, number)`: is told what became of spans, by SPAN_OUTCOMES. Raises ConfigError if the headers or
    the CA cannot be read."""

    def __init__(self, settings: TraceSettings, version: str, counted: Callable[[str, int], None]) -> None:
        self._settings = settings
        self._counted = counted
        self._waiting: queue.Queue[ReadableSpan] = queue.Queue(settings.queue_spans_max)
        self._closing = threading.Event()
        session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc
        session.max_redirects = 0  # a redirect would carry the headers elsewhere
        self._exporter = OTLPSpanExporter(
            endpoint=settings.endpoint,
            certificate_file=settings.ca_file or None,
            headers=_headers(settings),
            timeout=_SEND_S,
            session=session,
        )
        resource = Resource({"service.name": "kitchen-patrol", "service.version": version})
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(_Queueing(self._enqueue))
        self._tracer = provider.get_tracer("kitchen-patrol", version)
        self._thread = threading.Thread(target=self._send, name="otlp", daemon=True)
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # what fails is counted; a line a batch says no more

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._closing.set()
        self._thread.join(_CLOSE_S)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def emit(self, span: Span) -> None:
        """Queue a span with its parts, as a trace of its own. Any thread."""
        self._record(span, None, trace.SpanKind.INTERNAL)

    def emit_call(self, span: Span, traceparent: str) -> None:
        """Queue the span of an API call, if it is in the sample. Any thread.

        `traceparent`: of the caller, in the form of the W3C; its trace goes on, and its flag decides. If it is empty or
        cannot be read, trace.call_ratio does.
        """
        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}) if traceparent else None
        parent = trace.get_current_span(context).get_span_context() if context is not None else None
        if parent is None or not parent.is_valid:
            if random.random() < self._settings.call_ratio:  # noqa: S311 (a sample, no secret)
                self._record(span, None, trace.SpanKind.SERVER)
        elif parent.trace_flags.sampled:
            self._record(span, context, trace.SpanKind.SERVER)

    def _record(self, span: Span, context: Context | None, kind: trace.SpanKind) -> None:
        made = self._tracer.start_span(
            span.name, context, kind, attributes=dict(span.attributes), start_time=span.start_wall_ns
        )
        if span.error:
            made.set_status(trace.StatusCode.ERROR, span.error)
        inside = trace.set_span_in_context(made)
        for child in span.children:
            self._record(child, inside, trace.SpanKind.INTERNAL)
        made.end(max(span.start_wall_ns, span.end_wall_ns))

    def _enqueue(self, span: ReadableSpan) -> None:
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            self._counted("dropped", 1)

    def _send(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty()):
            batch = self._batch()
            if batch:
                sent = self._exporter.export(batch) is SpanExportResult.SUCCESS
                self._counted("exported" if sent else "failed", len(batch))

    def _batch(self) -> Sequence[ReadableSpan]:
        """Return spans that wait; empty if there are none for a second."""
        batch: list[ReadableSpan] = []
        give_up_s = time.monotonic() + _WAIT_S
        while len(batch) < _BATCH_MAX:
            try:
                left_s = 0.0 if self._closing.is_set() else give_up_s - time.monotonic()
                batch.append(self._waiting.get(timeout=max(0.001, left_s)))
            except queue.Empty:
                break
        return batch


class _Queueing(SpanProcessor):
    """Passes spans on when they end. OpenTelemetry's own queue does not count what it drops."""

    def __init__(self, enqueue: Callable[[ReadableSpan], None]) -> None:
        self._enqueue = enqueue

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span that ended."""
        self._enqueue(span)


def _headers(settings: TraceSettings) -> dict[str, str]:
    """Return the headers for the collector; no error shows their values."""
    if settings.headers_file:
        where = f"trace.headers_file = {settings.headers_file!r}"
        try:
            text = read_bounded(settings.headers_file, _HEADERS_BYTES_MAX).decode()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
            raise ConfigError(f"{where}: {why}; give a file with lines `name: value`") from None
    elif settings.headers_env:
        where = f"trace.headers_env = {settings.headers_env!r}"
        text = os.environ.get(settings.headers_env, "")
    else:
        return {}
    headers: dict[str, str] = {}
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not value.strip() or not (name + value).isprintable():
            raise ConfigError(f"{where}: line {number} is no header; allowed: `name: value`")
        headers[name.strip().lower()] = value.strip()
    if not headers:
        raise ConfigError(f"{where}: holds no header; give lines `name: value`")
    return headers
