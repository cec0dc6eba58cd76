"""Loads the compiled judge, or compiles it if no process has yet."""

from engine.runtime import numba_cache
from engine.runtime.compile_stage import OnStage, tell_nobody


def warm_up(on_stage: OnStage = tell_nobody) -> None:
    """Import the rules, which compiles their functions. Must run before anything else imports them."""
    numba_cache.load("judge", "engine.judge.rules", on_stage=on_stage)
