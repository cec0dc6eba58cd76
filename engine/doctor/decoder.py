"""Examines what decoding and scoring need: FFmpeg's decoders, and a folder for compiled kernels."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.decode import build
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning
from engine.doctor.disks import writable
from engine.runtime import numba_cache


def decoders(missing: Sequence[str], versions: str) -> Diagnosis:
    """Judge the decoders."""
    if missing:
        return fault(
            "decoder",
            f"{versions}: cannot decode {', '.join(missing)}",
            "install the wheel of PyAV from PyPI (`pip install --force-reinstall --only-binary av av`)",
        )
    return ok("decoder", versions)


def kernel_cache(folder: Path) -> Diagnosis:
    """Judge the folder of compiled kernels: without it every start compiles them for half a minute."""
    if writable("kernels", folder) is None:
        return ok("kernels", f"compiled ones are kept in {folder}")
    return warning(
        "kernels", f"{str(folder)!r} cannot be written to", "set XDG_CACHE_HOME to a folder of the engine's user"
    )


def examine() -> Iterator[Diagnosis]:
    """Examine both."""
    yield decoders(build.missing(), build.versions())
    yield kernel_cache(numba_cache.base())
