"""Every call with a field that is missing, empty, too large, or malformed; nothing of it harms the server.

What is tried follows from the descriptors; a call without a good request in tests/support/serve/calls.py fails.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from engine.client import PatrolClient
from engine.clock import wall_ns
from engine.model.access import Role, TokenOrder
from engine.model.spot_check import SpotCheck, SpotCheckHeader
from engine.serve.access.request_fields import bounds_of, is_output_only, is_required
from engine.serve.messages.error_reasons import REASONS
from engine.serve.messages.paging import PageTokens
from engine.serve.messages.places import ALL_REGIONS
from engine.serve.messages.resume_token import encode_resume_token
from engine.storage.db.store import Store
from tests.support.serve.calls import CAMERA, GOOD, RPCS, Answer, good, send
from tests.support.serve.served import FakeHub, county_cameras, serving

NESTED_MAX = 3
ARGUMENT_REASONS = {reason for reason, row in REASONS.items() if row.status == "INVALID_ARGUMENT"}


class Door(NamedTuple):
    """A way in, with a token of an admin."""

    channel: grpc.Channel
    client: PatrolClient
    secret: str

    def send(self, name: str, request: Any, timeout_s: float = 5.0) -> Answer:
        return send(self.channel, name, request, self.secret, timeout_s)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('calls')}/patrol.db")
    _, secret = store.access.create_token(TokenOrder("tester", Role.ADMIN), "test", wall_ns())
    hub = FakeHub(store)
    hub.put(*county_cameras())
    for _ in range(9):
        hub.ledger.open(hub.registry.cameras["c1"])
    hub.draws.append(SpotCheck(SpotCheckHeader(1, 5, 1, 1, "13", 1.0, 1, 1), (), ()))
    with (
        serving(Path(), watchers_max=200, hub=hub) as served,
        grpc.insecure_channel(served.address) as channel,
        PatrolClient(served.address, token=secret) as client,
    ):
        hub.judge("c1")
        yield Door(channel, client, secret)
    store.close()


def test_every_call_has_a_good_request_here() -> None:
    assert set(GOOD) == set(RPCS)


# Those that change what others need come last.
ORDERED = sorted(RPCS, key=lambda name: (any(word in name for word in ("Delete", "Revoke", "Resume")), name))


@pytest.mark.parametrize("name", ORDERED)
def test_a_good_request_is_answered(door: Door, name: str) -> None:
    answer = door.send(name, good(name))
    assert answer.code == "OK", answer


def fields(kind: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, FieldDescriptor]]:
    """All fields that a request may fill, with their paths."""
    for field in kind.fields:
        if is_output_only(field):
            continue
        yield f"{path}{field.name}", field
        nested = field.message_type
        if nested is not None and nested.file.package == "patrol.v1" and depth < NESTED_MAX and not field.is_repeated:
            yield from fields(nested, f"{path}{field.name}.", depth + 1)


def at(request: Any, path: str) -> tuple[Any, str]:
    """The message that holds the field at a path, and the field's own name."""
    *way, last = path.split(".")
    for step in way:
        request = getattr(request, step)
    return request, last


def cases() -> Iterator[Any]:
    for name, rpc in sorted(RPCS.items()):
        for path, field in fields(rpc.request.DESCRIPTOR):
            yield pytest.param(name, path, field, id=f"{name}:{path}")


def is_path(path: str, kind: Any) -> bool:
    """Whether a path, which may have indexes, leads to a field of a message."""
    name, _, rest = path.partition(".")
    field = kind.fields_by_name.get(name.partition("[")[0])
    if field is None:
        return False
    return not rest or (field.message_type is not None and is_path(rest, field.message_type))


def refused(door: Door, name: str, request: Any, path: str) -> None:
    """INVALID_ARGUMENT that names the field, and a server that goes on."""
    answer = door.send(name, request)
    assert answer.code == "INVALID_ARGUMENT", answer
    assert answer.reason in ARGUMENT_REASONS, answer
    assert all(is_path(field, RPCS[name].request.DESCRIPTOR) for field in answer.fields), answer
    assert any(field == path or field.startswith((f"{path}[", f"{path}.")) for field in answer.fields), answer
    assert door.client.status().version == "v"


@pytest.mark.parametrize(("name", "path", "field"), [case for case in cases() if is_required(case.values[2])])
def test_a_missing_field_is_named(door: Door, name: str, path: str, field: Any) -> None:
    request = good(name)
    holder, last = at(request, path)
    holder.ClearField(last)
    refused(door, name, request, path)


@pytest.mark.parametrize("name", sorted(RPCS))
def test_an_empty_request_is_answered_or_its_missing_fields_are_named(door: Door, name: str) -> None:
    answer = door.send(name, b"")
    rpc = RPCS[name]
    must = [field.name for field in rpc.request.DESCRIPTOR.fields if is_required(field)]
    if must:
        assert answer.code == "INVALID_ARGUMENT"
        assert set(must) == set(answer.fields)
    elif rpc.streams_in:
        assert (answer.code, answer.fields) == ("INVALID_ARGUMENT", ["cameras"])
    else:
        assert answer.code == "OK", answer
    assert door.client.status().version == "v"


def oversized(field: FieldDescriptor) -> Any:
    """A value beyond the field's bounds; None where it has none."""
    bounds = bounds_of(field)
    if field.type == FieldDescriptor.TYPE_STRING:
        text = "x" * (bounds.chars_max + 1)
        return [text] if field.is_repeated else text
    if field.is_repeated and field.enum_type is not None:
        return [1] * (bounds.items_max + 1)
    if bounds.most:
        return bounds.most + 1
    return None


@pytest.mark.parametrize(
    ("name", "path", "field"),
    [
        case
        for case in cases()
        if case.values[2].type == FieldDescriptor.TYPE_STRING or oversized(case.values[2]) is not None
    ],
)
def test_an_oversized_field_is_named(door: Door, name: str, path: str, field: Any) -> None:
    assert bounds_of(field).chars_max or field.type != FieldDescriptor.TYPE_STRING, f"{path} has no bound"
    request = good(name)
    holder, last = at(request, path)
    if field.is_repeated:
        holder.ClearField(last)
        getattr(holder, last).extend(oversized(field))
    else:
        setattr(holder, last, oversized(field))
    refused(door, name, request, path)


@pytest.mark.parametrize(
    ("name", "path", "field"),
    [case for case in cases() if case.values[2].is_repeated and case.values[2].type == FieldDescriptor.TYPE_STRING],
)
def test_too_many_items_are_named(door: Door, name: str, path: str, field: Any) -> None:
    request = good(name)
    holder, last = at(request, path)
    holder.ClearField(last)
    getattr(holder, last).extend(["cameras/c1"] * (bounds_of(field).items_max + 1))
    refused(door, name, request, path)


MALFORMED = {
    "order_by": "name; drop",
    "region_prefix": "13x",
    "region": "13x",
    "display_name": " ",
}


def malformed(field: FieldDescriptor) -> Any:
    """A value of the right type that means nothing; None where any value means something."""
    if field.enum_type is not None:
        return [99] if field.is_repeated else 99
    if field.message_type is not None:
        return {
            "google.protobuf.FieldMask": {"paths": ["no.such.field"]},
            "google.protobuf.Timestamp": {"seconds": -1},
            "google.protobuf.Duration": {"seconds": -1},
            "google.type.LatLng": {"latitude": 91.0},
            "google.type.Date": {"year": 2026, "month": 13, "day": 40},
        }.get(field.message_type.full_name)
    if field.name.endswith("_token") and field.type == FieldDescriptor.TYPE_STRING:
        return "bm90IG91cnM="
    if bounds_of(field).pattern:
        return ["nonsense"] if field.is_repeated else MALFORMED.get(field.name, "nonsense")
    return None


@pytest.mark.parametrize(
    ("name", "path", "field"),
    [case for case in cases() if malformed(case.values[2]) is not None],
)
def test_a_malformed_field_is_named(door: Door, name: str, path: str, field: Any) -> None:
    request, value = good(name), malformed(field)
    holder, last = at(request, path)
    if isinstance(value, list):
        holder.ClearField(last)
        getattr(holder, last).extend(value)
    elif isinstance(value, dict):
        holder.ClearField(last)
        part = getattr(holder, last)
        for key, field in value.items():
            getattr(part, key).extend(field) if isinstance(field, list) else setattr(part, key, field)
    else:
        setattr(holder, last, value)
    refused(door, name, request, path)


@pytest.mark.parametrize("name", sorted(RPCS))
@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", b"\x0a\xff", b"\x0a\x02\xc3\x28"])
def test_bytes_that_are_no_request_are_refused(door: Door, name: str, raw: bytes) -> None:
    answer = door.send(name, raw)
    fields_of = [field.type for field in RPCS[name].request.DESCRIPTOR.fields if field.number == 1]
    if raw == b"\x0a\x02\xc3\x28" and fields_of != [FieldDescriptor.TYPE_STRING]:
        assert answer.code in ("INVALID_ARGUMENT", "OK")  # an unknown field, or a nested one
    else:
        assert answer.code == "INVALID_ARGUMENT", answer
    assert door.client.status().version == "v"


@pytest.mark.parametrize("name", sorted(RPCS))
def test_a_message_of_many_megabytes_is_refused_and_harms_nobody(door: Door, name: str) -> None:
    unknown_field = b"\xfa\xff\x7f" + b"\x81\x80\x80\x08" + bytes((16 << 20) + 1)
    assert door.send(name, unknown_field, timeout_s=20).code in ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT")
    assert door.client.status().version == "v"


@pytest.mark.parametrize(
    ("name", "request_of"),
    [
        ("CameraService/GetCamera", {"name": "cameras/a\0b"}),
        ("FindingService/GetFinding", {"name": "findings/99999999999999999999"}),
        ("PatrolService/GetVerdict", {"name": "cameras/c1/verdicts/99999999999999999999"}),
        ("AccessService/ListAuditEntries", {"filter": {"end_time": {"seconds": 250_000_000_000}}}),
        ("PatrolService/WatchVerdicts", {"resume_token": encode_resume_token(2**70)}),
        (
            "CameraService/ListCameras",
            {"page_token": PageTokens("cameras", ALL_REGIONS, "", "", None, "name", False).token(5)},
        ),
        ("FindingService/ListFindings", {"page_token": PageTokens("findings", ALL_REGIONS, "").token(2**70)}),
        ("AccessService/ListTokens", {"page_token": PageTokens("tokens", ALL_REGIONS, False).token("x")}),
    ],
)
def test_values_that_no_database_can_hold_are_refused_like_any_other(
    door: Door, name: str, request_of: dict[str, Any]
) -> None:
    answer = door.send(name, RPCS[name].request(**request_of))
    assert answer.code in ("INVALID_ARGUMENT", "OUT_OF_RANGE"), answer


@pytest.mark.parametrize("path", ["/patrol.v1.CameraService/Nothing", "/other.v1.Service/Get", "/nothing"])
@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
def test_a_method_that_is_none_is_unimplemented_and_says_so_to_programs(door: Door, path: str, kind: str) -> None:
    call: Any = getattr(door.channel, kind)(path)
    sent: Any = iter([b""]) if kind.startswith("stream") else b""
    with pytest.raises(grpc.RpcError) as caught:
        list(call(sent, timeout=5))
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    info = error_details_pb2.ErrorInfo()
    status: Any = rpc_status.from_call(error)
    assert status.details[0].Unpack(info)
    assert (info.reason, info.metadata["service"]) == ("METHOD_UNKNOWN", path.split("/")[1])


# Of each call with a field beyond the .proto: what the service itself refuses.
REFUSED_BY_SERVICES = [
    ("CameraService/CreateCamera", {"camera_id": " a", "camera": {"url": "rtsp://h/1"}}, ["camera_id"]),
    ("CameraService/CreateCamera", {"camera_id": "a", "camera": {"url": "x://h/1"}}, ["camera.url"]),
    ("CameraService/CreateCamera", {"camera_id": "a", "camera": {"url": "rtsp://h", "region": "1"}}, ["camera.region"]),
    ("CameraService/CreateCamera", {"camera_id": "a", "camera": {"url": "rtsp://h", "hours": "x"}}, ["camera.hours"]),
    (
        "CameraService/CreateCamera",
        {"camera_id": "a", "camera": {"url": "rtsp://h", "display_name": " n", "site_name": " s", "uplink": " u"}},
        ["camera.display_name", "camera.site_name", "camera.uplink"],
    ),
    ("CameraService/UpdateCamera", {"camera": {"name": "cameras/ a", "url": "rtsp://h"}, "allow_missing": True},
     ["camera.name"]),
    ("CameraService/UpdateCamera", {"camera": {"url": "rtsp://h"}}, ["camera.name"]),
    ("CameraService/UpdateCamera", {"camera": {"name": CAMERA}, "update_mask": {"paths": ["camera.url"]}},
     ["update_mask.paths[0]"]),
    ("CameraService/ListCameras", {"read_mask": {"paths": ["url", "x"]}}, ["read_mask.paths[1]"]),
    ("PatrolService/ListVerdicts", {"parent": "cameras/" + "x" * 65}, ["parent"]),
    ("PatrolService/WatchVerdicts", {"filter": {"cameras": [CAMERA, "cameras/" + "x" * 65]}}, ["filter.cameras[1]"]),
    ("PatrolService/CheckNow", {"cameras": ["cameras/" + "x" * 65]}, ["cameras[0]"]),
    ("PatrolService/QueryKpis", {"from_day": {"year": 2026, "month": 13, "day": 1}}, ["from_day"]),
    ("PatrolService/QueryKpis", {"each_hour": True, "by": "KPI_BY_CANTEEN"}, ["by"]),
    ("PatrolService/QueryKpis", {"each_hour": True, "from_day": {"year": 2026, "month": 3, "day": 1}}, ["from_day"]),
    ("PatrolService/QueryKpis", {"each_hour": True, "to_day": {"year": 2026, "month": 3, "day": 1}}, ["from_day"]),
    (
        "PatrolService/QueryKpis",
        {
            "each_hour": True,
            "from_day": {"year": 2026, "month": 3, "day": 1},
            "to_day": {"year": 2026, "month": 4, "day": 1},
        },
        ["from_day"],
    ),
    ("FindingService/ListFindings", {"filter": {"camera": "cameras/" + "x" * 65}}, ["filter.camera"]),
    ("FindingService/WatchFindings", {"filter": {"camera": "cameras/" + "x" * 65}}, ["filter.camera"]),
    ("SchedulerService/PausePatrol", {"scope": {"camera": "cameras/" + "x" * 65}, "reason": "r"}, ["scope.camera"]),
    ("SchedulerService/ApplyConfig", {"toml": "bad"}, ["toml", "toml"]),
    ("AccessService/CreateToken",
     {"token": {"display_name": "d", "role": "ROLE_VIEWER", "expire_time": {"seconds": 5}}}, ["token.expire_time"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields_sent", "named"), REFUSED_BY_SERVICES)
def test_what_a_service_refuses_is_named_by_its_path_once(
    door: Door, name: str, fields_sent: dict[str, Any], named: list[str]
) -> None:
    answer = door.send(name, RPCS[name].request(**fields_sent))
    assert (answer.code, answer.fields) == ("INVALID_ARGUMENT", named), answer
    assert answer.reason in ARGUMENT_REASONS
    assert all(is_path(field, RPCS[name].request.DESCRIPTOR) for field in answer.fields)
    assert answer.message.count(named[0]) == 1, answer.message
