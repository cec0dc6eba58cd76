"""Detects a frozen picture: is it the same as on earlier visits, apart from the few tiles where a clock ticks? Pure.

Tile means are compared in 1/128 of a level. Sensor noise, however well coding removes it, changes most of them from
keyframe to keyframe. A repeated picture that is coded the same way changes none, which is proof. A repeated picture
that is coded anew, with another quantiser, changes all of them a little, as a still room does: that counts only
compared with how much this camera's pictures usually change from visit to visit, and only while people work there, who
would change a few tiles a lot. Tiles that are crushed to black or white never change and prove nothing. Visits closer
together than `frozen_gap_s` prove nothing either. A gateway's stream time shows how far apart two pictures really are;
one that does not advance from visit to visit is a proof of its own.
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
"""Tiles that are neither black nor white, needed to decide on a freeze."""
_PERCENTILE_95_RATIO = 2.0
"""Limit of the 95th percentile of the changes in a picture coded anew, as a multiple of the upper quartile's limit."""


class FreezeState(NamedTuple):
    """The fields of JudgeState that a picture updates, by their names there.

    `change`: median change of a tile since the last picture, in levels; None if there is no other picture, if too few
    tiles could change, or if it came too soon.
    """

    tile_means: bytes
    same_visits: int
    still_visits: int
    compared_wall_ns: int
    stream_time_ns: int
    clock_still_visits: int
    change: float | None


def update(
    judge_state: JudgeState,
    measurement: Measurement,
    features: Features,
    usual_change: float,
    settings: JudgeSettings,
) -> FreezeState:
    """Return the state after one more picture. `features`: its motion is since the picture in `judge_state`.

    `usual_change`: the baseline's figure `change`; 0 if unknown. The counts in the result say how many pictures in a
    row did not change, this one included.
    """
    at_ns, stream_ns = measurement.arrival_wall_ns, measurement.stream_time_ns
    clock_ns = stream_ns if measurement.source == FeedKind.GATEWAY and stream_ns is not None else -1
    if not judge_state.tile_means:
        return FreezeState(features.tile_means, 1, 1, at_ns, clock_ns, 1, None)
    gap_ns = at_ns - judge_state.compared_wall_ns
    if clock_ns > judge_state.stream_time_ns >= 0:
        gap_ns = min(gap_ns, clock_ns - judge_state.stream_time_ns)
    far_enough = gap_ns > 0 and gap_ns >= settings.frozen_gap_s * NS_PER_S
    same_clock = clock_ns >= 0 and clock_ns == judge_state.stream_time_ns
    clock_still = judge_state.clock_still_visits if same_clock and far_enough else 0
    motion = features.motion
    if motion.movable < TILES_MIN:
        return FreezeState(features.tile_means, 1, 1, at_ns, clock_ns, clock_still + 1, None)
    limit = min(settings.frozen_change_max, settings.frozen_change_ratio * usual_change)
    still = motion.upper_quartile <= limit and motion.percentile_95 <= _PERCENTILE_95_RATIO * limit
    same = motion.unchanged >= settings.frozen_tiles_share_min * motion.movable
    if not same and not still:
        return FreezeState(features.tile_means, 1, 1, at_ns, clock_ns, clock_still + 1, motion.median)
    if not far_enough:
        return _unchanged(judge_state)  # too soon after the last picture to prove anything
    return FreezeState(
        judge_state.tile_means,
        judge_state.same_visits + 1 if same else 1,
        judge_state.still_visits + 1,
        at_ns,
        clock_ns,
        clock_still + 1,
        motion.median,
    )


def _unchanged(judge_state: JudgeState) -> FreezeState:
    return FreezeState(
        judge_state.tile_means,
        judge_state.same_visits,
        judge_state.still_visits,
        judge_state.compared_wall_ns,
        judge_state.stream_time_ns,
        judge_state.clock_still_visits,
        None,
    )
