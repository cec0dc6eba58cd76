"""`feed.rtsp_fallback`: what our RTSP client does not take is visited once more through FFmpeg, by engine and check."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.batch.check import check_sources
from engine.config.feed import FeedSettings
from engine.config.schema import Settings
from engine.feed.fallback import fallback_order
from engine.model.keyframe import Codec
from engine.model.verdict import State
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder, VisitTimings
from tests.integration.feed.test_visit import gst, gst_server

__all__ = ["gst"]

ORDER = VisitOrder(3, "cam", "rtsp://10.0.0.1/1", 12_000_000_000, FeedKind.RTSP)


def failed(reason: FailureReason, total_ns: int = 2_000_000_000) -> VisitFailure:
    return VisitFailure("cam", 3, reason, "", VisitTimings(total_ns=total_ns))


def test_two_reasons_fall_back_with_the_time_that_is_left() -> None:
    on = FeedSettings(rtsp_fallback=True)
    orders = {reason: fallback_order(ORDER, failed(reason), on) for reason in FailureReason}
    assert {reason for reason, order in orders.items() if order is not None} == {
        FailureReason.PROTOCOL_ERROR,
        FailureReason.UNSUPPORTED_CODEC,
    }
    expected = VisitOrder(3, "cam", ORDER.url, 10_000_000_000, FeedKind.DEMUX)
    assert orders[FailureReason.PROTOCOL_ERROR] == expected
    late = fallback_order(ORDER, failed(FailureReason.PROTOCOL_ERROR, 11_900_000_000), on)
    assert late is not None
    assert late.deadline_ns == 1_000_000_000


def test_nothing_falls_back_twice_or_where_the_setting_is_off_or_no_demuxer_runs() -> None:
    failure = failed(FailureReason.PROTOCOL_ERROR)
    on = FeedSettings(rtsp_fallback=True)
    retry = fallback_order(ORDER, failure, on)
    assert retry is not None
    assert fallback_order(retry, failure, on) is None
    assert fallback_order(ORDER, failure, FeedSettings()) is None
    assert fallback_order(ORDER, failure, FeedSettings(rtsp_fallback=True, demuxers=0)) is None


@pytest.fixture(scope="module")
def mjpeg(gst: None) -> Iterator[str]:
    del gst
    with gst_server(Path("/dev/null"), Codec.MJPEG) as place:
        yield f"rtsp://{place}"


@pytest.mark.gst
def test_check_visits_as_the_engine_does(mjpeg: str) -> None:
    settings = Settings(feed=FeedSettings(deadline_s=8))
    (without,) = check_sources([mjpeg], settings)
    assert (without.verdict.state, without.verdict.reason) == (State.OFFLINE, "unsupported_codec")
    (with_fallback,) = check_sources([mjpeg], Settings(feed=FeedSettings(deadline_s=8, rtsp_fallback=True)))
    assert with_fallback.keyframe is not None, with_fallback.error
    assert with_fallback.keyframe.codec is Codec.MJPEG
    assert with_fallback.measurement is not None
    assert with_fallback.measurement.width == 320
