"""Where compiled kernels are kept between starts: the user's cache directory, not the installed package."""

import os
from pathlib import Path

import numba


def directory() -> Path:
    """Per user and honouring XDG_CACHE_HOME; created by Numba when first written."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "kitchen-patrol" / "numba"


if "NUMBA_CACHE_DIR" not in os.environ:
    setattr(numba.config, "CACHE_DIR", str(directory()))  # noqa: B010 (set at run time by Numba itself)

CACHED = True
"""Decorators take it from here, so that the directory above is set before the first of them runs."""
