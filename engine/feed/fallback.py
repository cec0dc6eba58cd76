"""Decides whether an RTSP visit that failed is made once more through FFmpeg (`feed.rtsp_fallback`). Pure."""

from dataclasses import replace

from engine.clock import NS_PER_S
from engine.config.feed import FeedSettings
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder

_FALLS_BACK = (FailureReason.PROTOCOL_ERROR, FailureReason.UNSUPPORTED_CODEC)
_TIME_NS_MIN = NS_PER_S


def fallback_order(order: VisitOrder, failure: VisitFailure, settings: FeedSettings) -> VisitOrder | None:
    """Return the order for FFmpeg, with the time that is left of the visit's deadline, but at least 1 s.

    None if the setting is off, no demuxer runs, FFmpeg visited already, or another client would fare no better.
    """
    tries_again = settings.rtsp_fallback and settings.demuxers > 0
    if not tries_again or order.via is not FeedKind.RTSP or failure.reason not in _FALLS_BACK:
        return None
    left_ns = max(_TIME_NS_MIN, order.deadline_ns - failure.timings.total_ns)
    return replace(order, deadline_ns=left_ns, via=FeedKind.DEMUX)
