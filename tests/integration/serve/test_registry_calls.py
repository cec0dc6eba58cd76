"""The registry over gRPC: lists page by page, cameras that are created, changed, imported and removed."""

from dataclasses import replace

import grpc
import pytest

from engine.client import CallError
from engine.model.camera import Camera
from engine.model.registry import CameraOrder, CameraQuery
from patrol.v1 import cameras_pb2, cameras_pb2_grpc
from tests.support.serve.served import RunningServer, county_cameras


@pytest.mark.parametrize("order", [order for order in CameraOrder if order.of_registry])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_follow_each_other_in_any_order(served: RunningServer, order: CameraOrder, descending: bool) -> None:
    query = CameraQuery(page_size=7, order=order, descending=descending)
    listed = [camera.camera for camera in served.client.cameras(query)]

    def place(camera: Camera) -> tuple[str, str]:
        return ("" if order is CameraOrder.NAME else getattr(camera, order.value)), camera.camera_id

    assert listed == sorted(listed, key=place, reverse=descending)
    assert {entry.camera_id for entry in listed} == set(served.hub.registry.cameras)


def test_pages_neither_skip_nor_repeat_when_cameras_come_and_go_meanwhile(served: RunningServer) -> None:
    client = served.client
    first = client.page(CameraQuery(page_size=5))
    served.hub.put(Camera("a0", "rtsp://h/0", region="130102"), Camera("c29", "rtsp://h/0", region="130102"))
    last_seen = first.cameras[-1].camera.camera_id
    served.hub.store.registry.remove([last_seen])
    seen, token = [camera.camera.camera_id for camera in first.cameras], first.next_page_token
    while token:
        page = client.page(CameraQuery(page_size=5), token)
        seen += [camera.camera.camera_id for camera in page.cameras]
        token = page.next_page_token
    assert len(seen) == len(set(seen))
    assert set(seen) == {camera.camera_id for camera in county_cameras()} | {"c29"}


def test_page_tokens_are_bound_to_filter_and_order(served: RunningServer) -> None:
    page = served.client.page(CameraQuery(page_size=5))
    assert page.total == 25
    for query, token in (
        (CameraQuery(region_prefix="13", page_size=5), page.next_page_token),
        (CameraQuery(page_size=5, descending=True), page.next_page_token),
        (CameraQuery(page_size=5), "garbage"),
        (CameraQuery(page_size=5), "%%%"),
    ):
        with pytest.raises(CallError, match="page_token") as caught:
            served.client.page(query, token)
        assert [field for field, _ in caught.value.violations] == ["page_token"]


def test_a_list_without_verdicts_leaves_them_out(served: RunningServer) -> None:
    assert [camera.latest for camera in served.client.cameras(CameraQuery(page_size=10, with_verdict=False))] == [
        None
    ] * 25
    assert served.client.camera("c1").latest is not None


def test_a_read_mask_names_what_comes(served: RunningServer) -> None:
    stub = cameras_pb2_grpc.CameraServiceStub(grpc.insecure_channel(served.address))
    request = cameras_pb2.GetCameraRequest(name="cameras/c1")
    request.read_mask.paths.extend(["region", "latest_verdict.state"])
    camera = stub.GetCamera(request)
    assert {field.name for field, _ in camera.ListFields()} == {"region", "latest_verdict"}
    assert {field.name for field, _ in camera.latest_verdict.ListFields()} == {"state"}


def test_some_cameras_come_at_once_in_the_order_asked_for(served: RunningServer) -> None:
    stub = cameras_pb2_grpc.CameraServiceStub(grpc.insecure_channel(served.address))
    names = ["cameras/c3", "cameras/c1"]
    reply = stub.BatchGetCameras(cameras_pb2.BatchGetCamerasRequest(names=names))
    assert [camera.name for camera in reply.cameras] == names


def test_a_camera_is_created_once(served: RunningServer) -> None:
    new = Camera("n/1%", "rtsp://u:p@h/1", region="130102")
    assert served.client.create_camera(new).camera.camera_id == "n/1%"
    with pytest.raises(CallError, match="UpdateCamera") as caught:
        served.client.create_camera(new)
    assert caught.value.status == "ALREADY_EXISTS"
    assert served.client.camera("n/1%").camera.region == "130102"


def test_the_same_request_id_is_the_same_call_and_another_request_with_it_is_refused(served: RunningServer) -> None:
    new = Camera("n1", "rtsp://h/1")
    first = served.client.create_camera(new, request_id="r-1")
    assert served.client.create_camera(new, request_id="r-1") == first
    with pytest.raises(CallError, match="another request") as caught:
        served.client.create_camera(replace(new, camera_id="n2"), request_id="r-1")
    assert [field for field, _ in caught.value.violations] == ["request_id"]


def test_an_update_changes_what_its_mask_names_and_keeps_the_password(served: RunningServer) -> None:
    changed = replace(served.client.camera("c1").camera, name="烹饪间", site_id="", enabled=False)
    after = served.client.update_camera(changed, ["display_name", "site_id"]).camera
    assert (after.name, after.site_id, after.enabled) == ("烹饪间", "", True)
    assert served.hub.registry.cameras["c1"].url == "rtsp://u:secret@h/1"
    with pytest.raises(CallError, match="not in the registry"):
        served.client.update_camera(replace(changed, camera_id="zz"))
    with pytest.raises(CallError, match="set by the engine"):
        served.client.update_camera(changed, ["latest_verdict"])


def test_what_is_wrong_with_a_row_is_named_as_a_field_of_the_request(served: RunningServer) -> None:
    with pytest.raises(CallError) as caught:
        served.client.create_camera(Camera("n1", "gopher://u:secret@h/1", hours="never"))
    assert {field for field, _ in caught.value.violations} == {"camera.url", "camera.hours"}
    assert "secret" not in str(caught.value.violations)


def test_a_malformed_row_is_named_among_all_rows_of_an_import_and_good_ones_can_be_kept(served: RunningServer) -> None:
    rows = [Camera(f"n{n}", "rtsp://h/1") for n in range(600)]  # more than one message of the stream
    rows[2] = Camera("n2", "rtsp://u:secret@h/1" + "x" * 3000, region="13x")
    rows[550] = Camera("n550", "ftp://h/1")
    rows[570] = Camera("n" * 90, "rtsp://h/1")
    bad = [(2, "region"), (2, "url"), (550, "url"), (570, "camera_id")]
    report = served.client.import_cameras(rows)
    assert sorted((problem.index, problem.column) for problem in report.problems) == bad
    assert "secret" not in str(report.problems)
    assert (report.added, report.changed, report.unchanged) == (0, 0, 0)
    assert "n0" not in served.hub.registry.cameras
    report = served.client.import_cameras(rows, keep_good=True)
    assert sorted((problem.index, problem.column) for problem in report.problems) == bad
    assert report.added == 597
    assert {"n0", "n2", "n599"} & set(served.hub.registry.cameras) == {"n0", "n599"}
    assert len(served.client.import_cameras([rows[2]], keep_good=True).problems) == 2


def test_an_import_names_every_bad_row_and_takes_none_unless_it_is_told_to(served: RunningServer) -> None:
    rows = [Camera("n1", "rtsp://h/1"), Camera("n2", "ftp://u:secret@h/1"), Camera("n3", "rtsp://h/1", hours="x")]
    report = served.client.import_cameras(rows)
    assert [(problem.index, problem.column) for problem in report.problems] == [(1, "url"), (2, "hours")]
    assert "secret" not in str(report.problems)
    assert report.added == 0
    assert "n1" not in served.hub.registry.cameras
    report = served.client.import_cameras(rows, keep_good=True, validate_only=True)
    assert (report.added, len(report.problems)) == (1, 2)  # it would be
    assert "n1" not in served.hub.registry.cameras
    report = served.client.import_cameras(rows, keep_good=True)
    assert (report.added, [problem.index for problem in report.problems]) == (1, [1, 2])


def test_a_large_import_comes_in_pieces_and_names_bad_rows_by_their_place_in_all_of_it(served: RunningServer) -> None:
    rows = [Camera(f"i{n}", "rtsp://h/1" if n != 3456 else "nonsense", region="1301") for n in range(5000)]
    report = served.client.import_cameras(rows, keep_good=True)
    assert (report.added, [problem.index for problem in report.problems]) == (4999, [3456])


def test_cameras_are_removed_and_reset_and_unknown_ids_are_named(served: RunningServer) -> None:
    client = served.client
    for _ in range(2):
        assert client.reset_baselines(["c1", "zz"]) == (1, ("zz",))
    assert client.remove_cameras(["c3", "zz"]) == (1, ("zz",))
    stub = cameras_pb2_grpc.CameraServiceStub(grpc.insecure_channel(served.address))
    stub.DeleteCamera(cameras_pb2.DeleteCameraRequest(name="cameras/c3", allow_missing=True))
    with pytest.raises(grpc.RpcError) as caught:
        stub.DeleteCamera(cameras_pb2.DeleteCameraRequest(name="cameras/c3"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
