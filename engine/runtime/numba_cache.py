"""Where compiled functions are kept between starts: the user's cache directory, not the installed package.

Kernels and judge compile when their modules are imported, for the signatures that stand there. A process that imports
them within `compiling()` pays the compiler once a machine: the first compiles and stores, all others load.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numba

_PACKAGES = ("kernels", "judge")
_KEPT_MAX = 4


def _digest() -> str:
    """Of all that is compiled: Numba looks at the file of a function alone, and not at those of functions it calls."""
    whole = hashlib.sha256()
    for package in _PACKAGES:
        for file in sorted((Path(__file__).parents[1] / package).glob("*.py")):
            whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


def base() -> Path:
    """Per user and honouring XDG_CACHE_HOME."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "kitchen-patrol" / "numba"


def directory() -> Path:
    """Of these very functions; created by Numba when first written."""
    return base() / _DIGEST


@contextlib.contextmanager
def compiling(package: str) -> Iterator[None]:
    """Import what is compiled of a package in here: of processes that start together, the others wait for the first.

    Each package has a lock of its own, so that a hub, which needs the judge, does not wait for a worker's kernels.
    """
    directory().mkdir(parents=True, exist_ok=True)
    with (base() / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory().touch()
        _prune()
        yield


def _prune() -> None:
    """Forget versions that were not used for longest; a process of another role may do so at the same time."""
    with contextlib.suppress(FileNotFoundError):
        known = sorted((one for one in base().iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
        for old in known[:-_KEPT_MAX]:
            if old != directory():
                shutil.rmtree(old, ignore_errors=True)


_DIGEST = _digest()
if "NUMBA_CACHE_DIR" not in os.environ:
    setattr(numba.config, "CACHE_DIR", str(directory()))  # noqa: B010 (set at run time by Numba itself)

CACHED = True
"""Decorators take it from here, so that the directory above is set before the first of them runs."""
