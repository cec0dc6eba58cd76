"""Loads what the judge has compiled, or compiles it where nobody has yet."""

import importlib

from engine.runtime.numba_cache import compiling


def warm_up() -> None:
    """To be called before anything else imports the rules: functions compile as their modules are imported."""
    with compiling("judge"):
        importlib.import_module("engine.judge.rules")
