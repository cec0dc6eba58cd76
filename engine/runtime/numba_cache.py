"""Keeps compiled functions between starts, in the user's cache directory and not in the installed package.

Kernels, judge, decode (its checks of coded data) and feed (its reading of packets) compile when their modules are
imported, for the signatures written there. Processes import them with `load`: the first one compiles and stores the
result, all others load it.

Each version of the compiled code has a folder. A process holds its version's lock for as long as it lives, so that
other versions, which delete what nobody uses, leave that folder alone. Whatever happens to the folder, the code is
compiled again at worst: a start never fails because of it.
"""

import contextlib
import fcntl
import hashlib
import importlib
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import numba

from engine.clock import NS_PER_S, wall_ns
from engine.runtime.compile_stage import CompileStage, OnStage, tell_nobody
from engine.runtime.log import logger

_PACKAGES = ("kernels", "judge", "decode", "feed/packets")
_VERSIONS_MAX = 4
"""Versions of the compiled code that are kept, besides those in use."""
_RECENT_NS = 3600 * NS_PER_S
"""A version that was loaded within this time counts as used: its processes may just be starting again."""
_TRIES = 2
_held: list[int] = []
"""The descriptor that holds this version's lock; it closes with the process."""


def _digest() -> str:
    """Digest all compiled source: Numba checks only a function's own file, not the files of functions it calls."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for file in sorted((Path(__file__).parents[1] / package).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def base() -> Path:
    """Return the user's cache directory; XDG_CACHE_HOME is honoured."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "kitchen-patrol" / "numba"


def directory() -> Path:
    """Return the directory of this version's functions."""
    return base() / _DIGEST


def load(package: str, *modules: str, on_stage: OnStage = tell_nobody) -> None:
    """Import the compiled modules of a package: processes that start together wait for the first, which compiles.

    Each package has its own lock, so that a hub, which needs the judge, does not wait for a worker's kernels. Without a
    cache that can be used, the modules are compiled for this process alone. `on_stage` is called with each stage:
    whoever waits for this process then knows why. Raises what the modules raise.
    """
    try:
        _load(package, modules, on_stage)
    finally:
        on_stage(CompileStage.DONE)


def _load(package: str, modules: tuple[str, ...], on_stage: OnStage) -> None:
    global CACHED
    for _ in range(_TRIES):
        try:
            on_stage(CompileStage.WAITS)
            with _alone(package):
                on_stage(CompileStage.COMPILES)
                _hold()
                _prune(wall_ns())
                _import(modules)
                return
        except FileNotFoundError:
            continue  # deleted by hand, or by a version that knows no lock
        except OSError as error:
            logger().warning("compiled code is not kept", folder=str(base()), detail=error.strerror or str(error))
            break
        except (EOFError, pickle.UnpicklingError):
            with _alone(package):
                _discard(package)
    CACHED = False
    on_stage(CompileStage.COMPILES)
    _import(modules)


def _import(modules: tuple[str, ...]) -> None:
    for module in modules:
        importlib.import_module(module)


@contextlib.contextmanager
def _alone(package: str) -> Iterator[None]:
    """Hold the lock of a package."""
    base().mkdir(parents=True, exist_ok=True)
    with (base() / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _hold() -> None:
    """Make this version's folder, say that it is used now, and hold its lock. Raises OSError if that cannot be done."""
    base().mkdir(parents=True, exist_ok=True)
    if not _held:
        _held.append(_locked(directory()))
    if directory().is_file():  # versions that knew no lock could leave one
        directory().unlink()
    directory().mkdir(exist_ok=True)
    os.utime(directory())


def _locked(version: Path) -> int:
    """Return a descriptor that shares the lock of a version; waits while another process deletes that version."""
    path = _lock_file(version)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)  # it was deleted with its version while we waited


def _prune(now_ns: int) -> None:
    """Delete the versions that were unused for longest, but none that a process holds or that was loaded recently."""
    used: dict[Path, int] = {}
    for path in base().iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.is_dir() and path != directory():
                used[path] = path.stat().st_mtime_ns
    for old in sorted(used, key=used.__getitem__)[: max(0, len(used) + 1 - _VERSIONS_MAX)]:
        if used[old] < now_ns - _RECENT_NS:
            _delete(old)


def _delete(version: Path) -> None:
    """Delete a version with its lock, unless a process holds it or another one deletes it."""
    lock = _lock_file(version)
    with contextlib.suppress(OSError), lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(version, ignore_errors=True)
        lock.unlink()


def _discard(package: str) -> None:
    """Delete what is stored of a package in this version: it cannot be read, as after a loss of power."""
    logger().warning("compiled code cannot be read, it is compiled again", package=package, folder=str(directory()))
    for folder in directory().glob(f"{package}_*"):
        shutil.rmtree(folder, ignore_errors=True)


def _lock_file(version: Path) -> Path:
    return version.with_name(f"{version.name}.lock")


def _usable() -> bool:
    """Hold this version's folder; returns whether Numba can keep functions there."""
    try:
        _hold()
    except OSError:
        return False
    return os.access(directory(), os.W_OK)


_DIGEST = _digest()
CACHED = True
"""Decorators read this constant from here, so that the directory is set before the first of them runs."""
if "NUMBA_CACHE_DIR" not in os.environ:
    setattr(numba.config, "CACHE_DIR", str(directory()))  # noqa: B010 (set at run time by Numba itself)
    CACHED = _usable()
