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

import numpy as np
import numpy.typing as npt

from engine.clock import NS_PER_S
from engine.config.judge import JudgeSettings
from engine.judge.history import History
from engine.types import FeedKind, Measurement

SIGNATURE_VERSION = 2
UNITS_PER_LEVEL = 128
LEVEL_MIN, LEVEL_MAX = 8, 247
TILES_MIN = 32
"""Fewer tiles than that between black and white: nothing can be said of a freeze."""
_QUARTILE, _NEARLY_ALL = 0.75, 0.95
_NEARLY_ALL_RATIO = 2.0
"""Nearly all tiles of a picture coded anew stay within so many times the limit for three quarters of them."""

Cells = npt.NDArray[np.uint16]


class Stillness(NamedTuple):
    """`history`: with this visit in it. `change`: of the middle tile since the last picture, levels; None: no other
    picture, too few tiles that could move, or too soon."""

    history: History
    change: float | None


def compare(
    history: History, cells: Cells, measurement: Measurement, usual_change: float, settings: JudgeSettings
) -> Stillness:
    """One more picture.

    `cells`: its thumbnail in 1/UNITS_PER_LEVEL. `usual_change`: what Baseline.usual.change says; 0: unknown. Counts of
    the history tell how many pictures in a row did not change, this one included.
    """
    at_ns, stream_ns = measurement.arrival_wall_ns, measurement.stream_time_ns
    clock_ns = stream_ns if measurement.source == FeedKind.GATEWAY and stream_ns is not None else -1
    means = _tiles(cells)
    fresh = history._replace(
        signature=means.tobytes(), same_visits=1, still_visits=1, signature_wall_ns=at_ns, stream_time_ns=clock_ns,
        clock_still_visits=1,
    )  # fmt: skip
    if not history.signature:
        return Stillness(fresh, None)
    gap_ns = at_ns - history.signature_wall_ns
    if clock_ns > history.stream_time_ns >= 0:
        gap_ns = min(gap_ns, clock_ns - history.stream_time_ns)
    apart = gap_ns > 0 and gap_ns >= settings.frozen_gap_s * NS_PER_S
    if clock_ns >= 0 and clock_ns == history.stream_time_ns and apart:
        fresh = fresh._replace(clock_still_visits=history.clock_still_visits + 1)
    lit = (means > LEVEL_MIN * UNITS_PER_LEVEL) & (means < LEVEL_MAX * UNITS_PER_LEVEL)
    moved = np.abs(means.astype(np.float32) - np.frombuffer(history.signature, "<u2"))[lit]
    count = moved.size
    if count < TILES_MIN:
        return Stillness(fresh, None)
    moved.sort()
    moved /= UNITS_PER_LEVEL
    change = float(moved[count // 2])
    limit = min(settings.frozen_change_max, settings.frozen_change_ratio * usual_change)
    still = bool(
        moved[int(_QUARTILE * (count - 1))] <= limit
        and moved[int(_NEARLY_ALL * (count - 1))] <= _NEARLY_ALL_RATIO * limit
    )
    steady = int(np.count_nonzero(moved <= settings.frozen_tolerance))
    same = steady >= settings.frozen_tiles_share_min * count
    if not same and not still:
        return Stillness(fresh, change)
    if not apart:
        return Stillness(history, None)  # too soon after the last one to prove anything
    kept = fresh._replace(
        signature=history.signature,
        same_visits=history.same_visits + 1 if same else 1,
        still_visits=history.still_visits + 1,
    )
    return Stillness(kept, change)


def _tiles(cells: Cells) -> Cells:
    """Means of the tiles in 1/UNITS_PER_LEVEL, flat."""
    pairs = cells[::2].astype(np.uint32) + cells[1::2]
    return ((pairs[:, ::2] + pairs[:, 1::2]) // 4).astype("<u2").ravel()
