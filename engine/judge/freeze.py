"""Is the picture the same as on earlier visits? Compared outside the few tiles where a clock ticks. Pure.

A signature (engine/kernels/signature.py) holds the mean of each tile in 1/128 of a level. Sensor noise, however well it
is coded away, moves most of them from keyframe to keyframe; a repeated picture moves none. Tiles that are crushed to
black or white never move and prove nothing, so they do not count.
"""

from dataclasses import replace

import numpy as np

from engine.clock import NS_PER_S
from engine.config.schema import JudgeSettings
from engine.judge.history import History

SIGNATURE_VERSION = 1
UNITS_PER_LEVEL = 128
LEVEL_MIN, LEVEL_MAX = 8, 247
TILES_MIN = 32
"""Fewer tiles than that between black and white: nothing can be said of a freeze."""


def compare(history: History, signature: bytes, at_wall_ns: int, settings: JudgeSettings) -> History:
    """The memory after one more picture; `same_visits` tells how many in a row did not change, this one included."""
    if not signature or signature[0] != SIGNATURE_VERSION:
        return replace(history, signature=b"", same_visits=0, signature_wall_ns=0)
    if not history.signature or not _same(history.signature, signature, settings):
        return replace(history, signature=signature, same_visits=1, signature_wall_ns=at_wall_ns)
    if at_wall_ns - history.signature_wall_ns < settings.frozen_gap_s * NS_PER_S:
        return history  # too soon after the last one to prove anything
    return replace(history, same_visits=history.same_visits + 1, signature_wall_ns=at_wall_ns)


def _same(old: bytes, new: bytes, settings: JudgeSettings) -> bool:
    if len(old) != len(new) or old[0] != new[0]:
        return False
    before = np.frombuffer(old, "<u2", offset=1).astype(np.int32)
    after = np.frombuffer(new, "<u2", offset=1).astype(np.int32)
    lit = (after > LEVEL_MIN * UNITS_PER_LEVEL) & (after < LEVEL_MAX * UNITS_PER_LEVEL)
    count = int(np.count_nonzero(lit))
    if count < TILES_MIN:
        return False
    still = np.abs(after - before) <= settings.frozen_tolerance * UNITS_PER_LEVEL
    return int(np.count_nonzero(still & lit)) >= settings.frozen_tiles_share_min * count
