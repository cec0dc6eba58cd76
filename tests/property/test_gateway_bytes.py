"""Whatever bytes a gateway sends, the intake takes a keyframe that can be stored, or refuses it with a reason."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import NS_PER_S, wall_ns
from engine.config.intake import IntakeSettings
from engine.feed.intake import Intake
from engine.hub.keyframes.gateways import Gateways
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.keyframe import DropReason
from engine.runtime.connection_limit import ConnectionLimit
from engine.worker import wire as jobs
from patrol.v1 import feed_pb2

CAMERAS = {"pushed": Camera("pushed", "", push=True), "visited": Camera("visited", "rtsp://h/1")}
PAYLOAD_BYTES_MAX = 65_536
REASONS = {str(reason) for reason in DropReason}

unsigned = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
near_now = st.integers(-20_000, 400).map(lambda ahead_s: wall_ns() + ahead_s * NS_PER_S)
headers = st.builds(
    feed_pb2.KeyframeHeader,
    camera_id=st.just("pushed") | st.just("pushed") | st.sampled_from([*CAMERAS, "nobody", ""]) | st.text(max_size=80),
    codec=st.integers(1, 3) | st.integers(1, 3) | st.integers(-(2**31), 2**31 - 1),
    arrival_wall_ns=st.just(0) | near_now | unsigned,
    stream_time_ns=st.none() | st.integers(-(2**63), 2**63 - 1),
    visit_id=unsigned,
    source=st.integers(-(2**31), 2**31 - 1),
    timings=st.builds(feed_pb2.VisitTimings, connect_ns=unsigned, total_ns=unsigned, received_bytes=unsigned),
).map(lambda header: header.SerializeToString())
frames = st.binary(max_size=300) | st.sampled_from([b"PK1", b"VO1", b"VF1", b"FS1", b""])


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """Keyframes with any values in their fields, some with bytes changed, and anything at all."""
    header = bytearray(draw(headers))
    shape = draw(st.sampled_from(("whole", "whole", "changed", "anything")))
    if shape == "anything":
        return draw(st.lists(frames, max_size=9) | frames.map(lambda raw: [b"PK1", raw, b"x"]))
    if shape == "changed" and header:
        for _ in range(draw(st.integers(1, 5))):
            header[draw(st.integers(0, len(header) - 1))] = draw(st.integers(0, 255))
    return [b"PK1", bytes(header), draw(st.binary(min_size=1, max_size=300))]


class Counting(Metrics):
    """Metrics that remember the last reason of a drop."""

    reason = ""

    def dropped(self, reason: str, number: int = 1) -> None:
        self.reason = reason
        super().dropped(reason, number)


METRICS = Counting(version="test")
GATEWAYS = Gateways(IntakeSettings(payload_bytes_max=PAYLOAD_BYTES_MAX), CAMERAS, None, METRICS, ConnectionLimit(8))


@given(messages())
@settings(max_examples=1000, deadline=None)
def test_any_message_is_a_keyframe_that_can_be_stored_or_refused_with_a_reason(message: list[bytes]) -> None:
    METRICS.reason = ""
    push = GATEWAYS.receive(message, "")
    if push is None:
        assert METRICS.reason in REASONS
        return
    keyframe = push.keyframe
    assert keyframe.camera_id == "pushed"
    assert abs(keyframe.arrival_wall_ns - wall_ns()) < 15_000 * NS_PER_S
    struct.pack("<qqq", keyframe.visit_id, keyframe.arrival_wall_ns, keyframe.stream_time_ns or 0)
    timings = keyframe.timings
    assert not any((timings.connect_ns, timings.keyframe_ns, timings.total_ns, timings.received_bytes))
    intake = Intake(10, PAYLOAD_BYTES_MAX, NS_PER_S)
    assert intake.offer(keyframe, 0) == []
    job = jobs.unpack_job(jobs.pack_job(1, keyframe), PAYLOAD_BYTES_MAX)
    assert job.keyframe == keyframe
