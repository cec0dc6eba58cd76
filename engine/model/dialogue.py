"""What the engine and a camera say to each other in one visit, line by line."""

from dataclasses import dataclass
from enum import StrEnum

TRACED_CAMERAS_MAX = 4
"""Cameras whose dialogue one check-now call may ask for."""
_NS_PER_MS = 1_000_000


class Side(StrEnum):
    """Who said it."""

    ENGINE = ">"
    CAMERA = "<"
    NOTE = "*"
    """Neither: what the visit does."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One line. `after_ns`: time since the visit began. `text`: without secrets, and without control characters."""

    after_ns: int
    side: Side
    text: str

    @property
    def after_ms(self) -> float:
        """The time since the visit began, in milliseconds with one decimal place."""
        return round(self.after_ns / _NS_PER_MS, 1)

    def __str__(self) -> str:
        """Return the line as people read it: time in ms, side, text."""
        return f"{self.after_ms:9.1f} ms {self.side} {self.text}"
