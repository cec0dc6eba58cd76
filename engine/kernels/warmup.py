"""Loads the compiled kernels, compiles them if no process has yet, and runs them once."""

from typing import cast

import numpy as np

from engine.model.keyframe import Codec
from engine.model.picture import LumaPlane, Picture
from engine.runtime import numba_cache
from engine.runtime.compile_stage import OnStage, tell_nobody

_SIDE = 64


def warm_up(on_stage: OnStage = tell_nobody) -> None:
    """Score a small picture of every sample type. Must run before anything else imports the kernels."""
    numba_cache.load("kernels", "engine.kernels.score", on_stage=on_stage)
    from engine.kernels.score import score

    for dtype, depth in ((np.uint8, 8), (np.uint16, 10)):
        luma = cast(LumaPlane, np.zeros((_SIDE, _SIDE), dtype))
        chroma = cast(LumaPlane, np.zeros((_SIDE // 2, _SIDE // 2), dtype))
        score(Picture(luma, (chroma, chroma), _SIDE, _SIDE, Codec.H264, "warm-up", depth, True, False))
