"""Traces at a real collector: real protobuf over a real port, from an engine that visits cameras and answers calls."""

import contextlib
import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from engine.client import PatrolClient
from engine.config.checks import cross_key_errors
from engine.config.feed import FeedSettings
from engine.config.schema import Settings
from engine.config.trace import TraceSettings
from engine.config.web import WebSettings
from engine.errors import ConfigError
from engine.model.camera import Camera
from engine.model.keyframe import Codec
from engine.model.trace import Span
from engine.runtime.otlp import OtlpExporter
from engine.supervisor.app import Supervisor
from patrol.v1 import patrol_pb2, patrol_pb2_grpc
from tests.support.feed.clips import encode, scene
from tests.support.feed.http_site import site
from tests.support.live_engine import scrape, settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
PICTURE = encode(Codec.MJPEG, [scene(640, 360)])[0]
API_KEY = "a-secret-of-the-collector"


class Collector:
    """Receives OTLP over HTTP. `status`: what it answers."""

    def __init__(self) -> None:
        self.spans: list[ProtoSpan] = []
        self.keys: set[str] = set()
        self.status = 200
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.keys.add(self.headers.get("api-key", ""))
                if collector.status == 200 and self.path == "/v1/traces":
                    raw = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                    for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
                        for scope in resource.scope_spans:
                            collector.spans.extend(scope.spans)
                self.send_response(collector.status)
                if collector.status == 307:
                    self.send_header("Location", f"http://127.0.0.1:{collector.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name in the class)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def named(self, name: str) -> list[ProtoSpan]:
        return [span for span in self.spans if span.name == name]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with contextlib.closing(Collector()) as collector:
        yield collector


def attributes(span: ProtoSpan) -> dict[str, str]:
    return {item.key: item.value.string_value for item in span.attributes}


def visits_of(collector: Collector, camera_id: str) -> list[ProtoSpan]:
    return [span for span in collector.named("visit") if attributes(span)["patrol.camera_id"] == camera_id]


def ask(address: str, traceparent: str = "", token: str = "") -> None:
    metadata = [("traceparent", traceparent)] if traceparent else []
    metadata += [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(address) as channel, contextlib.suppress(grpc.RpcError):
        patrol_pb2_grpc.PatrolServiceStub(channel).GetStatus(
            patrol_pb2.GetStatusRequest(), metadata=metadata, timeout=20
        )


def test_visits_and_calls_of_an_engine_are_traced_and_no_secret_is(tmp_path: Path, collector: Collector) -> None:
    headers = tmp_path / "headers"
    headers.write_text(f"api-key: {API_KEY}\n", encoding="utf-8")
    trace = TraceSettings(endpoint=collector.url, visit_ratio=1, call_ratio=0, headers_file=str(headers))
    feed = FeedSettings(deadline_s=8, connect_timeout_s=4, demuxers=1)
    chosen = settings(tmp_path, trace=trace, feed=feed, web=WebSettings(listen="127.0.0.1:0"))
    password = "a-password-of-a-camera"
    with (
        site({"/1.jpg": ("image/jpeg", PICTURE)}) as pictures,
        Supervisor(chosen) as engine,
        PatrolClient(engine.addresses["grpc"], timeout_s=20) as client,
    ):
        broken = f"rtsp://admin:{password}@127.0.0.1:{free_port()}/1"
        client.import_cameras(
            [Camera("c1", broken, region="130102"), Camera("c2", f"{pictures}/1.jpg", region="130102")]
        )
        wait_until(lambda: visits_of(collector, "c1") and visits_of(collector, "c2"), 90)
        ask(engine.addresses["grpc"], NOT_SAMPLED)
        ask(engine.addresses["grpc"], "nonsense")
        ask(engine.addresses["grpc"], SAMPLED)
        over_http = httpx.get(
            f"http://{engine.addresses['web']}/v1/status",
            headers={"traceparent": SAMPLED.replace("a", "b")},
            timeout=20,
        )
        assert over_http.status_code == 200
        wait_until(lambda: len(collector.named("patrol.v1.PatrolService/GetStatus")) >= 2, 30)
        exported = scrape(engine.addresses["metrics"])["patrol_trace_spans_total", (("outcome", "exported"),)]
    seen = visits_of(collector, "c2")[0]
    names = [span.name for span in collector.spans if span.parent_span_id == seen.span_id]
    assert set(names) >= {"score", "judge", "store"}
    assert (attributes(seen)["patrol.outcome"], seen.status.code) == ("keyframe", Status.STATUS_CODE_UNSET)
    visit = visits_of(collector, "c1")[0]
    parts = [span for span in collector.spans if span.parent_span_id == visit.span_id]
    assert {"judge", "store"} <= {part.name for part in parts} <= {"connect", "judge", "store"}
    assert {part.trace_id for part in parts} == {visit.trace_id}
    assert attributes(visit)["patrol.outcome"] == attributes(visit)["patrol.reason"] == "refused"
    assert visit.status.code == Status.STATUS_CODE_ERROR
    assert all(visit.start_time_unix_nano <= part.end_time_unix_nano <= visit.end_time_unix_nano for part in parts)
    calls = collector.named("patrol.v1.PatrolService/GetStatus")
    assert {call.trace_id.hex() for call in calls} == {TRACE, TRACE.replace("a", "b")}, "each caller's own trace"
    assert {call.kind for call in calls} == {ProtoSpan.SPAN_KIND_SERVER}
    by_grpc = next(call for call in calls if call.trace_id.hex() == TRACE)
    assert by_grpc.parent_span_id.hex() == PARENT
    assert (attributes(by_grpc)["patrol.code"], attributes(by_grpc)["patrol.actor"]) == ("OK", "local")
    assert collector.keys == {API_KEY}
    told = "".join(map(str, collector.spans))
    assert password not in told
    assert API_KEY not in told
    assert exported > 0


def exporter(endpoint: str, counts: dict[str, int], **more: Any) -> OtlpExporter:
    def counted(outcome: str, number: int) -> None:
        counts[outcome] = counts.get(outcome, 0) + number

    made = OtlpExporter(TraceSettings(endpoint=endpoint, **more), "1", counted)
    made.start()
    return made


def test_a_collector_that_is_away_or_refuses_costs_spans_that_are_counted(collector: Collector) -> None:
    counts: dict[str, int] = {}
    collector.status = 400
    spans = exporter(collector.url, counts)
    spans.emit(Span("visit", 1, 2, children=(Span("connect", 1, 2),)))
    wait_until(lambda: counts == {"failed": 2})
    collector.status = 200
    spans.emit(Span("visit", 1, 2))
    wait_until(lambda: counts == {"failed": 2, "exported": 1})
    spans.close()
    assert [span.name for span in collector.spans] == ["visit"]


def test_a_redirect_leads_the_headers_nowhere(tmp_path: Path, collector: Collector) -> None:
    counts: dict[str, int] = {}
    collector.status = 307
    spans = exporter(collector.url, counts)
    spans.emit(Span("visit", 1, 2))
    wait_until(lambda: counts.get("failed"), 30)
    spans.close()
    assert not collector.spans


def test_a_full_queue_drops_and_counts_and_never_waits() -> None:
    counts: dict[str, int] = {}
    spans = OtlpExporter(
        TraceSettings(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces", queue_spans_max=16), "1",
        lambda outcome, number: counts.update({outcome: counts.get(outcome, 0) + number}),
    )  # fmt: skip
    began_s = time.monotonic()
    for _ in range(500):  # nothing is sent: it was not started
        spans.emit(Span("visit", 1, 2))
    assert counts == {"dropped": 484}
    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize(
    ("ratio", "traceparent", "traced"),
    [
        (0, "", False), (1, "", True), (0, SAMPLED, True), (1, NOT_SAMPLED, False), (1, "nonsense", True),
        (0, "nonsense", False), (0, f"00-{'0' * 32}-{PARENT}-01", False), (0, SAMPLED + "x" * 5000, False),
    ],
)  # fmt: skip
def test_the_caller_decides_for_its_own_calls(
    collector: Collector, ratio: float, traceparent: str, traced: bool
) -> None:
    counts: dict[str, int] = {}
    spans = exporter(collector.url, counts, call_ratio=ratio)
    spans.emit_call(Span("call", 1, 2), traceparent)
    spans.emit(Span("last", 1, 2))
    wait_until(lambda: collector.named("last"))
    spans.close()
    assert bool(collector.named("call")) is traced


@pytest.mark.parametrize("text", ["", "no colon", "name:", ": value", "a: b\x1b[0m"])
def test_headers_that_are_none_are_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "headers"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"trace\.headers_file") as error:
        exporter("http://127.0.0.1:9/v1/traces", {}, headers_file=str(file))
    assert "no colon" not in str(error.value)
    with pytest.raises(ConfigError, match=r"trace\.headers_env"):
        exporter("http://127.0.0.1:9/v1/traces", {}, headers_env="NOT_THERE")


@pytest.mark.parametrize(
    ("trace", "refused"),
    [
        ({"endpoint": "collector:4317"}, "trace.endpoint"),
        ({"endpoint": "ftp://collector/x"}, "trace.endpoint"),
        ({"endpoint": "https://user:hunter2@collector/v1/traces"}, "trace.endpoint"),
        ({"endpoint": "http://10.0.0.1:4318/v1/traces", "headers_file": "h"}, "trace.endpoint"),
        ({"endpoint": "http://10.0.0.1:4318/v1/traces"}, ""),
        ({"endpoint": "http://127.0.0.1:4318/v1/traces", "headers_file": "h"}, ""),
        ({"headers_file": "h", "headers_env": "H"}, "trace.headers_file"),
        ({}, ""),
    ],
)
def test_an_endpoint_that_would_show_secrets_is_refused(trace: dict[str, str], refused: str) -> None:
    errors = cross_key_errors(Settings(trace=TraceSettings.model_validate(trace)))
    assert [error.startswith(refused) for error in errors] == ([True] if refused else [])
    assert "hunter2" not in "".join(errors)


def test_without_an_endpoint_nothing_of_opentelemetry_is_loaded() -> None:
    script = (
        "import sys; import engine.hub.composition.hub, engine.web.process, engine.serve.server; "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=120).returncode == 0
