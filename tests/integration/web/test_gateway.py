"""The API over HTTP: every call, errors, tokens, watches and pictures, in front of a real gRPC server."""

import base64
import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
from google.protobuf import json_format
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from engine.clock import wall_ns
from engine.model.access import CALLER_METADATA, PEER_METADATA, AuditQuery, Role, TokenOrder
from engine.model.spot_check import SpotCheck, SpotCheckHeader
from engine.storage.db.store import Store
from engine.web.documents import openapi_json
from engine.web.routes import PICTURE_PATHS
from patrol.v1 import cameras_pb2, cameras_pb2_grpc
from tests.support.serve.calls import RPCS, good, send
from tests.support.serve.served import FakeHub, RunningServer, county_cameras, serving
from tests.support.waiting import wait_until
from tests.support.web.gateway import caller, fields, gateway, reason
from tests.support.web.requests import ROUTES, http_request

HERE, THERE = "130102", "130203"
SPEC = json.loads(openapi_json())
SCHEMAS: Any = Registry().with_resource("urn:api", DRAFT202012.create_resource(SPEC))


class World(NamedTuple):
    served: RunningServer
    address: str
    tokens: dict[str, str]

    def http(self, token: str = "admin", **more: Any) -> Any:
        return caller(self.address, self.tokens.get(token, token), **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("web")
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    # the second token is the one that the good request of RevokeToken names
    orders = {
        "admin": (Role.ADMIN, ""),
        "revoked": (Role.VIEWER, ""),
        "viewer": (Role.VIEWER, ""),
        "of_here": (Role.OPERATOR, HERE),
    }
    tokens = {
        name: store.access.create_token(TokenOrder(name, role, region), "test", wall_ns())[1]
        for name, (role, region) in orders.items()
    }
    hub = FakeHub(store)
    hub.put(*county_cameras(12, HERE, "c"), *county_cameras(3, THERE, "n"))
    for _ in range(9):
        hub.ledger.open(hub.registry.cameras["c1"])
    hub.draws.append(SpotCheck(SpotCheckHeader(1, 5, 1, 1, "13", 1.0, 1, 1), (), ()))
    with (
        serving(folder, watchers_max=20, hub=hub, page_size_max=1000) as served,
        gateway(served.address, streams_max=3, cors_origins=("https://console.example",)) as address,
    ):
        hub.judge("c1")
        hub.judge("n1")
        yield World(served, address, tokens)
    store.close()


def schema_errors(name: str, body: Any) -> list[str]:
    """Return what openapi.json does not allow in the reply of a call."""
    if name == "Empty":
        return [] if body == {} else [f"not empty: {body}"]
    validator = Draft202012Validator({"$ref": f"urn:api#/components/schemas/{name}"}, registry=SCHEMAS)
    return [error.message for error in validator.iter_errors(body)]


ORDERED = sorted(RPCS, key=lambda name: (any(word in name for word in ("Delete", "Revoke", "Resume")), name))


@pytest.mark.parametrize("name", ORDERED)
def test_every_call_is_answered_over_http(world: World, name: str) -> None:
    request = http_request(name, good(name))
    with (
        world.http() as http,
        http.stream(
            request.verb, request.path, params=request.params, json=request.body, headers={"Grpc-Timeout": "3S"}
        ) as reply,
    ):
        if reply.status_code != 200:
            reply.read()
        assert reply.status_code == 200, reply.text
        text = next(reply.iter_lines()) if RPCS[name].streams_out else reply.read().decode()
        body = json.loads(text)
    message = json_format.ParseDict(body, RPCS[name].reply())
    assert json_format.MessageToDict(message) == body
    assert schema_errors(type(message).__name__, body) == []


def test_what_is_wrong_is_said_as_over_grpc(world: World) -> None:
    """Each call with a request that the engine refuses: same code, same fields, the HTTP status of the code."""
    wrong: dict[str, dict[str, Any]] = {
        "CameraService/GetCamera": {"name": "cameras/nobody"},
        "CameraService/ListCameras": {"order_by": "colour"},
        "CameraService/CreateCamera": {"camera_id": "c1", "camera": {"url": "rtsp://h/1", "region": HERE}},
        "FindingService/ClaimFinding": {"name": "findings/9", "why": "x", "expected_number": 77},
        "SchedulerService/ResumePatrol": {"scope": {"region_prefix": "99"}},
    }
    expected = {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400, "ALREADY_EXISTS": 409, "ABORTED": 409}
    with grpc.insecure_channel(world.served.address) as channel, world.http() as http:
        for name, given in wrong.items():
            over_grpc = send(channel, name, RPCS[name].request(**given), world.tokens["admin"])
            request = http_request(name, RPCS[name].request(**given))
            reply = http.request(request.verb, request.path, params=request.params, json=request.body)
            error = reply.json()["error"]
            assert (error["status"], error["message"]) == (over_grpc.code, over_grpc.message), name
            assert reply.status_code == error["code"] == expected[over_grpc.code]
            assert (fields(reply), reason(reply)) == (over_grpc.fields, over_grpc.reason)
            assert schema_errors("Error", reply.json()) == []


def test_requests_that_the_gateway_cannot_read_name_what_is_wrong(world: World) -> None:
    with world.http() as http:
        reply = http.get("/v1/cameras", params={"nonsense": 1, "filter.state": "BAD"})
        assert (reply.status_code, fields(reply)) == (400, ["nonsense", "filter.state"])
        reply = http.post("/v1/cameras", params={"cameraId": "x"}, json={"url": "rtsp://h/1", "colour": "red"})
        assert (reply.status_code, fields(reply)) == (400, ["camera.colour"])
        reply = http.post("/v1/cameras", params={"cameraId": "x", "camera.url": "y"}, json={})
        assert (reply.status_code, fields(reply)) == (400, ["camera.url"])
        reply = http.post("/v1/cameras:batchDelete?names=cameras/c1", json={})
        assert reply.status_code == 400
        reply = http.post("/v1/cameras:batchDelete", content=b"names=x", headers={"Content-Type": "text/plain"})
        assert (reply.status_code, reason(reply)) == (415, "CONTENT_TYPE")
        reply = http.request("GET", "/v1/cameras", content=b"{}")
        assert reply.status_code == 400
        reply = http.get("/v1/cameras", headers={"Grpc-Timeout": "soon"})
        assert (reply.status_code, fields(reply)) == (400, ["Grpc-Timeout"])
        # A call may be quicker than the timer of so short a time.
        wait_until(lambda: http.get("/v1/cameras", headers={"Grpc-Timeout": "1n"}).status_code == 504)
        assert (reply := http.get("/v1/nothing")).status_code == 404
        assert reason(reply) == "NO_SUCH_PATH"
        reply = http.put("/v1/cameras/c1", json={})
        assert (reply.status_code, reply.headers["allow"]) == (405, "DELETE, GET, PATCH")
        assert http.get("/nothing").json()["error"]["status"] == "NOT_FOUND"


def test_bodies_are_bounded(world: World, tmp_path: Path) -> None:
    with (
        gateway(world.served.address, body_bytes_max=65_536, import_bytes_max=200_000) as address,
        caller(address, world.tokens["admin"]) as http,
    ):
        big = {"names": ["cameras/" + "x" * 100] * 1000}
        reply = http.post("/v1/cameras:batchDelete", json=big)
        assert (reply.status_code, reason(reply)) == (413, "BODY_TOO_LARGE")
        assert "web.body_bytes_max" in reply.json()["error"]["message"]
        chunks = iter([b'{"names": ["', b"x" * 70_000, b'"]}'])  # its length is not announced
        reply = http.post("/v1/cameras:batchDelete", content=chunks, headers={"Content-Type": "application/json"})
        assert reply.status_code == 413
        lines = {"Content-Type": "application/x-ndjson"}
        reply = http.post("/v1/cameras:import", content=b"x" * 70_000, headers=lines)
        assert "line 1" in reply.json()["error"]["message"]
        row = json.dumps({"cameras": [{"name": "cameras/q", "url": "rtsp://h/1", "region": HERE}]}).encode()
        reply = http.post("/v1/cameras:import", content=b"\n".join([row] * 5000), headers=lines)
        assert (reply.status_code, "web.import_bytes_max" in reply.text) == (413, True)
    assert "q" not in world.served.hub.registry.cameras


def test_photographs_may_be_larger_and_only_a_few_claims_with_them_at_once(world: World) -> None:
    file = b"\xff\xd8" + bytes(4_999_998)
    digest = hashlib.sha256(file).hexdigest()
    finding = world.served.hub.ledger.open(world.served.hub.registry.cameras["c1"]).finding_id
    body = {"photographs": [base64.b64encode(file).decode()] * 3}
    with world.http() as http:
        assert http.post(f"/v1/findings/{finding}:claim", json=body).status_code == 200
        shown = http.get(f"/v1/findings/{finding}/photographs/{digest}.jpg")
        assert (shown.content, shown.headers["content-type"]) == (file, "image/jpeg")
        assert not {"patrol-verdict", "patrol-arrival-time", "last-modified"} & set(shown.headers)
        etag = {"If-None-Match": shown.headers["etag"]}
        assert http.get(f"/v1/findings/{finding}/photographs/{digest}.jpg", headers=etag).status_code == 304
        other = http.get(f"/v1/findings/{finding}/photographs/{'0' * 64}.jpg")
        assert (other.status_code, reason(other)) == (404, "RESOURCE_NOT_FOUND")
        beyond = {"photographs": [*body["photographs"], body["photographs"][0][:400_000]]}
        reply = http.post(f"/v1/findings/{finding}:claim", json=beyond)
        assert (reply.status_code, reason(reply)) == (413, "BODY_TOO_LARGE")
        reply = http.post(f"/v1/findings/{finding}:acknowledge", json={"why": "x" * 2_000_000})
        assert reply.status_code == 413, "other calls are bounded as before"


def test_claims_with_photographs_wait_for_their_turn_outside(world: World) -> None:
    slow, go_on = threading.Event(), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b'{"photographs": ["' + b"A" * 100_000
        slow.set()
        assert go_on.wait(10)
        yield b'"]}'

    headers = {"Content-Type": "application/json"}
    with (
        gateway(world.served.address, body_bytes_max=65_536, uploads_max=1) as address,
        caller(address, world.tokens["admin"]) as http,
        caller(address, world.tokens["admin"]) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(lambda: http.post("/v1/findings/1:claim", content=pieces(), headers=headers))
        assert slow.wait(10)
        large = {"photographs": ["A" * 100_000]}
        refused = wait_until(
            lambda: reply if (reply := other.post("/v1/findings/1:claim", json=large)).status_code == 503 else None
        )
        assert (reason(refused), refused.headers["retry-after"]) == ("TOO_MANY_UPLOADS", "1")
        assert other.post("/v1/findings/1:acknowledge", json={}).status_code in (200, 400), "small ones go on"
        assert 'patrol_web_refused_total{kind="uploads"}' in other.get("/metrics").text
        go_on.set()
        assert first.result(20).status_code in (200, 400)
        assert other.post("/v1/findings/1:claim", json=large).status_code in (200, 400), "its place is given back"


def test_an_import_of_many_lines(world: World) -> None:
    rows = [
        {"cameras": [{"name": f"cameras/i{n}-{m}", "url": "rtsp://h/1", "region": HERE} for m in range(50)]}
        for n in range(20)
    ]
    lines = "\n".join(map(json.dumps, rows)) + "\n\n"
    headers = {"Content-Type": "application/x-ndjson"}
    with world.http() as http:
        reply = http.post("/v1/cameras:import", content=lines.encode(), headers=headers)
        assert (reply.status_code, reply.json()) == (200, {"added": 1000})
        bad = '{"cameras": []}\n{"cameras": 5}\n'
        reply = http.post("/v1/cameras:import", content=bad.encode(), headers=headers)
        assert (reply.status_code, fields(reply)) == (400, ["line 2: cameras"])
    with world.http("viewer") as http:
        for _ in range(10):  # the engine ends the call while the gateway writes, each time at another moment
            reply = http.post("/v1/cameras:import", content=lines.encode(), headers=headers)
            assert (reply.status_code, reply.json()["error"]["status"]) == (403, "PERMISSION_DENIED"), reply.text


def test_tokens_decide_as_over_grpc(world: World) -> None:
    with world.http("viewer") as http:
        assert http.get("/v1/cameras/n1").status_code == 200
        assert http.delete("/v1/cameras/n1").status_code == 403
        assert http.get("/v1/tokens").status_code == 403
    with world.http("of_here") as http:
        assert http.get("/v1/cameras/n1").status_code == 404
        assert http.get("/v1/cameras/n1/picture.jpg").status_code == 404
        regions = {camera["region"] for camera in http.get("/v1/cameras?pageSize=1000").json()["cameras"]}
        assert regions == {HERE}
    for token in ("", "wrong"):
        with world.http(token) as http:
            reply = http.get("/v1/cameras")
            assert (reply.status_code, reply.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
            assert reply.headers["www-authenticate"].startswith("Bearer")


def test_the_audit_log_has_the_callers_address_only_from_the_gateways_own_socket(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    hub = FakeHub(store)
    hub.put(*county_cameras(3))
    socket = tmp_path / "grpc"
    with serving(tmp_path, hub=hub, own_socket=socket) as served, gateway(f"unix:{socket}") as address:
        with caller(address) as http:
            assert http.delete("/v1/cameras/c1").status_code == 200
        with grpc.insecure_channel(served.address) as channel:
            stub = cameras_pb2_grpc.CameraServiceStub(channel)
            forged = ((PEER_METADATA, "ipv4:6.6.6.6:6"),)
            stub.DeleteCamera(cameras_pb2.DeleteCameraRequest(name="cameras/c2"), metadata=forged)
    direct, through = store.access.entries(AuditQuery())[:2]
    assert through.peer.startswith("ipv4:127.0.0.1:")
    assert through.peer.endswith(" http")
    assert direct.peer.startswith("ipv4:127.0.0.1:")
    assert not direct.peer.endswith("http")
    store.close()


def test_without_any_token_only_callers_on_this_machine_act_as_its_admin(tmp_path: Path) -> None:
    with serving(tmp_path) as served, gateway(served.address) as address:
        with caller(address) as http:
            assert http.get("/v1/tokens").status_code == 200
            assert http.get("/v1/tokens", headers={"Authorization": "Basic eDp5"}).status_code == 200
            for foreign in (
                {"Origin": "http://evil.example"},
                {"Sec-Fetch-Site": "cross-site"},
                {"X-Forwarded-For": "10.0.0.5"},
                {"Host": "evil.example"},
            ):
                assert http.get("/v1/tokens", headers=foreign).status_code in (401, 403, 421), foreign
                # a token that does not exist opens nothing either
                forged = foreign | {"Authorization": "Bearer x"}
                assert http.get("/v1/tokens", headers=forged).status_code in (401, 403, 421), foreign
        with grpc.insecure_channel(served.address) as channel:
            stub = cameras_pb2_grpc.CameraServiceStub(channel)
            with pytest.raises(grpc.RpcError, match="token"):
                stub.ListCameras(cameras_pb2.ListCamerasRequest(), metadata=((CALLER_METADATA, "remote"),))


def events(reply: httpx.Response, number: int) -> list[dict[str, str]]:
    """Return the next events of a stream, each by its fields."""
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    for line in reply.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            event[name] = value
        elif "data" in event:
            found.append(event)
            event = {}
        else:
            event = {}
        if len(found) == number:
            break
    return found


def test_a_watch_as_events_resumes_after_the_last_one(world: World) -> None:
    accept = {"Accept": "text/event-stream"}
    path = "/v1/verdicts:watch?filter.cameras=cameras/c2"
    judge = world.served.hub.judge
    with world.http() as http:
        with http.stream("GET", path, headers=accept) as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            begun = threading.Timer(0.5, judge, ("c2", 501))
            begun.start()
            seen = [event for event in events(reply, 2) if "verdicts" in event["data"]]
            begun.join()
        assert json.loads(seen[-1]["data"])["verdicts"][0]["name"] == "cameras/c2/verdicts/501"
        judge("c2", 502)
        resumed = accept | {"Last-Event-ID": seen[-1]["id"]}
        with http.stream("GET", f"{path}&withCurrent=true", headers=resumed) as reply:
            (event,) = events(reply, 1)
        assert [verdict["name"] for verdict in json.loads(event["data"])["verdicts"]] == ["cameras/c2/verdicts/502"]
        # An error at the beginning is an HTTP status: an EventSource gives up instead of trying for ever.
        reply = http.get("/v1/verdicts:watch", headers=accept | {"Last-Event-ID": "nonsense"})
        assert reply.status_code == 400


def test_a_watch_as_lines(world: World) -> None:
    with world.http() as http, http.stream("GET", "/v1/verdicts:watch?withCurrent=true") as reply:
        assert reply.headers["content-type"] == "application/x-ndjson"
        line = json.loads(next(reply.iter_lines()))
    assert line["current"] is True
    assert line["verdicts"]


def test_streams_are_bounded_and_given_back(world: World) -> None:
    with world.http() as http:
        streams = [http.stream("GET", "/v1/findings:watch") for _ in range(3)]
        for stream in streams:
            stream.__enter__()
        reply = http.get("/v1/verdicts:watch")
        assert (reply.status_code, reason(reply), reply.headers["retry-after"]) == (503, "TOO_MANY_STREAMS", "1")
        refused = 'patrol_web_refused_total{kind="streams"} 1.0'
        assert refused in http.get("/metrics").text
        for stream in streams:
            stream.__exit__(None, None, None)

        def admitted() -> bool:
            with http.stream("GET", "/v1/verdicts:watch?withCurrent=true") as reply:
                return bool(reply.status_code == 200)

        wait_until(admitted)


def test_check_now_streams_an_outcome_for_each_camera(world: World) -> None:
    with world.http() as http:
        request = {"cameras": ["cameras/nobody", "cameras/none"]}
        with http.stream("POST", "/v1/cameras:checkNow", json=request) as reply:
            outcomes = {line["camera"]: line["outcome"] for line in map(json.loads, reply.iter_lines())}
    assert outcomes == dict.fromkeys(request["cameras"], "CHECK_OUTCOME_NOT_FOUND")


def test_pictures_by_url(world: World) -> None:
    with world.http() as http:
        reply = http.get("/v1/cameras/c1/picture.jpg?sidePxMax=320&annotated=true")
        assert (reply.status_code, reply.headers["content-type"]) == (200, "image/jpeg")
        assert reply.content == b"\xff\xd8"
        assert reply.headers["cache-control"] == "private, no-cache"
        assert reply.headers["patrol-verdict"].startswith("cameras/c1/verdicts/")
        assert reply.headers["patrol-arrival-time"].endswith("Z")
        etag = {"If-None-Match": f'"other", {reply.headers["etag"]}'}
        again = http.get("/v1/cameras/c1/picture.jpg?sidePxMax=320&annotated=true", headers=etag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", reply.headers["etag"])
        head = http.head("/v1/cameras/c1/picture.jpg")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, "2", b"")
        by_verdict = "/v1/cameras/c1/verdicts/latest"
        assert http.get(f"{by_verdict}.jpg").headers["content-type"] == "image/jpeg"
        browser = {"Accept": "image/avif,image/webp,image/*,*/*;q=0.8"}
        assert http.get(f"{by_verdict}:picture", headers=browser).headers["content-type"] == "image/jpeg"
        as_json = http.get(f"{by_verdict}:picture")
        assert (as_json.headers["content-type"], as_json.json()["jpeg"]) == ("application/json", "/9g=")
        missing = http.get("/v1/cameras/c2/picture.jpg")
        assert (missing.status_code, missing.json()["error"]["status"]) == (404, "NOT_FOUND")
        wrong = http.get("/v1/cameras/c1/picture.jpg?sidePxMax=9000")
        assert (wrong.status_code, fields(wrong)) == (400, ["side_px_max"])


def test_json_is_compressed_for_those_who_take_it(world: World) -> None:
    with world.http() as http:
        plain = http.get("/v1/cameras", headers={"Accept-Encoding": "identity"})
        with http.stream("GET", "/v1/cameras", headers={"Accept-Encoding": "gzip"}) as reply:
            raw = b"".join(reply.iter_raw())
            assert reply.headers["content-encoding"] == "gzip"
        assert gzip.decompress(raw) == plain.content
        assert "content-encoding" not in plain.headers
        assert "Accept-Encoding" in plain.headers["vary"]


def test_pages_of_other_origins_by_allow_list(world: World) -> None:
    with world.http() as http:
        allowed = http.get("/v1/status", headers={"Origin": "https://console.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://console.example"
        other = http.get("/v1/status", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        ask = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
        assert http.options("/v1/cameras/c1", headers=ask | {"Origin": "https://console.example"}).status_code == 200
        assert http.options("/v1/cameras/c1", headers=ask | {"Origin": "https://evil.example"}).status_code == 400
    with gateway(world.served.address) as address, caller(address) as http:
        closed = http.get("/v1/status", headers={"Origin": "https://console.example"})
        assert "access-control-allow-origin" not in closed.headers


def test_pages_health_metrics_and_headers(world: World) -> None:
    world.served.server.set_ready(True)
    with world.http("") as http:
        page = http.get("/api")
        assert "CameraService/ListCameras" in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        for header, value in (("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")):
            assert http.get("/healthz").headers[header] == value
        assert http.get("/healthz", headers={"Host": "10.0.0.5"}).status_code == 200
        assert http.get("/readyz").status_code == 200
        assert http.head("/readyz").status_code == 200
        assert http.get("/openapi.json").json() == SPEC
        assert http.get("/", headers={"Host": "evil.example"}).status_code == 421
        assert http.get("/metrics", headers={"X-Forwarded-For": "10.0.0.5"}).status_code == 403
        assert http.post("/healthz").status_code == 405
        shown = http.get("/metrics").text
        assert 'patrol_web_request_seconds_count{route="CameraService/GetCamera",status="404"}' in shown
        assert 'route="other",status="404"' in shown
    world.served.server.set_ready(False)
    with world.http("") as http:
        assert http.get("/readyz").status_code == 503


def test_every_path_of_the_document_is_served(world: World) -> None:
    paths = {(verb.upper(), path) for path, item in SPEC["paths"].items() for verb in item}
    assert len(paths) == len(ROUTES) + len(PICTURE_PATHS)
    with world.http("viewer") as http:
        for verb, path in paths:
            with http.stream(verb, path.replace("{", "").replace("}", ""), headers={"Grpc-Timeout": "1S"}) as reply:
                assert reply.status_code != 405, (verb, path)
                if reply.status_code == 404:
                    reply.read()
                    assert reason(reply) != "NO_SUCH_PATH", (verb, path)


def test_an_error_of_our_own_discloses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(message: Any) -> bytes:
        raise RuntimeError(f"secret {message}")

    monkeypatch.setattr("engine.web.gateway.to_json", broken)
    with world.http() as http:
        reply = http.get("/v1/cameras/c1")
    assert (reply.status_code, reply.json()["error"]["status"], reason(reply)) == (500, "INTERNAL", "INTERNAL")
    assert "secret" not in reply.text


def test_while_the_engine_is_away() -> None:
    with gateway("127.0.0.1:1") as address, caller(address) as http:
        reply = http.get("/v1/status")
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
        assert "does not answer" in reply.json()["error"]["message"]
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").status_code == 503
        assert http.get("/v1/verdicts:watch").status_code == 503  # a program retries by itself
        with http.stream("GET", "/v1/verdicts:watch", headers={"Accept": "text/event-stream"}) as events_reply:
            assert events_reply.status_code == 200  # an EventSource would give up for ever
