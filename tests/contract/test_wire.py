"""What goes over ZeroMQ comes back the same, and what breaks the contract is refused with a reason."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.feed import wire
from engine.model.active_area import ActiveArea
from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Measurement, Scores
from engine.model.packed.measurement import pack_measurement
from engine.model.picture import RenderedPicture, TileMap
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder, VisitTimings
from engine.worker import wire as jobs
from patrol.v1 import measurement_pb2
from tests.support.judge_states import a_measurement

MIB = 1024 * 1024
AREA = ActiveArea(1250, 0, 8750, 10_000)
KEYFRAME = Keyframe(
    "13010200001320000001",
    2**63 + 5,
    Codec.H265,
    b"\0\0\0\1payload",
    1_700_000_000_000_000_000,
    -40,
    FeedKind.RTSP,
    VisitTimings(1, 2, 3, 4),
)


def test_a_keyframe_survives_the_wire() -> None:
    assert wire.unpack_keyframe(wire.pack_keyframe(KEYFRAME), MIB, 0) == KEYFRAME


def test_every_codec_and_source_has_its_number() -> None:
    for codec in Codec:
        for source in FeedKind:
            sent = Keyframe("c", 1, codec, b"x", 1, None, source)
            assert wire.unpack_keyframe(wire.pack_keyframe(sent), MIB, 0) == sent


def test_a_gateway_that_gives_no_time_is_stamped() -> None:
    sent = Keyframe("c", 0, Codec.MJPEG, b"x", 0, None, FeedKind.GATEWAY)
    assert wire.unpack_keyframe(wire.pack_keyframe(sent), MIB, 77).arrival_wall_ns == 77


def test_an_order_survives_the_wire() -> None:
    order = VisitOrder(9, "c", "rtsp://user:pass@host/1", 12, FeedKind.DEMUX)
    assert wire.unpack_order(wire.pack_order(order)) == order


@pytest.mark.parametrize("reason", list(FailureReason))
def test_a_failure_survives_the_wire(reason: FailureReason) -> None:
    failure = VisitFailure("c", 3, reason, "a sentence", VisitTimings(5, 0, 6, 7))
    assert wire.unpack_failure(wire.pack_failure(failure)) == failure


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "malformed"),
        ([b"PK1"], "malformed"),
        ([b"PK1", b"", b"x", b"y"], "malformed"),
        ([b"PK2", wire.pack_header(KEYFRAME), b"x"], "malformed"),
        ([b"PK1", b"\xff" * 10, b"x"], "malformed"),
        ([b"PK1", b"\0" * 5000, b"x"], "malformed"),
        ([b"PK1", wire.pack_header(KEYFRAME), b""], "malformed"),
        ([b"PK1", wire.pack_header(KEYFRAME), bytes(MIB + 1)], "too_large"),
        ([b"PK1", b"", b"x"], "malformed"),
        (wire.pack_keyframe(Keyframe("c" * 65, 1, Codec.H264, b"x", 1, None, FeedKind.RTSP)), "malformed"),
        (wire.pack_keyframe(Keyframe("", 1, Codec.H264, b"x", 1, None, FeedKind.RTSP)), "malformed"),
        (wire.pack_keyframe(Keyframe("a\nb", 1, Codec.H264, b"x", 1, None, FeedKind.RTSP)), "malformed"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_its_reason(frames: list[bytes], reason: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.unpack_keyframe(frames, MIB, 0)
    assert caught.value.reason == reason


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_random_messages_never_do_more_than_being_refused(frames: list[bytes]) -> None:
    for unpack in (
        lambda: wire.unpack_keyframe(frames, MIB, 0),
        lambda: wire.unpack_keyframe([b"PK1", *frames], MIB, 0),
        lambda: wire.unpack_order([wire.ORDER, *frames]),
        lambda: wire.unpack_failure([wire.FAILED, *frames]),
        lambda: wire.unpack_dialogue([wire.DIALOGUE, *frames]),
        lambda: wire.unpack_status([wire.STATUS, *frames]),
        lambda: jobs.unpack_job([jobs.JOB, *frames], MIB),
        lambda: jobs.unpack_photograph([jobs.PHOTOGRAPH, *frames], MIB),
        lambda: jobs.unpack_result([jobs.RESULT, *frames]),
    ):
        with contextlib.suppress(WireError):
            unpack()


def test_a_photographs_job_survives_the_wire_and_a_large_one_is_refused() -> None:
    job = jobs.PhotographJob(1 << 62, 1600, b"a file")
    assert jobs.unpack_photograph(jobs.pack_photograph(job), MIB) == job
    with pytest.raises(WireError, match="allowed: 5"):
        jobs.unpack_photograph(jobs.pack_photograph(job), 5)
    with pytest.raises(WireError, match="three"):
        jobs.unpack_photograph(jobs.pack_job(4, KEYFRAME), MIB)


def test_a_job_survives_the_wire() -> None:
    job = jobs.unpack_job(jobs.pack_job(4, KEYFRAME, render=True, side_px_max=320), MIB)
    assert (job.job_id, job.render, job.side_px_max, job.keyframe) == (4, True, 320, KEYFRAME)


def test_the_active_area_of_a_camera_survives_the_wire_and_must_be_one() -> None:
    frames = jobs.pack_job(4, KEYFRAME, known_area=AREA)
    assert jobs.unpack_job(frames, MIB).known_area == AREA
    assert jobs.unpack_job(jobs.pack_job(4, KEYFRAME), MIB).known_area is None
    frames[1] = measurement_pb2.Job(known_area=measurement_pb2.ActiveArea(left=5, right=4)).SerializeToString()
    with pytest.raises(WireError, match="left < right"):
        jobs.unpack_job(frames, MIB)


def test_a_verdict_to_be_drawn_into_a_picture_survives_the_wire() -> None:
    verdict = Verdict(
        KEYFRAME.camera_id, KEYFRAME.visit_id, 5, State.FAULT, (FaultKind.COVERED,), "", "why", State.FAULT,
        (FaultKind.COVERED,), 0, Scores(1.5, None, 99.0), {"luma_mean": 2.5}, {}, "2", 640, 480, None,
        Cause.LIGHTS_OFF, Cause.LIGHTS_OFF, Severity.BLIND, 0.75, (0, 17),
    )  # fmt: skip
    job = jobs.unpack_job(jobs.pack_job(4, KEYFRAME, render=True, annotate=verdict), MIB)
    assert job.annotate == verdict
    broken = jobs.pack_job(4, KEYFRAME, render=True, annotate=verdict)
    broken[1] = bytes(broken[1]).replace(b"covered", b"coveted")
    with pytest.raises(WireError, match="not a verdict"):
        jobs.unpack_job(broken, MIB)


def test_a_measurement_survives_the_wire() -> None:
    grid = np.arange(144, dtype=np.float32).reshape(9, 16)
    tiles = TileMap(grid, grid * 2, np.stack([grid, grid + 1]), -grid, grid * 3, grid > 100)
    sent = Measurement(
        "c", 1, 2, 3, FeedKind.GATEWAY, Codec.MJPEG, 640, 480, "yuvj420p", True, True, ("corrupt_flag",),
        {"luma_mean": 12.5}, Scores(50.0, None, 0.0), tiles, b"sig", 10, 20,
        area=AREA, seen_area=ActiveArea(0, 1, 10_000, 9999),
    )  # fmt: skip
    got = jobs.unpack_result(jobs.pack_result(jobs.Result(8, sent)))
    assert got.job_id == 8
    assert isinstance(got.outcome, Measurement)
    assert got.packed == pack_measurement(sent)  # the store keeps the worker's bytes
    for name in Measurement.__slots__:
        if name != "tiles":
            assert getattr(got.outcome, name) == getattr(sent, name), name
    for name in TileMap._fields:
        np.testing.assert_array_equal(getattr(got.outcome.tiles, name), getattr(tiles, name), name)


@pytest.mark.parametrize("outcome", [jobs.Failed("damaged", "why"), RenderedPicture(b"\xff\xd8", 4, 3, 5, 6)])
def test_other_results_survive_the_wire(outcome: jobs.Failed | RenderedPicture) -> None:
    assert jobs.unpack_result(jobs.pack_result(jobs.Result(1, outcome))) == jobs.Result(1, outcome)


def test_jobs_and_results_go_together_and_come_apart_again() -> None:
    messages = [jobs.pack_job(number, KEYFRAME) for number in range(1, jobs.JOBS_MAX + 1)]
    together = jobs.joined(messages)
    assert [jobs.unpack_job(frames, MIB).job_id for frames in jobs.split(together, jobs.JOB_FRAMES)] == [*range(1, 17)]
    results = [jobs.pack_result(jobs.Result(number, jobs.Failed("damaged", "why"))) for number in (5, 6)]
    apart = jobs.split(jobs.joined(results), jobs.RESULT_FRAMES)
    assert [jobs.unpack_result(frames).job_id for frames in apart] == [5, 6]


@pytest.mark.parametrize("number", [0, 1, 2, 4, 3 * jobs.JOBS_MAX + 3])
def test_jobs_that_do_not_add_up_are_refused(number: int) -> None:
    with pytest.raises(WireError, match="frames; allowed: 1 \\+ 3 times 1 to 16"):
        list(jobs.split([jobs.JOB, *[b""] * number], jobs.JOB_FRAMES))


def test_a_measurement_that_does_not_follow_its_job_id_is_refused() -> None:
    whole = jobs.pack_result(jobs.Result(8, a_measurement()))[1]
    job_id, measurement = bytes(whole[:9]), bytes(whole[9:])
    for body in (measurement, measurement + job_id):
        with pytest.raises(WireError) as refused:
            jobs.unpack_result([jobs.RESULT, body])
        assert refused.value.reason == "malformed"
