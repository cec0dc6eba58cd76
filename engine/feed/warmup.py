"""Loads the compiled reading of packets, or compiles it if no process has yet."""

from engine.runtime import numba_cache
from engine.runtime.compile_stage import OnStage, tell_nobody


def warm_up(on_stage: OnStage = tell_nobody) -> None:
    """Import the compiled module, which compiles its functions. Must run before anything else imports it."""
    numba_cache.load("packets", "engine.feed.packets.runs", on_stage=on_stage)
