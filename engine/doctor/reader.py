"""Examines whether clocks and names in pictures can be read. Without a reader the patrol lacks nothing else."""

from engine.config.reader import ReaderSettings
from engine.doctor.diagnosis import Diagnosis, ok
from engine.overlay.installed import is_installed


def examine(settings: ReaderSettings, *, installed: bool | None = None) -> Diagnosis:
    """Say whether they are. `installed`: None looks."""
    if not settings.enabled:
        return ok("reader", "reader.enabled is false: clocks and names in pictures are not read")
    if is_installed() if installed is None else installed:
        return ok("reader", f"clocks and names in pictures are read, {settings.cameras_per_min:g} a minute")
    return ok("reader", "not installed: clocks and names in pictures are not read (pip install 'kitchen-patrol[ocr]')")
