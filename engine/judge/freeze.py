"""Is the picture the same as on earlier visits? Compared outside the few tiles where a clock ticks. Pure.

Tile means are compared in 1/128 of a level. Sensor noise, however well it is coded away, moves most of them from
keyframe to keyframe; a repeated picture that is coded the same way moves none, which is proof. One that is coded
anew, at another quantiser, moves all of them a little, as a still room does: that counts only against how much this
camera's pictures usually change from visit to visit, and while people work before it, who would move a few tiles by a
lot. Tiles that are crushed to black or white never move and prove nothing. Visits closer together than a gap prove
nothing either; a gateway's stream time tells how far apart two pictures really are, and one that does not advance
from visit to visit is a proof of its own.
"""

from typing import NamedTuple

from engine.clock import NS_PER_S
from engine.config.judge import JudgeSettings
from engine.judge.features import Features
from engine.judge.state import JudgeState
from engine.model.measurement import Measurement
from engine.model.visit import FeedKind

SIGNATURE_VERSION = 2
TILES_MIN = 32
"""Fewer tiles than that between black and white: nothing can be said of a freeze."""
_NEARLY_ALL_RATIO = 2.0
"""Nearly all tiles of a picture coded anew stay within so many times the limit for three quarters of them."""


class Stillness(NamedTuple):
    """What of the History becomes of one more picture, by the names it has there.

    `change`: of the middle tile since the last picture, levels; None: no other picture, too few tiles that could move,
    or too soon.
    """

    signature: bytes
    same_visits: int
    still_visits: int
    signature_wall_ns: int
    stream_time_ns: int
    clock_still_visits: int
    change: float | None


def compare(
    history: JudgeState, measurement: Measurement, look: Features, usual_change: float, settings: JudgeSettings
) -> Stillness:
    """One more picture, and the look at it beside the one that `history` has.

    `usual_change`: what Baseline.usual.change says; 0: unknown. Counts tell how many pictures in a row did not change,
    this one included.
    """
    at_ns, stream_ns = measurement.arrival_wall_ns, measurement.stream_time_ns
    clock_ns = stream_ns if measurement.source == FeedKind.GATEWAY and stream_ns is not None else -1
    if not history.signature:
        return Stillness(look.means, 1, 1, at_ns, clock_ns, 1, None)
    gap_ns = at_ns - history.signature_wall_ns
    if clock_ns > history.stream_time_ns >= 0:
        gap_ns = min(gap_ns, clock_ns - history.stream_time_ns)
    apart = gap_ns > 0 and gap_ns >= settings.frozen_gap_s * NS_PER_S
    clock_still = history.clock_still_visits if clock_ns >= 0 and clock_ns == history.stream_time_ns and apart else 0
    moved = look.moved
    if moved.able < TILES_MIN:
        return Stillness(look.means, 1, 1, at_ns, clock_ns, clock_still + 1, None)
    limit = min(settings.frozen_change_max, settings.frozen_change_ratio * usual_change)
    still = moved.three_quarters <= limit and moved.nearly_all <= _NEARLY_ALL_RATIO * limit
    same = moved.steady >= settings.frozen_tiles_share_min * moved.able
    if not same and not still:
        return Stillness(look.means, 1, 1, at_ns, clock_ns, clock_still + 1, moved.middle)
    if not apart:
        return _unmoved(history)  # too soon after the last one to prove anything
    same_visits = history.same_visits + 1 if same else 1
    return Stillness(
        history.signature, same_visits, history.still_visits + 1, at_ns, clock_ns, clock_still + 1, moved.middle
    )


def _unmoved(history: JudgeState) -> Stillness:
    return Stillness(
        history.signature,
        history.same_visits,
        history.still_visits,
        history.signature_wall_ns,
        history.stream_time_ns,
        history.clock_still_visits,
        None,
    )
