"""Where compiled kernels are kept between starts: the user's cache directory, not the installed package."""

import hashlib
import os
import shutil
from pathlib import Path

import numba

_KEPT_MAX = 4


def _digest() -> str:
    """Of all kernels: Numba looks at the file of a function alone, and not at those of the functions it calls."""
    whole = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


def base() -> Path:
    """Per user and honouring XDG_CACHE_HOME."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "kitchen-patrol" / "numba"


def directory() -> Path:
    """Of these very kernels; created by Numba when first written."""
    return base() / _DIGEST


def prune() -> None:
    """Forget kernels of versions that were not used for longest."""
    known = sorted((one for one in base().iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
    for old in known[:-_KEPT_MAX]:
        if old != directory():
            shutil.rmtree(old, ignore_errors=True)


_DIGEST = _digest()
if "NUMBA_CACHE_DIR" not in os.environ:
    setattr(numba.config, "CACHE_DIR", str(directory()))  # noqa: B010 (set at run time by Numba itself)

CACHED = True
"""Decorators take it from here, so that the directory above is set before the first of them runs."""
