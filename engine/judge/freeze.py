"""Is the picture the same as on earlier visits? Compared outside the few tiles where a clock ticks. Pure.

Tile means are compared in 1/128 of a level. Sensor noise, however well it is coded away, moves most of them from
keyframe to keyframe; a repeated picture that is coded the same way moves none, which is proof. One that is coded anew,
at another quantiser, moves them a little, as a still room does: that counts only against how much this camera's
pictures usually change from visit to visit, and while people work before it. Tiles that are crushed to black or white
never move and prove nothing. Visits closer together than a gap prove nothing either; a gateway's stream time tells how
far apart two pictures really are, and one that does not advance from visit to visit is a proof of its own.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S
from engine.config.schema import JudgeSettings
from engine.judge.history import History
from engine.types import FeedKind, Measurement

SIGNATURE_VERSION = 2
UNITS_PER_LEVEL = 128
LEVEL_MIN, LEVEL_MAX = 8, 247
TILES_MIN = 32
"""Fewer tiles than that between black and white: nothing can be said of a freeze."""
_QUARTILE = 0.75

Grid = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Stillness:
    """`history`: with this visit in it. `change`: of the middle tile since the last picture, levels; None: no other
    picture, too few tiles that could move, or too soon."""

    history: History
    change: float | None


def compare(
    history: History, cells: Grid, measurement: Measurement, usual_change: float, settings: JudgeSettings
) -> Stillness:
    """One more picture. `cells`: its thumbnail in levels. `usual_change`: what Baseline.usual.change says; 0: unknown.

    Counts of the history tell how many pictures in a row did not change, this one included.
    """
    at_ns, stream_ns = measurement.arrival_wall_ns, measurement.stream_time_ns
    clocked = measurement.source == FeedKind.GATEWAY and stream_ns is not None
    means = np.rint(_tiles(cells) * UNITS_PER_LEVEL).astype("<u2")
    fresh = replace(
        history, signature=means.tobytes(), same_visits=1, still_visits=1, signature_wall_ns=at_ns,
        stream_time_ns=stream_ns if clocked and stream_ns is not None else -1, clock_still_visits=1,
    )  # fmt: skip
    if not history.signature:
        return Stillness(fresh, None)
    gap_ns = at_ns - history.signature_wall_ns
    clock_still = clocked and history.stream_time_ns >= 0 and stream_ns == history.stream_time_ns
    if clocked and stream_ns is not None and stream_ns > history.stream_time_ns >= 0:
        gap_ns = min(gap_ns, stream_ns - history.stream_time_ns)
    old = np.frombuffer(history.signature, "<u2").astype(np.int32)
    lit = (means > LEVEL_MIN * UNITS_PER_LEVEL) & (means < LEVEL_MAX * UNITS_PER_LEVEL)
    count = int(np.count_nonzero(lit))
    moved = np.abs(old - means)[lit] / UNITS_PER_LEVEL
    clock = history.clock_still_visits + 1 if clock_still and gap_ns >= settings.frozen_gap_s * NS_PER_S else 1
    fresh = replace(fresh, clock_still_visits=clock)
    if count < TILES_MIN:
        return Stillness(fresh, None)
    change = float(np.partition(moved, count // 2)[count // 2])
    same = int(np.count_nonzero(moved <= settings.frozen_tolerance)) >= settings.frozen_tiles_share_min * count
    quarter = float(np.partition(moved, int(_QUARTILE * (count - 1)))[int(_QUARTILE * (count - 1))])
    still = same or quarter <= min(settings.frozen_change_max, settings.frozen_change_ratio * usual_change)
    if not still:
        return Stillness(fresh, change)
    if gap_ns < settings.frozen_gap_s * NS_PER_S:
        return Stillness(history, None)  # too soon after the last one to prove anything
    kept = replace(
        fresh,
        signature=history.signature,
        same_visits=history.same_visits + 1 if same else 1,
        still_visits=history.still_visits + 1,
    )
    return Stillness(kept, change)


def _tiles(cells: Grid) -> Grid:
    tiles: Grid = 0.25 * (cells[::2, ::2] + cells[::2, 1::2] + cells[1::2, ::2] + cells[1::2, 1::2])
    return tiles.ravel()
