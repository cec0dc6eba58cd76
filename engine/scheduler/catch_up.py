"""Finds the cameras that are visited soon after an outage or a pause: those that failed, or are behind. Pure."""

import numpy as np
import numpy.typing as npt

from engine.scheduler.periods.timing import Timing
from engine.scheduler.table import FAILING, PUSH, CameraState, Table


def to_catch_up(table: Table, timing: Timing, slots: npt.NDArray[np.intp], jitter: float, now_ns: int) -> list[int]:
    """Return those of these slots that wait for their time and failed, or are behind their period."""
    gap_min_ns = timing.periods(table.base_class) * (1.0 - jitter)  # between periodic visits
    is_behind = np.frombuffer(table.last_keyframe, dtype=np.int64) < now_ns - gap_min_ns
    flags = np.frombuffer(table.flags, dtype=np.uint8)
    chosen = (is_behind | ((flags & FAILING) != 0)) & ((flags & PUSH) == 0)
    chosen &= np.frombuffer(table.state, dtype=np.uint8) == CameraState.DUE
    found: list[int] = slots[chosen[slots]].tolist()
    return found
