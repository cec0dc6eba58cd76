"""Loads the compiled checks of coded data, or compiles them if no process has yet."""

from engine.runtime import numba_cache
from engine.runtime.compile_stage import OnStage, tell_nobody


def warm_up(on_stage: OnStage = tell_nobody) -> None:
    """Import the compiled modules, which compiles their functions. Must run before anything else imports them."""
    numba_cache.load(
        "decode",
        "engine.decode.jpeg_scan",
        "engine.decode.damage",
        "engine.decode.grid_steps",
        "engine.decode.level_drift",
        on_stage=on_stage,
    )
