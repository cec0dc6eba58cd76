"""What differs between two settings, and whether a reload takes it. Pure."""

from dataclasses import dataclass

from engine.config.describe import rows
from engine.config.schema import Settings


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs. `hot`: taken while the engine runs; else it needs a restart."""

    key: str
    old: str
    new: str
    hot: bool


def diff(old: Settings, new: Settings) -> list[Change]:
    """Keys that differ, in the order of the file."""
    return [
        Change(f"{was.section}.{was.key}", was.value, now.value, was.hot)
        for was, now in zip(rows(old), rows(new), strict=True)
        if was.value != now.value
    ]
