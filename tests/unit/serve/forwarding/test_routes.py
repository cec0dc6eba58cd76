"""Behind a front every method has exactly one answerer, and requests are divided without loss."""

import pytest

from engine.serve.access.rules import RULES
from engine.serve.forwarding.merging import Part
from engine.serve.forwarding.routes import AT_FRONT, IMPORT, ROUTES, Target, route_of
from patrol.v1 import cameras_pb2, findings_pb2, patrol_pb2, pictures_pb2, scheduler_pb2

METHODS = sorted(f"{service}/{method}" for service, rules in RULES.items() for method in rules)
SEVERAL = [
    (
        "CameraService/BatchDeleteCameras",
        cameras_pb2.BatchDeleteCamerasRequest(names=["cameras/a", "cameras/b", "cameras/c"]),
    ),
    ("CameraService/ResetBaseline", cameras_pb2.ResetBaselineRequest(names=["cameras/a", "cameras/b", "cameras/c"])),
    ("PatrolService/CheckNow", patrol_pb2.CheckNowRequest(cameras=["cameras/a", "cameras/b", "cameras/c"], trace=True)),
    (
        "PatrolService/BatchGetThumbnails",
        pictures_pb2.BatchGetThumbnailsRequest(
            requests=[pictures_pb2.GetThumbnailRequest(camera=f"cameras/{name}", side_px_max=160) for name in "abc"]
        ),
    ),
    ("FindingService/ListViewers", findings_pb2.ListViewersRequest(names=["findings/1", "findings/2", "findings/3"])),
    (
        "FindingService/BatchClaimFindings",
        findings_pb2.BatchClaimFindingsRequest(
            targets=[findings_pb2.FindingTarget(name=f"findings/{n}", expected_number=n) for n in (1, 2, 3)],
            why="done",
            request_id="r",
        ),
    ),
]


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_answered_in_exactly_one_way(method: str) -> None:
    assert [method in AT_FRONT, method == IMPORT, route_of(method) is not None].count(True) == 1


def test_no_route_is_for_a_method_that_does_not_exist() -> None:
    assert {f"{service}/{method}" for service, routes in ROUTES.items() for method in routes} <= set(METHODS)
    assert set(METHODS) >= AT_FRONT
    assert route_of("grpc.health.v1.Health/Check") is None


@pytest.mark.parametrize("method", METHODS)
def test_what_changes_something_is_never_answered_from_the_database(method: str) -> None:
    service, _, name = method.partition("/")
    route = route_of(method)
    assert route is None or not (route.reads and RULES[service][name].changes)


@pytest.mark.parametrize(("method", "request_"), SEVERAL)
def test_parts_of_a_request_are_the_request(method: str, request_: object) -> None:
    route = route_of(method)
    assert route is not None
    assert isinstance(request_, route.request)
    names = list(route.names(request_))
    assert len(names) == 3
    parts = [route.part(request_, indexes) for indexes in ((0, 2), (1,))]
    assert [list(route.names(part)) for part in parts] == [[names[0], names[2]], [names[1]]]
    assert route.part(request_, range(3)) == request_, "nothing else of it is lost"


def test_a_request_for_one_shard_cannot_be_divided() -> None:
    route = route_of("CameraService/GetCamera")
    assert route is not None
    with pytest.raises(TypeError, match="GetCameraRequest concerns one shard"):
        route.part(cameras_pb2.GetCameraRequest(), (0,))
    with pytest.raises(TypeError, match="GetCameraRequest concerns one shard"):
        route.merge(cameras_pb2.GetCameraRequest(), [Part((), None)])


def test_a_verdict_belongs_to_the_shard_of_its_camera() -> None:
    route = route_of("PatrolService/GetVerdict")
    assert route is not None
    assert route.names(patrol_pb2.GetVerdictRequest(name="cameras/a/verdicts/latest")) == ["cameras/a"]


def test_a_pause_of_one_camera_goes_to_its_shard_and_any_other_to_all() -> None:
    route = route_of("SchedulerService/PausePatrol")
    assert route is not None
    assert route.target is Target.ALL
    of_camera = scheduler_pb2.PausePatrolRequest(scope=scheduler_pb2.PauseScope(camera="cameras/a"))
    of_region = scheduler_pb2.PausePatrolRequest(scope=scheduler_pb2.PauseScope(region_prefix="13"))
    assert (route.names(of_camera), route.names(of_region)) == (["cameras/a"], [])
