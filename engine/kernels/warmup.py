"""Pays the compiler once a machine: the first process compiles and stores, all others load."""

import fcntl
from typing import cast

import numpy as np

from engine.kernels.cache import base, directory, prune
from engine.types import Codec, LumaPlane, Picture

_SIDE = 64


def warm_up() -> None:
    """Score a small picture of every sample type. Processes that start together wait for the first one's compiler."""
    directory().mkdir(parents=True, exist_ok=True)
    with (base() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory().touch()
        prune()
        from engine.kernels.score import score

        for dtype, depth in ((np.uint8, 8), (np.uint16, 10)):
            luma = cast(LumaPlane, np.zeros((_SIDE, _SIDE), dtype))
            chroma = cast(LumaPlane, np.zeros((_SIDE // 2, _SIDE // 2), dtype))
            score(Picture(luma, (chroma, chroma), _SIDE, _SIDE, Codec.H264, "warm-up", depth, True, False))
