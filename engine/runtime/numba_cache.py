"""Keeps compiled functions between starts, in the user's cache directory and not in the installed package.

Kernels, judge and decode (its checks of coded data) compile when their modules are imported, for the signatures written
there. Processes import them within `compiling()`: the first one compiles and stores the result, all others load it.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numba

_PACKAGES = ("kernels", "judge", "decode")
_VERSIONS_MAX = 4
"""Versions of the compiled code that are kept."""


def _digest() -> str:
    """Digest all compiled source: Numba checks only a function's own file, not the files of functions it calls."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for file in sorted((Path(__file__).parents[1] / package).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def base() -> Path:
    """Return the user's cache directory; XDG_CACHE_HOME is honoured."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "kitchen-patrol" / "numba"


def directory() -> Path:
    """Return the directory of this version's functions; Numba creates it when it first writes."""
    return base() / _DIGEST


@contextlib.contextmanager
def compiling(package: str) -> Iterator[None]:
    """Import the compiled modules of a package in this context: processes that start together wait for the first.

    Each package has its own lock, so that a hub, which needs the judge, does not wait for a worker's kernels.
    """
    base().mkdir(parents=True, exist_ok=True)
    with (base() / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Under the lock, since another version may have pruned it while we waited; touching it then made a file of it.
        if directory().is_file():
            directory().unlink()
        directory().mkdir(exist_ok=True)
        os.utime(directory())
        _prune()
        yield


def _prune() -> None:
    """Delete the versions that were unused for longest. A process of another role may do the same at this moment."""
    with contextlib.suppress(FileNotFoundError):
        known = sorted((path for path in base().iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
        for old in known[:-_VERSIONS_MAX]:
            if old != directory():
                shutil.rmtree(old, ignore_errors=True)


_DIGEST = _digest()
if "NUMBA_CACHE_DIR" not in os.environ:
    setattr(numba.config, "CACHE_DIR", str(directory()))  # noqa: B010 (set at run time by Numba itself)

CACHED = True
"""Decorators read this constant from here, so that the directory is set before the first of them runs."""
