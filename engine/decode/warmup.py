"""Loads the compiled checks of coded data, or compiles them if no process has yet."""

import importlib

from engine.runtime.numba_cache import compiling


def warm_up() -> None:
    """Import the compiled modules, which compiles their functions. Must run before anything else imports them."""
    with compiling("decode"):
        for module in ("jpeg_scan", "grid_steps", "level_drift"):
            importlib.import_module(f"engine.decode.{module}")
