"""Cameras over gRPC: views, filters, orders and counts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from engine.client import CallError
from engine.clock import NS_PER_S, wall_ns
from engine.model.camera import Camera, KeyPoint
from engine.model.measurement import Scores
from engine.model.registry import CameraConditions, CameraOrder, CameraQuery, RegionLevel
from engine.model.verdict import FaultKind, Severity, State, View
from engine.serve.messages.paging import PageTokens
from engine.serve.messages.places import ALL_REGIONS
from patrol.v1 import cameras_pb2, cameras_pb2_grpc
from tests.support.serve.served import VERDICT, RunningServer, serving

HOUR_NS = 3600 * NS_PER_S


def test_a_list_has_the_basic_view_and_one_camera_the_full_unless_they_are_told(served: RunningServer) -> None:
    stub: Any = cameras_pb2_grpc.CameraServiceStub(grpc.insecure_channel(served.address))
    listing, one, some = (
        cameras_pb2.ListCamerasRequest,
        cameras_pb2.GetCameraRequest,
        cameras_pb2.BatchGetCamerasRequest,
    )

    def latest(camera: cameras_pb2.Camera) -> set[str]:
        return {field.name for field, _ in camera.latest_verdict.ListFields()}

    def listed(**more: Any) -> set[str]:
        return latest(next(c for c in stub.ListCameras(listing(**more)).cameras if c.name == "cameras/c1"))

    basic = {
        "name", "visit_time", "state", "kinds", "announced", "announced_kinds", "since_time", "scores", "cause",
        "announced_cause", "severity",
    }  # fmt: skip
    full = latest(stub.GetCamera(one(name="cameras/c1")))
    assert {"figures", "thresholds", "tiles", "detail"} <= full
    assert listed() == basic < full
    assert listed(view="VIEW_FULL") == full
    assert latest(stub.GetCamera(one(name="cameras/c1", view="VIEW_BASIC"))) == basic
    assert latest(stub.BatchGetCameras(some(names=["cameras/c1"])).cameras[0]) == full
    assert latest(stub.BatchGetCameras(some(names=["cameras/c1"], view="VIEW_BASIC")).cameras[0]) == basic
    # A mask wins over a view.
    assert listed(view="VIEW_BASIC", read_mask={"paths": ["name", "latest_verdict.figures"]}) == {"figures"}


def test_verdicts_that_are_listed_or_watched_are_full_unless_the_basic_view_is_asked_for(served: RunningServer) -> None:
    client = served.client
    assert next(client.verdicts("c1")).figures
    assert next(client.verdicts("c1", view=View.BASIC)).figures == {}
    assert next(client.watch_batches(with_current=True)).verdicts[0].figures
    streams = [client.watch_batches(with_current=True, view=view) for view in (View.BASIC, View.FULL)]
    for stream in streams:
        next(stream), next(stream)  # the snapshot, and the first token
    served.hub.judge("c2")
    seen = [next(stream).verdicts[0] for stream in streams]
    for stream in streams:
        stream.close()
    assert [verdict.visit_id for verdict in seen] == [served.hub.next_visit_id] * 2
    assert (seen[0].figures, seen[0].announced_kinds) == ({}, VERDICT.announced_kinds)
    assert seen[1].figures == VERDICT.figures


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[RunningServer]:
    """Cameras of two counties, of which each differs from the others."""
    with serving(tmp_path) as served:
        hub, now_ns = served.hub, wall_ns()
        hub.put(
            Camera("a", "rtsp://h/1", "烹饪间", region="130102", key_point=KeyPoint.COOKING, site_name="第一中学"),
            Camera("b", "rtsp://h/1", "Cutting", region="130102", enabled=False),
            Camera("c", "rtsp://h/1", region="130203", push=True),
            Camera("d", "rtsp://h/1", region="130203"),
            Camera("e", "rtsp://h/1", region="13"),
        )
        told: dict[str, dict[str, Any]] = {
            "a": {"announced": State.FAULT, "announced_kinds": (FaultKind.COVERED, FaultKind.GREASE),
                  "severity": Severity.BLIND, "scores": Scores(10.0, 50.0, 90.0)},
            "b": {"announced": State.FAULT, "announced_kinds": (FaultKind.GREASE,), "severity": Severity.COSMETIC,
                  "scores": Scores(80.0, 20.0, 0.0)},
            "c": {"announced": State.OFFLINE, "reason": "refused", "severity": None, "announced_kinds": (),
                  "scores": Scores(None, None, None)},
            "d": {"announced": State.OK, "severity": None, "announced_kinds": (), "scores": Scores(99.0, 99.0, 5.0)},
        }  # fmt: skip
        for hours, (camera_id, verdict) in enumerate(told.items(), 1):
            hub.judge(camera_id, since_wall_ns=now_ns - hours * HOUR_NS, **verdict)
        yield served


def listed(served: RunningServer, **query: Any) -> str:
    return "".join(status.camera.camera_id for status in served.client.cameras(CameraQuery(page_size=2, **query)))


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (lambda now: CameraConditions(severity_min=Severity.COSMETIC), "ab"),
        (lambda now: CameraConditions(severity_min=Severity.IMPAIRED), "a"),
        (lambda now: CameraConditions(kinds=frozenset({FaultKind.GREASE})), "ab"),
        (lambda now: CameraConditions(kinds=frozenset({FaultKind.COVERED, FaultKind.SNOW})), "a"),
        (lambda now: CameraConditions(reason="refused"), "c"),
        (lambda now: CameraConditions(since_from_wall_ns=now - 3 * HOUR_NS + HOUR_NS // 2), "ab"),
        (lambda now: CameraConditions(since_until_wall_ns=now - 3 * HOUR_NS + HOUR_NS // 2), "cd"),
        (lambda now: CameraConditions(offline_since_wall_ns=now - 2 * HOUR_NS), "c"),
        (lambda now: CameraConditions(offline_since_wall_ns=now - 4 * HOUR_NS), ""),
        (lambda now: CameraConditions(key_points=frozenset({KeyPoint.COOKING})), "a"),
        (lambda now: CameraConditions(push=True), "c"),
        (lambda now: CameraConditions(push=False, enabled=True), "ade"),
        (lambda now: CameraConditions(enabled=False), "b"),
        (lambda now: CameraConditions(text=" CUTT "), "b"),
        (lambda now: CameraConditions(text="中学"), "a"),
        (lambda now: CameraConditions(kinds=frozenset({FaultKind.GREASE}), text="烹"), "a"),
        (lambda now: CameraConditions(unseen=True), "e"),
        (lambda now: CameraConditions(unseen=True, reason="refused"), ""),
        (lambda now: CameraConditions(unseen=True, push=True), ""),
    ],
)
def test_a_filter_selects_what_meets_all_of_it(
    mixed: RunningServer, where: Callable[[int], CameraConditions], found: str
) -> None:
    conditions = where(wall_ns())
    assert listed(mixed, where=conditions) == found
    _, total = mixed.client.count_cameras(CameraQuery(where=conditions))
    assert total.cameras == len(found)


def test_a_camera_is_as_old_as_its_last_picture(mixed: RunningServer) -> None:
    now, hub = wall_ns(), mixed.hub
    hours = {"a": 9, "b": 2, "c": 1, "d": 8}
    for camera_id, hour in hours.items():
        offline: dict[str, Any] = {"state": State.OFFLINE, "announced": State.OFFLINE} if camera_id in "cd" else {}
        since = {"c": 7, "d": 8}.get(camera_id, 20)
        hub.judge(camera_id, at_wall_ns=now - hour * HOUR_NS, since_wall_ns=now - since * HOUR_NS, **offline)
    found = [
        listed(mixed, where=CameraConditions(picture_until_wall_ns=now - hour * HOUR_NS - HOUR_NS // 2))
        for hour in (0, 1, 6, 7, 8, 9)
    ]
    assert found == ["abcd", "abcd", "acd", "ad", "a", ""], "c was seen on two visits since it went offline"


@pytest.mark.parametrize(
    ("order", "worst_first", "ids"),
    [
        (CameraOrder.STATE, True, "abced"),
        (CameraOrder.SEVERITY, True, "abedc"),
        (CameraOrder.SINCE_TIME, True, "abcde"),
        (CameraOrder.SHARPNESS, False, "abdce"),
        (CameraOrder.EXPOSURE, False, "badce"),
        (CameraOrder.OCCLUSION, True, "adbec"),
    ],
)
def test_an_order_of_verdicts_pages_through_all_and_has_those_without_a_value_last(
    mixed: RunningServer, order: CameraOrder, worst_first: bool, ids: str
) -> None:
    assert listed(mixed, order=order, descending=worst_first) == ids
    assert listed(mixed, order=order, descending=not worst_first) == ids[::-1]


@pytest.mark.parametrize(
    ("camera_filter", "field"),
    [
        ({"kinds": [1, 0]}, "filter.kinds[1]"),
        ({"state": 0}, "filter.state"),
        ({"since_start_time": {"seconds": 9}, "since_end_time": {"seconds": 9}}, "filter.since_end_time"),
        ({"offline_duration_min": {"seconds": -1}}, "filter.offline_duration_min"),
        ({"query": "x" * 101}, "filter.query"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(mixed: RunningServer, camera_filter: Any, field: str) -> None:
    client = mixed.client
    for method, request in (
        (client._cameras.ListCameras, cameras_pb2.ListCamerasRequest(filter=camera_filter)),
        (client._cameras.CountCameras, cameras_pb2.CountCamerasRequest(filter=camera_filter)),
    ):
        with pytest.raises(CallError) as caught:
            client._channel.call(method, request)
        assert [name for name, _ in caught.value.violations] == [field]


def test_a_page_token_is_bound_to_each_field_of_the_filter(mixed: RunningServer) -> None:
    token = mixed.client.page(CameraQuery(page_size=1)).next_page_token
    for where in (
        CameraConditions(text="a"),
        CameraConditions(push=False),
        CameraConditions(severity_min=Severity.BLIND),
    ):
        with pytest.raises(CallError, match="page_token"):
            mixed.client.page(CameraQuery(page_size=1, where=where), token)


@pytest.mark.parametrize("value", ["x", "1.5", ""])
def test_a_page_token_whose_place_is_none_of_the_order_is_refused(mixed: RunningServer, value: str) -> None:
    token = PageTokens("cameras", ALL_REGIONS, "", "since_time", False).token(["a", value])
    with pytest.raises(CallError, match="page_token") as caught:
        mixed.client.page(CameraQuery(order=CameraOrder.SINCE_TIME), token)
    assert caught.value.status == "INVALID_ARGUMENT"


def test_cameras_are_counted_by_region_state_severity_and_kind(mixed: RunningServer) -> None:
    counts, total = mixed.client.count_cameras()
    rows = {count.region: count for count in counts}
    assert list(rows) == ["13", "130102", "130203"]
    county = rows["130102"]
    assert (county.cameras, county.disabled, county.by_state[State.FAULT]) == (2, 1, 2)
    assert county.by_severity == {Severity.BLIND: 1, Severity.IMPAIRED: 0, Severity.COSMETIC: 1}
    grease, covered = county.by_kind[FaultKind.GREASE], county.by_kind[FaultKind.COVERED]
    assert (sum(grease.values()), sum(covered.values())) == (2, 1)
    assert (total.cameras, total.by_state[None], total.by_state[State.OFFLINE]) == (5, 1, 1)
    assert sum(total.by_state.values()) == total.cameras
    counts, _ = mixed.client.count_cameras(CameraQuery("1302"), RegionLevel.CITY)
    assert [(count.region, count.cameras) for count in counts] == [("1302", 2)]


def test_more_regions_than_a_map_has_are_refused(mixed: RunningServer) -> None:
    mixed.hub.put(*(Camera(f"x{n}", "rtsp://h/1", region=f"{130000 + n}") for n in range(5_001)))
    with pytest.raises(CallError, match=r"allowed: at most 5000; give filter\.region_prefix"):
        mixed.client.count_cameras()
    assert mixed.client.count_cameras(level=RegionLevel.PROVINCE)[1].cameras == 5_006
