"""Says of every method of patrol.v1 who answers it behind a front: the front itself, one shard, several, or all. Pure.

A method that is not in this table is answered by the front, from the database. A test walks all methods of the access
rules and names those for which nothing was decided.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from google.protobuf.message import Message

from engine.serve.forwarding import merging
from engine.serve.forwarding.merging import Part
from patrol.v1 import (
    cameras_pb2,
    configuration_pb2,
    findings_pb2,
    patrol_pb2,
    pictures_pb2,
    scheduler_pb2,
    stories_pb2,
    verdicts_pb2,
)


class Target(Enum):
    """What decides which shard answers."""

    CAMERAS = auto()
    """The cameras that the request names, by the counties that they are in."""
    FINDINGS = auto()
    """The findings that the request names, by the counties that they were found in."""
    ANY = auto()
    """Nothing: all shards would answer the same."""
    ALL = auto()
    """All shards answer; their replies are put together."""
    ONCE = auto()
    """All shards carry it out, or none."""


def _undivided(request: Any, _: Sequence[int]) -> Any:
    raise TypeError(f"{type(request).__name__} concerns one shard, and cannot be divided")


def _unmerged(request: Any, _: Sequence[Part]) -> Message:
    raise TypeError(f"{type(request).__name__} concerns one shard, and its replies cannot be put together")


@dataclass(frozen=True, slots=True)
class Route:
    """How a method is passed on.

    `request`, `reply`: its messages. `names`: returns the names in a request, of cameras or findings, in its order.
    `part`: returns the request for the items at these positions. `merge`: puts the replies of several shards together.
    `region`: returns the region that decides for a camera that is in no registry yet. `reads`: whether the front can
    answer it from the database while the shard is away.
    """

    target: Target
    request: type[Message]
    reply: type[Message]
    names: Callable[[Any], Sequence[str]] = lambda _: ()
    part: Callable[[Any, Sequence[int]], Any] = _undivided
    merge: Callable[[Any, Sequence[Part]], Message] = _unmerged
    region: Callable[[Any], str] = lambda _: ""
    reads: bool = False
    streams: bool = False


def _name(field: str) -> Callable[[Any], Sequence[str]]:
    return lambda request: [getattr(request, field)]


def _camera_of_verdict(field: str) -> Callable[[Any], Sequence[str]]:
    return lambda request: [getattr(request, field).partition("/verdicts/")[0]]


def _items(field: str, name: str = "") -> dict[str, Any]:
    """Names in a repeated field: the strings in it, or the field `name` of the messages in it."""

    def names(request: Any) -> Sequence[str]:
        items = getattr(request, field)
        return [getattr(item, name) for item in items] if name else items

    def part(request: Any, indexes: Sequence[int]) -> Any:
        items = getattr(request, field)
        fewer = type(request)()
        fewer.CopyFrom(request)
        fewer.ClearField(field)
        getattr(fewer, field).extend(items[index] for index in indexes)
        return fewer

    return {"names": names, "part": part}


def _of_finding(request: type[Message], reply: type[Message] = findings_pb2.Finding, *, reads: bool = False) -> Route:
    return Route(Target.FINDINGS, request, reply, _name("name"), reads=reads)


def _of_findings(request: type[Message], reply: type[Message]) -> Route:
    return Route(Target.FINDINGS, request, reply, **_items("targets", "name"), merge=merging.results)


def _pause_target(request: Any) -> Sequence[str]:
    return [request.scope.camera] if request.scope.WhichOneof("scope") == "camera" else []


ROUTES: dict[str, dict[str, Route]] = {
    "CameraService": {
        "GetCamera": Route(Target.CAMERAS, cameras_pb2.GetCameraRequest, cameras_pb2.Camera, _name("name"), reads=True),
        "CreateCamera": Route(
            Target.CAMERAS,
            cameras_pb2.CreateCameraRequest,
            cameras_pb2.Camera,
            lambda request: [f"cameras/{request.camera_id}"],
            region=lambda request: request.camera.region,
        ),
        "UpdateCamera": Route(
            Target.CAMERAS,
            cameras_pb2.UpdateCameraRequest,
            cameras_pb2.Camera,
            lambda request: [request.camera.name],
            region=lambda request: request.camera.region,
        ),
        "DeleteCamera": Route(Target.CAMERAS, cameras_pb2.DeleteCameraRequest, merging.Empty, _name("name")),
        "BatchDeleteCameras": Route(
            Target.CAMERAS,
            cameras_pb2.BatchDeleteCamerasRequest,
            cameras_pb2.BatchDeleteCamerasResponse,
            **_items("names"),
            merge=merging.counted("deleted"),
        ),
        "ResetBaseline": Route(
            Target.CAMERAS,
            cameras_pb2.ResetBaselineRequest,
            cameras_pb2.ResetBaselineResponse,
            **_items("names"),
            merge=merging.counted("reset"),
        ),
    },
    "PatrolService": {
        "CheckNow": Route(
            Target.CAMERAS, patrol_pb2.CheckNowRequest, patrol_pb2.CheckNowResponse, **_items("cameras"), streams=True
        ),
        "GetVerdict": Route(
            Target.CAMERAS,
            patrol_pb2.GetVerdictRequest,
            verdicts_pb2.Verdict,
            _camera_of_verdict("name"),
            reads=True,
        ),
        "ListVerdicts": Route(
            Target.CAMERAS,
            patrol_pb2.ListVerdictsRequest,
            patrol_pb2.ListVerdictsResponse,
            _name("parent"),
            reads=True,
        ),
        "GetCameraStory": Route(
            Target.CAMERAS, stories_pb2.GetCameraStoryRequest, stories_pb2.CameraStory, _name("camera")
        ),
        "GetPicture": Route(
            Target.CAMERAS, patrol_pb2.GetPictureRequest, patrol_pb2.Picture, _camera_of_verdict("verdict")
        ),
        "GetThumbnail": Route(
            Target.CAMERAS, pictures_pb2.GetThumbnailRequest, pictures_pb2.Thumbnail, _name("camera")
        ),
        "BatchGetThumbnails": Route(
            Target.CAMERAS,
            pictures_pb2.BatchGetThumbnailsRequest,
            pictures_pb2.BatchGetThumbnailsResponse,
            **_items("requests", "camera"),
            merge=merging.thumbnails,
        ),
    },
    "FindingService": {
        "AcknowledgeFinding": _of_finding(findings_pb2.AcknowledgeFindingRequest),
        "ClaimFinding": _of_finding(findings_pb2.ClaimFindingRequest),
        "CloseFinding": _of_finding(findings_pb2.CloseFindingRequest),
        "DismissFinding": _of_finding(findings_pb2.DismissFindingRequest),
        "ReopenFinding": _of_finding(findings_pb2.ReopenFindingRequest),
        "SuperviseFinding": _of_finding(findings_pb2.SuperviseFindingRequest),
        "BatchAcknowledgeFindings": _of_findings(
            findings_pb2.BatchAcknowledgeFindingsRequest, findings_pb2.BatchAcknowledgeFindingsResponse
        ),
        "BatchClaimFindings": _of_findings(
            findings_pb2.BatchClaimFindingsRequest, findings_pb2.BatchClaimFindingsResponse
        ),
        "BatchDismissFindings": _of_findings(
            findings_pb2.BatchDismissFindingsRequest, findings_pb2.BatchDismissFindingsResponse
        ),
        "GetFindingPicture": _of_finding(findings_pb2.GetFindingPictureRequest, patrol_pb2.Picture),
        "GetFindingPhotograph": _of_finding(findings_pb2.GetFindingPhotographRequest, findings_pb2.Photograph),
        "MarkViewing": _of_finding(findings_pb2.MarkViewingRequest, findings_pb2.FindingViewers),
        "ListViewers": Route(
            Target.FINDINGS,
            findings_pb2.ListViewersRequest,
            findings_pb2.ListViewersResponse,
            **_items("names"),
            merge=merging.viewers,
        ),
    },
    "SchedulerService": {
        "GetSchedulerStatus": Route(
            Target.ALL,
            scheduler_pb2.GetSchedulerStatusRequest,
            scheduler_pb2.SchedulerStatus,
            merge=merging.schedules,
        ),
        "GetCameraPlan": Route(
            Target.CAMERAS, scheduler_pb2.GetCameraPlanRequest, scheduler_pb2.CameraPlan, _name("camera")
        ),
        "PausePatrol": Route(
            Target.ALL, scheduler_pb2.PausePatrolRequest, scheduler_pb2.Pause, _pause_target, merge=merging.pauses
        ),
        "ResumePatrol": Route(
            Target.ALL, scheduler_pb2.ResumePatrolRequest, scheduler_pb2.Pause, _pause_target, merge=merging.pauses
        ),
        "GetConfig": Route(Target.ANY, configuration_pb2.GetConfigRequest, configuration_pb2.EngineConfig),
        "ValidateConfig": Route(Target.ANY, scheduler_pb2.ValidateConfigRequest, scheduler_pb2.ValidateConfigResponse),
        "DiffConfig": Route(Target.ANY, scheduler_pb2.DiffConfigRequest, scheduler_pb2.ConfigReport),
        "ApplyConfig": Route(Target.ONCE, scheduler_pb2.ApplyConfigRequest, scheduler_pb2.ConfigReport),
    },
}
"""`PausePatrol` and `ResumePatrol` of one camera go to its shard; of all else to all shards."""

IMPORT = "CameraService/ImportCameras"
"""Its rows are divided among the shards; see `imports`."""

AT_FRONT = frozenset(
    {
        "CameraService/ListCameras",
        "CameraService/CountCameras",
        "CameraService/BatchGetCameras",
        "PatrolService/WatchVerdicts",
        "PatrolService/QueryKpis",
        "PatrolService/QueryLeague",
        "PatrolService/GetStatus",
        "PatrolService/ListRegions",
        "FindingService/GetFinding",
        "FindingService/ListFindings",
        "FindingService/ListFindingEvents",
        "FindingService/WatchFindings",
        "FindingService/SummarizeFindings",
        "FindingService/GetDigest",
        "CanteenService/GetCanteen",
        "CanteenService/ListCanteens",
        "CanteenService/UpdateCanteen",
        "SchedulerService/RehearseConfig",
        "SchedulerService/DrawSpotCheck",
        "SchedulerService/GetSpotCheck",
        "SchedulerService/ListSpotChecks",
        "AccessService/GetCaller",
        "AccessService/CreateToken",
        "AccessService/ListTokens",
        "AccessService/RevokeToken",
        "AccessService/ListAuditEntries",
    }
)
"""What the front answers from the database."""


def route_of(method: str) -> Route | None:
    """Return the route of a method such as `CameraService/GetCamera`; None if the front answers it."""
    service, _, name = method.partition("/")
    return ROUTES.get(service, {}).get(name)
