"""JSON of messages: written as protobuf's own library writes it, read with every error named by its field."""

import json
import math
from typing import Any

import pytest
from google.protobuf import any_pb2, json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InvalidArgumentError
from engine.web.json_reader import read_json, read_query
from engine.web.json_writer import to_json
from engine.web.routes import methods
from patrol.v1 import access_pb2, cameras_pb2, measurement_pb2, patrol_pb2, scheduler_pb2

KINDS = sorted({kind for method in methods() for kind in (method.request, method.reply)}, key=lambda k: k.__name__)
FLOATS = st.floats(allow_nan=False) | st.just(math.nan)  # JSON knows one NaN
SCALARS: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_STRING: st.text(max_size=8),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: FLOATS,
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32, allow_nan=False) | st.just(math.nan),
}


def value_of(draw: Any, field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return draw(st.binary(max_size=8))
    if field.enum_type is not None:
        return draw(st.sampled_from([value.number for value in field.enum_type.values]))
    return draw(SCALARS[field.cpp_type])


def fill(draw: Any, message: Any, depth: int = 0) -> None:
    kind = message.DESCRIPTOR
    if kind.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        message.seconds, message.nanos = draw(st.integers(0, 9_000_000_000)), draw(st.integers(0, 999_999_999))
        return
    if kind.full_name == "google.protobuf.Any":
        return  # only replies have one: see below
    if kind.full_name == "google.protobuf.FieldMask":
        message.paths.extend(draw(st.lists(st.sampled_from(["name", "latest_verdict.scores"]), max_size=2)))
        return
    for field in kind.fields:
        if depth > 3 or not draw(st.booleans()):
            continue
        entry = field.message_type
        if field.containing_oneof is not None and message.WhichOneof(field.containing_oneof.name):
            continue
        if entry is not None and entry.GetOptions().map_entry:
            key, inner = value_of(draw, entry.fields_by_name["key"]), entry.fields_by_name["value"]
            if inner.message_type is not None:
                fill(draw, getattr(message, field.name)[key], depth + 1)
            else:
                getattr(message, field.name)[key] = value_of(draw, inner)
        elif field.is_repeated:
            for _ in range(draw(st.integers(0, 2))):
                items = getattr(message, field.name)
                if entry is not None:
                    fill(draw, items.add(), depth + 1)
                else:
                    items.append(value_of(draw, field))
        elif entry is not None:
            getattr(message, field.name).SetInParent()
            fill(draw, getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, value_of(draw, field))


@st.composite
def messages(draw: Any) -> Any:
    message = draw(st.sampled_from([*KINDS, measurement_pb2.Measurement]))()
    fill(draw, message)
    return message


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(messages())
def test_json_is_what_protobufs_library_writes_and_reads_back(message: Any) -> None:
    text = to_json(message)
    assert json.loads(text) == json.loads(json_format.MessageToJson(message))
    assert to_json(message) == text  # rows come from the cache now
    back = type(message)()
    read_json(text, back)
    assert back.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


def test_a_row_that_changed_is_written_anew() -> None:
    page = cameras_pb2.ListCamerasResponse(cameras=[cameras_pb2.Camera(name="cameras/1"), cameras_pb2.Camera()])
    assert json.loads(to_json(page)) == {"cameras": [{"name": "cameras/1"}, {}]}
    page.cameras[0].site_name = "一中"
    page.cameras[1].site_name = "大" * 2000  # more than a row of the cache may have
    assert json.loads(to_json(page))["cameras"] == [
        {"name": "cameras/1", "siteName": "一中"},
        {"siteName": "大" * 2000},
    ]


def test_details_of_errors_are_written_by_their_type() -> None:
    info, unknown = any_pb2.Any(), any_pb2.Any(type_url="type.example/x.Y", value=b"\x01")
    info.Pack(error_details_pb2.ErrorInfo(reason="WHY", domain="d"))
    status = status_pb2.Status(code=5, message="m", details=[info, unknown])
    assert json.loads(to_json(status))["details"] == [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "WHY", "domain": "d"},
        {"@type": "type.example/x.Y", "value": "AQ=="},
    ]


def test_numbers_that_json_does_not_have_are_strings() -> None:
    request = patrol_pb2.QueryLeagueRequest(measured_share_min=math.inf)
    assert json.loads(to_json(request)) == {"measuredShareMin": "Infinity"}


def violations(body: str, message: Message) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgumentError) as caught:
        read_json(body.encode(), message)
    return caught.value.violations


def test_all_fields_that_are_wrong_are_named() -> None:
    body = """{"cameraId": 5, "nonsense": 1, "camera": {"url": ["x"], "keyPoint": "KEY_POINT_NOWHERE", "required": 1,
               "siteKind": 2.5, "latestVerdict": {"visitTime": "yesterday"}}}"""
    named = dict(violations(body, cameras_pb2.CreateCameraRequest()))
    assert list(named) == [
        "camera_id", "nonsense", "camera.url", "camera.key_point", "camera.required", "camera.site_kind",
        "camera.latest_verdict.visit_time",
    ]  # fmt: skip
    assert "allowed: cameraId, camera, requestId" in named["nonsense"]
    assert "KEY_POINT_COOKING" in named["camera.key_point"]
    assert "2026-03-02T08:00:00Z" in named["camera.latest_verdict.visit_time"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "no JSON object"),
        ('{"names": "cameras/c1"}', "no JSON array"),
        ('{"names": ["a", 1]}', "no string"),
        ("\xff", "not JSON"),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: str, said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said):
        read_json(body.encode("latin-1"), cameras_pb2.BatchDeleteCamerasRequest())


def test_two_fields_of_a_oneof_contradict_each_other() -> None:
    named = violations('{"scope": {"camera": "cameras/a", "uplink": "u"}}', scheduler_pb2.PausePatrolRequest())
    assert [field for field, _ in named] == ["scope.uplink"]


def test_an_empty_body_and_null_leave_a_request_empty() -> None:
    for body in (b"", b" \n", b"{}", b'{"names": null}'):
        request = cameras_pb2.BatchDeleteCamerasRequest()
        read_json(body, request)
        assert not request.ListFields()


@pytest.mark.parametrize(
    ("query", "kind", "fields"),
    [
        ("pageSize=10&page_token=x%2By", cameras_pb2.ListCamerasRequest, {"page_size": 10, "page_token": "x+y"}),
        (
            "filter.regionPrefix=13&filter.state=VERDICT_STATE_FAULT&orderBy=region+desc",
            cameras_pb2.ListCamerasRequest,
            {"filter": {"region_prefix": "13", "state": 2}, "order_by": "region desc"},
        ),
        ("filter.state=2", cameras_pb2.ListCamerasRequest, {"filter": {"state": 2}}),
        (
            "names=cameras/a&names=cameras%2Fb",
            cameras_pb2.BatchGetCamerasRequest,
            {"names": ["cameras/a", "cameras/b"]},
        ),
        (
            "readMask=name,latestVerdict.announced&read_mask=display_name",
            cameras_pb2.GetCameraRequest,
            {"read_mask": {"paths": ["name", "latest_verdict.announced", "display_name"]}},
        ),
        (
            "fromDay.year=2026&fromDay.month=3&from_day.day=2&eachDay=true",
            patrol_pb2.QueryKpisRequest,
            {"from_day": {"year": 2026, "month": 3, "day": 2}, "each_day": True},
        ),
        (
            "filter.startTime=2026-03-02T08:00:00Z",
            access_pb2.ListAuditEntriesRequest,
            {"filter": {"start_time": {"seconds": 1_772_438_400}}},
        ),
        ("measuredShareMin=0.25", patrol_pb2.QueryLeagueRequest, {"measured_share_min": 0.25}),
    ],
)
def test_a_query_fills_a_request(query: str, kind: Any, fields: dict[str, Any]) -> None:
    request = kind()
    read_query(query, request, ())
    assert request == kind(**fields)


@pytest.mark.parametrize(
    ("query", "kind", "field"),
    [
        ("nonsense=1", cameras_pb2.ListCamerasRequest, "nonsense"),
        ("filter.nonsense=1", cameras_pb2.ListCamerasRequest, "filter.nonsense"),
        ("pageSize.x=1", cameras_pb2.ListCamerasRequest, "pageSize.x"),
        ("filter=1", cameras_pb2.ListCamerasRequest, "filter"),
        ("pageSize=-1", cameras_pb2.ListCamerasRequest, "page_size"),
        ("pageSize=1e3", cameras_pb2.ListCamerasRequest, "page_size"),
        ("pageSize=1&page_size=2", cameras_pb2.ListCamerasRequest, "page_size"),
        ("name=cameras/x", cameras_pb2.GetCameraRequest, "name"),
        ("eachDay=yes", patrol_pb2.QueryKpisRequest, "each_day"),
        ("filter.startTime=today", access_pb2.ListAuditEntriesRequest, "filter.start_time"),
    ],
)
def test_a_query_that_is_wrong_names_the_field(query: str, kind: Any, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_query(query, kind(), {"name"})
    assert [name for name, _ in caught.value.violations] == [field]


def test_a_query_is_bounded() -> None:
    with pytest.raises(InvalidArgumentError, match="at most 2000"):
        read_query("names=a&" * 2001, cameras_pb2.BatchGetCamerasRequest(), ())
    with pytest.raises(InvalidArgumentError, match="UTF-8"):
        read_query("names=%FF", cameras_pb2.BatchGetCamerasRequest(), ())
