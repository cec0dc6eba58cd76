"""Pictures over gRPC: thumbnails one by one and many at once, etags, and which picture of a finding is meant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.client import CallError
from engine.model.camera import Camera
from engine.model.picture import FindingPicture
from engine.serve.services.thumbnails import REPLY_BYTES_MAX
from patrol.v1 import pictures_pb2
from tests.support.serve.calls import RPCS
from tests.support.serve.served import RunningServer, serving

IDS = ("c1", "c2", "busy", "damaged", "c11", "c12", "c13")
GRPC_BYTES_MAX = 4 * 1024 * 1024
"""What a gRPC client takes unless it is told otherwise."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as served:
        served.hub.put(*(Camera(camera_id, "rtsp://h/1", region="130102") for camera_id in IDS))
        served.hub.judge("c1")
        served.hub.ledger.open(served.hub.registry.cameras["c1"])
        yield served


def test_a_thumbnail_comes_once_and_not_again_while_it_is_the_same(served: RunningServer) -> None:
    first = served.client.thumbnail("c1")
    assert (first.jpeg[:2], first.width, first.visit_id, first.not_modified) == (b"\xff\xd8", 320, 9, False)
    assert first.arrival_wall_ns
    again = served.client.thumbnail("c1", etag=first.etag)
    assert (again.not_modified, again.jpeg, again.etag) == (True, b"", first.etag)
    assert again.arrival_wall_ns == first.arrival_wall_ns
    other = served.client.thumbnail("c1", side_px_max=160, etag=first.etag)
    assert (other.width, other.not_modified) == (160, False)


@pytest.mark.parametrize(
    ("camera_id", "side_px", "status", "said"),
    [
        ("c1", 159, "INVALID_ARGUMENT", "159; allowed: 160 to 640, or 0 for 320"),
        ("c1", 641, "INVALID_ARGUMENT", "allowed: 0 to 640"),
        ("c2", 0, "NOT_FOUND", "no picture of camera 'c2' is kept"),
        ("nobody", 0, "NOT_FOUND", "not in the registry"),
        ("busy", 0, "UNAVAILABLE", "ask again"),
        ("damaged", 0, "DATA_LOSS", "gives no picture"),
    ],
)
def test_a_thumbnail_that_cannot_be_had_says_why(
    served: RunningServer, camera_id: str, side_px: int, status: str, said: str
) -> None:
    with pytest.raises(CallError, match=said) as caught:
        served.client.thumbnail(camera_id, side_px_max=side_px)
    assert caught.value.status == status


def test_of_many_thumbnails_each_has_its_own_outcome_in_the_order_of_the_request(served: RunningServer) -> None:
    known = served.client.thumbnail("c11").etag
    asked = ["damaged", "c1", "nobody", "c11", "busy", "c2", "c1"]
    results = list(served.client.thumbnails(asked, etags={"c11": known}))
    assert [result.camera_id for result in results] == asked
    outcomes = [result.outcome for result in results]
    assert outcomes == ["damaged", "found", "missing", "not_modified", "busy", "missing", "found"]
    assert [result.picture is not None for result in results] == [False, True, False, True, False, False, True]


def test_a_batch_stays_within_what_a_client_takes_and_says_what_it_left_out(served: RunningServer) -> None:
    served.hub.pictures.jpeg_bytes = REPLY_BYTES_MAX // 2
    results = list(served.client.thumbnails(["c1", "c11", "c12", "c2", "c13"]))
    assert [result.outcome for result in results] == ["found", "found", "left_out", "missing", "left_out"]
    assert sum(len(result.picture.jpeg) for result in results if result.picture) == REPLY_BYTES_MAX < GRPC_BYTES_MAX


def test_a_batch_beyond_its_bounds_is_refused_with_the_item_that_is_wrong(served: RunningServer) -> None:
    call: Any = served.client._patrol.BatchGetThumbnails

    def refused(requests: list[dict[str, Any]]) -> list[str]:
        with pytest.raises(CallError) as caught:
            served.client._channel.call(call, pictures_pb2.BatchGetThumbnailsRequest(requests=requests))
        assert caught.value.status == "INVALID_ARGUMENT"
        return [field for field, _ in caught.value.violations]

    assert refused([]) == ["requests"]
    assert refused([{"camera": "cameras/c1"}] * 101) == ["requests"]
    assert refused([{"camera": "cameras/c1"}, {"camera": "c1"}]) == ["requests[1].camera"]
    assert refused([{"camera": "cameras/c1"}, {"camera": "cameras/c1", "side_px_max": 9}]) == [
        "requests[1].side_px_max"
    ]
    assert "PatrolService/BatchGetThumbnails" in RPCS


def test_a_picture_that_the_caller_has_is_not_sent_again(served: RunningServer) -> None:
    first = served.client.picture("c1", side_px_max=640)
    assert first.jpeg
    assert served.client.picture("c1", side_px_max=640, etag=first.etag).not_modified
    for annotated, side_px in ((True, 640), (False, 320)):
        assert served.client.picture("c1", etag=first.etag, side_px_max=side_px, annotated=annotated).jpeg


def test_a_finding_has_its_evidence_and_what_it_was_compared_with(served: RunningServer) -> None:
    findings = served.client.findings
    shown = {which: findings.picture(1, which) for which in FindingPicture}
    assert len({picture.etag for picture in shown.values()}) == 3
    evidence = shown[FindingPicture.EVIDENCE]
    assert findings.picture(1) == evidence
    assert findings.picture(1, etag=evidence.etag).not_modified
    served.hub.pictures.missing.add(FindingPicture.BASELINE)
    with pytest.raises(CallError, match="has no baseline picture") as caught:
        findings.picture(1, FindingPicture.BASELINE)
    assert caught.value.status == "NOT_FOUND"
    with pytest.raises(CallError, match="there is no finding 7"):
        findings.picture(7)
