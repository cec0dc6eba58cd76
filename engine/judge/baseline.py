"""What structure each tile usually has, learned slowly from ok visits; and which tiles lost theirs. Pure.

Kept as unsigned 16-bit little-endian numbers, row-major: log2(1 + structure) in 1/4096. The logarithm keeps small and
large structures equally fine, and a mean of logarithms is not dragged by one visitor in a bright coat.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.config.schema import JudgeSettings
from engine.judge.history import History

_UNITS = 4096.0
_MAX = 65535.0
_VISITS_REMEMBERED = 64
"""Weight of one visit once the baseline is learned: 1/64."""
_VISITS_MAX = 60_000


def learn(history: History, structure: npt.NDArray[np.float32]) -> History:
    """The memory after one more ok visit."""
    seen = np.log2(structure.ravel() + 1.0) * _UNITS
    visits = history.baseline_visits
    if visits and len(history.baseline) == 2 * seen.size:
        old = np.frombuffer(history.baseline, "<u2")
        seen = old + (seen - old) / min(visits + 1, _VISITS_REMEMBERED)
    else:
        visits = 0
    kept = np.rint(np.clip(seen, 0.0, _MAX)).astype("<u2").tobytes()
    return replace(history, baseline=kept, baseline_visits=min(visits + 1, _VISITS_MAX))


def lost_share(history: History, structure: npt.NDArray[np.float32], settings: JudgeSettings) -> float | None:
    """Of the tiles that usually have structure, the share that shows none now. None without a baseline to compare."""
    now = structure.ravel()
    if history.baseline_visits < settings.baseline_visits_min or len(history.baseline) != 2 * now.size:
        return None
    usual = np.frombuffer(history.baseline, "<u2") / _UNITS
    had = usual >= np.log2(1.0 + settings.baseline_structure_min)
    count = int(np.count_nonzero(had))
    if count < settings.baseline_tiles_min:
        return None
    lost = now < np.minimum(settings.lost_structure_max, np.exp2(usual) * settings.lost_structure_ratio)
    return int(np.count_nonzero(lost & had)) / count
