"""Lists every method of the API with a valid request, and sends requests to it, valid or not."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import grpc
from google.protobuf import descriptor_pb2, message_factory, timestamp_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from patrol.v1 import (
    access_pb2,
    bounds_pb2,
    cameras_pb2,
    canteens_pb2,
    feed_pb2,
    findings_pb2,
    measurement_pb2,
    patrol_pb2,
    pictures_pb2,
    scheduler_pb2,
    stories_pb2,
    verdicts_pb2,
)

FILES = [
    access_pb2, bounds_pb2, cameras_pb2, canteens_pb2, feed_pb2, findings_pb2, measurement_pb2, patrol_pb2,
    pictures_pb2, scheduler_pb2, stories_pb2, verdicts_pb2,
]  # fmt: skip
CAMERA = "cameras/c1"
FAR = timestamp_pb2.Timestamp(seconds=4_000_000_000)


class Rpc(NamedTuple):
    """One method. `name`: such as CameraService/GetCamera."""

    name: str
    path: str
    request: Any
    reply: Any
    streams_in: bool
    streams_out: bool


def rpcs() -> Iterator[Rpc]:
    """Yield every method, read from the descriptors."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                proto = descriptor_pb2.MethodDescriptorProto()
                method.CopyToProto(proto)
                yield Rpc(
                    f"{service.name}/{method.name}",
                    f"/{service.full_name}/{method.name}",
                    message_factory.GetMessageClass(method.input_type),
                    message_factory.GetMessageClass(method.output_type),
                    proto.client_streaming,
                    proto.server_streaming,
                )


RPCS = {rpc.name: rpc for rpc in rpcs()}
GOOD: dict[str, dict[str, Any]] = {
    "CameraService/GetCamera": {"name": CAMERA},
    "CameraService/ListCameras": {"filter": {"region_prefix": "13"}, "order_by": "region"},
    "CameraService/CountCameras": {"filter": {"region_prefix": "13"}},
    "CameraService/BatchGetCameras": {"names": [CAMERA]},
    "CameraService/CreateCamera": {"camera_id": "new", "camera": {"url": "rtsp://h/1", "region": "130102"}},
    "CameraService/UpdateCamera": {
        "camera": {"name": CAMERA, "url": "rtsp://h/1", "region": "130102"},
        "update_mask": {"paths": ["url"]},
    },
    "CameraService/DeleteCamera": {"name": "cameras/c2"},
    "CameraService/BatchDeleteCameras": {"names": ["cameras/c3"]},
    "CameraService/ImportCameras": {"cameras": [{"name": "cameras/i1", "url": "rtsp://h/1", "region": "130102"}]},
    "CameraService/ResetBaseline": {"names": [CAMERA]},
    "PatrolService/CheckNow": {"cameras": ["cameras/nobody"]},
    "PatrolService/GetVerdict": {"name": f"{CAMERA}/verdicts/latest"},
    "PatrolService/ListVerdicts": {"parent": CAMERA},
    "PatrolService/WatchVerdicts": {"filter": {"region_prefix": "13", "cameras": [CAMERA]}},
    "PatrolService/GetPicture": {"verdict": f"{CAMERA}/verdicts/latest"},
    "PatrolService/GetThumbnail": {"camera": CAMERA, "side_px_max": 160},
    "PatrolService/BatchGetThumbnails": {"requests": [{"camera": CAMERA}]},
    "PatrolService/QueryKpis": {"region_prefix": "13", "from_day": {"year": 2026, "month": 3, "day": 2}},
    "PatrolService/QueryLeague": {"region_prefix": "13"},
    "PatrolService/GetStatus": {"region_prefix": "13"},
    "PatrolService/ListRegions": {"region_prefix": "13"},
    "CanteenService/GetCanteen": {"name": "canteens/s1"},
    "CanteenService/ListCanteens": {"filter": {"region_prefix": "13"}, "order_by": "region desc"},
    "CanteenService/UpdateCanteen": {"canteen": {"name": "canteens/s1", "address": "A", "contact": {"phone": "110"}}},
    "FindingService/GetFinding": {"name": "findings/1"},
    "FindingService/ListFindings": {
        "filter": {
            "region_prefix": "13",
            "camera": CAMERA,
            "severity_min": "FAULT_SEVERITY_IMPAIRED",
            "cause_keys": ["covered"],
            "open_end_time": FAR,
            "deadline_end_time": FAR,
            "overdue": False,
        },
        "order_by": "deadline_time desc",
    },
    "FindingService/ListFindingEvents": {"parent": "findings/1"},
    "FindingService/AcknowledgeFinding": {"name": "findings/1"},
    "FindingService/ClaimFinding": {"name": "findings/1", "why": "cleaned"},
    "FindingService/CloseFinding": {"name": "findings/2", "why": "seen on site"},
    "FindingService/DismissFinding": {"name": "findings/3", "why": "a test"},
    "FindingService/SuperviseFinding": {"name": "findings/4", "why": "again"},
    "FindingService/WatchFindings": {"filter": {"region_prefix": "13", "query": "一中"}},
    "FindingService/SummarizeFindings": {"filter": {"region_prefix": "13"}, "group_by": ["county,severity", "state"]},
    "FindingService/BatchAcknowledgeFindings": {"targets": [{"name": "findings/5"}, {"name": "findings/99"}]},
    "FindingService/BatchClaimFindings": {"targets": [{"name": "findings/6", "expected_number": 1}], "why": "cleaned"},
    "FindingService/BatchDismissFindings": {"targets": [{"name": "findings/7"}], "why": "a test"},
    "FindingService/GetDigest": {
        "region_prefix": "13",
        "period": "DIGEST_PERIOD_DAY",
        "date": {"year": 2026, "month": 3, "day": 2},
        "language_code": "en",
    },
    "FindingService/GetFindingPicture": {"name": "findings/1"},
    "SchedulerService/GetSchedulerStatus": {},
    "SchedulerService/GetCameraPlan": {"camera": CAMERA},
    "PatrolService/GetCameraStory": {"camera": CAMERA},
    "SchedulerService/PausePatrol": {"scope": {"region_prefix": "1301"}, "reason": "works", "end_time": FAR},
    "SchedulerService/ResumePatrol": {"scope": {"region_prefix": "1301"}},
    "SchedulerService/ValidateConfig": {"toml": ""},
    "SchedulerService/DiffConfig": {"toml": ""},
    "SchedulerService/ApplyConfig": {"toml": "", "expected_revision": "r1"},
    "SchedulerService/DrawSpotCheck": {"size": 3, "region_prefix": "13"},
    "SchedulerService/GetSpotCheck": {"name": "spotChecks/1"},
    "SchedulerService/ListSpotChecks": {},
    "AccessService/GetCaller": {},
    "AccessService/CreateToken": {"token": {"display_name": "county", "role": "ROLE_VIEWER", "expire_time": FAR}},
    "AccessService/ListTokens": {},
    "AccessService/RevokeToken": {"name": "tokens/2"},
    "AccessService/ListAuditEntries": {"filter": {"actor": "somebody", "start_time": FAR}},
}
"""A valid request of every method; the tests fail for a method that has none."""


def good(name: str) -> Any:
    return RPCS[name].request(**GOOD[name])


class Answer(NamedTuple):
    """The result of a call: its status, the fields that the error names, and the first reply if there was one."""

    code: str
    fields: list[str]
    reply: Any
    message: str = ""
    reason: str = ""


def send(channel: grpc.Channel, name: str, request: Any, token: str = "", timeout_s: float = 5.0) -> Answer:
    """Call a method with a message or raw bytes and return the result. Of a stream only the first message is read."""
    rpc = RPCS[name]
    kind = ("stream" if rpc.streams_in else "unary") + "_" + ("stream" if rpc.streams_out else "unary")
    call = getattr(channel, kind)(
        rpc.path,
        request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
        response_deserializer=rpc.reply.FromString,
    )
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    sent = iter([request]) if rpc.streams_in else request
    try:
        replies = call(sent, timeout=timeout_s, metadata=metadata)
        if not rpc.streams_out:
            return Answer("OK", [], replies)
        try:
            return Answer("OK", [], next(replies, None))
        finally:
            replies.cancel()
    except grpc.RpcError as error:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        status = rpc_status.from_call(cast(grpc.Call, error))
        for detail in () if status is None else status.details:
            detail.Unpack(info)
            detail.Unpack(bad)
        fields = [violation.field for violation in bad.field_violations]
        return Answer(error.code().name, fields, None, error.details() or "", info.reason)
