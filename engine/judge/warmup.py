"""Loads the compiled judge, or compiles it if no process has yet."""

from engine.runtime import numba_cache


def warm_up() -> None:
    """Import the rules, which compiles their functions. Must run before anything else imports them."""
    numba_cache.load("judge", "engine.judge.rules")
