"""Loads the compiled judge, or compiles it if no process has yet."""

import importlib

from engine.runtime.numba_cache import compiling


def warm_up() -> None:
    """Import the rules, which compiles their functions. Must run before anything else imports them."""
    with compiling("judge"):
        importlib.import_module("engine.judge.rules")
