"""What is coded by hand is, byte for byte of meaning, what protobuf would have coded."""

import math
from dataclasses import replace

import pytest

from engine.model.camera import Camera
from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.packed.verdict import PackedVerdict, Shape, pack, shape_key
from engine.model.registry import CameraStatus
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict, View
from engine.serve.messages.convert import status_message, verdict_message
from engine.serve.messages.encoding import CameraEncoder, encode_verdict, encode_watch_response
from patrol.v1 import cameras_pb2, patrol_pb2, verdicts_pb2

FULL = Verdict(
    camera_id="130102/1%", visit_id=2**63, at_wall_ns=1_700_000_000_123_456_789, state=State.FAULT,
    kinds=(FaultKind.BLURRED, FaultKind.GREASE), detail="糊", announced=State.FAULT,
    announced_kinds=(FaultKind.BLURRED,), since_wall_ns=5, scores=Scores(1.5, None, 0.0),
    figures={f"figure_{n}": n / 7 for n in range(40)} | {"清晰" * 60: -1.0, "zero": 0.0},
    thresholds={f"threshold_{n}": float(n) for n in range(70)}, rules_version="7", width=1920, height=1080,
    codec=Codec.H265, cause=Cause.DEFOCUS, announced_cause=Cause.GREASE, severity=Severity.IMPAIRED, confidence=0.75,
    tiles=(0, 143),
)  # fmt: skip
PLAIN = Verdict("c2", 0, 1, State.OFFLINE, reason="refused")


@pytest.mark.parametrize("verdict", [FULL, PLAIN, replace(FULL, figures={}), replace(FULL, thresholds={})])
def test_a_verdict_is_the_same_message(verdict: Verdict) -> None:
    assert verdicts_pb2.Verdict.FromString(encode_verdict(verdict)) == verdict_message(verdict)


@pytest.mark.parametrize("verdict", [FULL, PLAIN, replace(FULL, figures={}), replace(FULL, scores=PLAIN.scores)])
def test_a_packed_verdict_is_the_message_of_the_one_in_it(verdict: Verdict) -> None:
    packed = PackedVerdict(verdict.at_wall_ns, Shape(shape_key(verdict), verdict.thresholds), pack(verdict))
    opened = packed.verdict(verdict.camera_id)
    camera = Camera(verdict.camera_id, "rtsp://h/1")
    assert CameraStatus(camera, packed) == CameraStatus(camera, opened) != CameraStatus(camera)
    assert cameras_pb2.Camera.FromString(CameraEncoder(str).camera(CameraStatus(camera, packed))) == status_message(
        CameraStatus(camera, opened), str
    )


@pytest.mark.parametrize("verdict", [FULL, PLAIN, replace(FULL, scores=PLAIN.scores)])
def test_a_basic_camera_is_the_same_message_packed_or_not_and_small(verdict: Verdict) -> None:
    packed = PackedVerdict(verdict.at_wall_ns, Shape(shape_key(verdict), verdict.thresholds), pack(verdict))
    camera = Camera(verdict.camera_id, "rtsp://10.0.0.1:554/1", name="烹饪间", site_id="1301020001", region="130102")
    encoder = CameraEncoder(str, view=View.BASIC)
    shown = encoder.camera(CameraStatus(camera, packed))
    assert cameras_pb2.Camera.FromString(shown) == cameras_pb2.Camera.FromString(
        encoder.camera(CameraStatus(camera, packed.verdict(verdict.camera_id)))
    )
    expected = status_message(CameraStatus(camera, packed), str, View.BASIC)
    assert cameras_pb2.Camera.FromString(shown) == expected
    assert not {"figures", "thresholds", "tiles", "detail", "width", "rules_version"} & {
        field.name for field, _ in expected.latest_verdict.ListFields()
    }
    assert len(shown) <= 300


def test_a_batch_is_the_same_message() -> None:
    statuses = (CameraStatus(Camera("c1", "rtsp://h/1"), FULL), CameraStatus(Camera("c3", "rtsp://h/3")))
    raw = CameraEncoder(str).batch(statuses)
    expected = cameras_pb2.BatchGetCamerasResponse(cameras=[status_message(status, str) for status in statuses])
    assert cameras_pb2.BatchGetCamerasResponse.FromString(raw) == expected


def test_figures_that_are_no_numbers_come_through() -> None:
    read = verdicts_pb2.Verdict.FromString(encode_verdict(replace(FULL, figures={"a": math.inf, "b": math.nan})))
    assert read.figures["a"] == math.inf
    assert math.isnan(read.figures["b"])


def test_verdicts_of_other_thresholds_keep_their_own() -> None:
    for number in range(3_000):
        verdict = replace(PLAIN, thresholds={"sharpness_min": float(number)})
        assert verdicts_pb2.Verdict.FromString(encode_verdict(verdict)).thresholds["sharpness_min"] == number


def test_what_watchers_get_can_be_joined() -> None:
    joined = encode_watch_response(FULL) + encode_watch_response(PLAIN)
    expected = patrol_pb2.WatchVerdictsResponse(verdicts=map(verdict_message, (FULL, PLAIN)))
    assert patrol_pb2.WatchVerdictsResponse.FromString(joined) == expected


def test_a_page_is_the_same_message_and_shows_no_password() -> None:
    def redact(url: str) -> str:
        return url.replace("secret", "***")

    statuses = (
        CameraStatus(Camera("130102/1%", "rtsp://u:secret@h/1", name="炒锅", region="130102"), FULL),
        CameraStatus(Camera("c2", "rtsp://h/2"), PLAIN),
        CameraStatus(Camera("c3", "rtsp://h/3")),
    )
    raw = CameraEncoder(redact).page(statuses, "next", 17)
    assert b"secret" not in raw
    assert cameras_pb2.ListCamerasResponse.FromString(raw) == cameras_pb2.ListCamerasResponse(
        cameras=[status_message(status, redact) for status in statuses], next_page_token="next", total_size=17
    )


def test_what_is_kept_of_a_camera_is_coded_anew_when_it_or_its_verdict_changes() -> None:
    encoder = CameraEncoder(str)
    packed = PackedVerdict(5, Shape(shape_key(PLAIN), PLAIN.thresholds), pack(PLAIN))
    camera = Camera("c2", "rtsp://h/2")

    def shown(status: CameraStatus) -> cameras_pb2.Camera:
        (message,) = cameras_pb2.ListCamerasResponse.FromString(encoder.page([status], "", 1)).cameras
        return message

    first = shown(CameraStatus(camera, packed))
    assert shown(CameraStatus(camera, packed)) == first
    assert shown(CameraStatus(camera, packed._replace(at_wall_ns=6))).latest_verdict.visit_time.nanos == 6
    assert shown(CameraStatus(replace(camera, name="炒锅"), packed)).display_name == "炒锅"
    assert not shown(CameraStatus(camera)).HasField("latest_verdict")


def test_no_more_cameras_are_kept_than_may_be() -> None:
    encoder = CameraEncoder(str, kept_max=10)
    statuses = [CameraStatus(Camera(f"c{number}", "rtsp://h/2"), PLAIN) for number in range(25)]
    for _ in range(2):
        assert len(cameras_pb2.ListCamerasResponse.FromString(encoder.page(statuses, "", 25)).cameras) == 25
    assert len(encoder._kept) == 10


def test_an_empty_page_is_one() -> None:
    assert (
        cameras_pb2.ListCamerasResponse.FromString(CameraEncoder(str).page((), "", 0))
        == cameras_pb2.ListCamerasResponse()
    )


def test_a_page_is_ready_once_nearly_all_of_it_is_kept_and_only_in_the_basic_view() -> None:
    statuses = [CameraStatus(Camera(f"c{n}", "rtsp://h/1"), replace(FULL, camera_id=f"c{n}")) for n in range(100)]
    encoder = CameraEncoder(str, view=View.BASIC)
    assert encoder.ready_page(statuses, "t", 100) is None
    whole = encoder.page(statuses, "t", 100)
    assert encoder.ready_page(statuses, "t", 100) == whole
    newer = [CameraStatus(status.camera, replace(FULL, camera_id=status.camera.camera_id)) for status in statuses]
    few, many = [*newer[:32], *statuses[32:]], [*newer[:33], *statuses[33:]]
    assert encoder.ready_page(many, "t", 100) is None
    assert encoder.ready_page(few, "t", 100) == CameraEncoder(str, view=View.BASIC).page(few, "t", 100)
    assert encoder.ready_page([*statuses] * 11, "t", 100) is None
    full = CameraEncoder(str)
    full.page(statuses, "t", 100)
    assert full.ready_page(statuses, "t", 100) is None
