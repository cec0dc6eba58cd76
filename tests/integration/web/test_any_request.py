"""Whatever is sent, the gateway answers with an error that says what is wrong, and never with one of its own making."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.web.documents import openapi_json
from tests.support.serve.served import county_cameras, serving
from tests.support.web.gateway import caller, gateway

SPEC = json.loads(openapi_json())
OPERATIONS = sorted((verb.upper(), path) for path, item in SPEC["paths"].items() for verb in item)
FIELDS = sorted({name for schema in SPEC["components"]["schemas"].values() for name in schema.get("properties", ())})
PARAMETERS = sorted(
    {
        p["name"]
        for item in SPEC["paths"].values()
        for operation in item.values()
        for p in operation.get("parameters", ())
    }
)
TEXT = st.text(max_size=20) | st.sampled_from(
    ["cameras/c1", "c1", "latest", "../../etc/passwd", "%2e%2e", "\0", "1", "-1"]
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3)
)


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("any"), watchers_max=200) as served:
        served.hub.put(*county_cameras(3))
        with gateway(served.address) as address, caller(address, http2=False) as client:
            yield client


def quoted(text: str) -> str:
    return httpx.URL("http://h/", params={"x": text}).query.decode()[2:].replace("+", "%20")


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(OPERATIONS),
    TEXT,
    st.lists(st.tuples(st.sampled_from(PARAMETERS) | TEXT, TEXT), max_size=3),
    TREES | st.binary(max_size=30),
)
def test_any_request_is_answered(
    http: httpx.Client, operation: tuple[str, str], name: str, query: list[tuple[str, str]], body: Any
) -> None:
    verb, path = operation
    for part in ("camera", "verdict", "finding", "token", "spotCheck"):
        path = path.replace(f"{{{part}}}", quoted(name) or "x")
    content = None if verb == "GET" else body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Grpc-Timeout": "1S"}
    url = f"{path}?{httpx.QueryParams(query)}" if query else path
    with http.stream(verb, url, content=content, headers=headers) as reply:
        if reply.status_code == 200:
            return
        error = json.loads(reply.read())["error"]
    assert error["code"] == reply.status_code
    assert error["status"] not in ("INTERNAL", "UNKNOWN"), error
    assert error["message"]
    assert error["details"][0]["reason"]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /v1/cameras/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://evil.example/v1/cameras HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/cameras HTTP/1.1\r\n\r\n",
        b"GET /v1/cameras HTTP/1.0\r\n\r\n",
        b"POST /v1/cameras HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/cameras HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/cameras HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_are_refused(http: httpx.Client, raw: bytes) -> None:
    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=10) as connection:
        connection.sendall(raw)
        status = connection.recv(4096).partition(b" ")[2][:3]
    assert status[:1] == b"4", raw[:80]
