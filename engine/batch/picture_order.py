"""Which picture of a camera or a finding a command wants, and how. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from engine.model.findings import LedgerEvent, Step

_FAULT_STEPS = (Step.OPENED, Step.CHANGED, Step.RECHECK_FAILED)
"""Steps whose evidence shows the fault; that of a passed recheck shows a good picture."""


class Which(StrEnum):
    """Which picture of a camera or a finding."""

    LATEST = "latest"
    FAULT = "fault"
    BASELINE = "baseline"
    LAST_GOOD = "last-good"


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """How to render a picture. `side_px_max`: longest side in pixels; 0: unchanged. `annotated`: draw in tile map,
    scores and verdict."""

    which: Which
    side_px_max: int = 0
    annotated: bool = False


def fault_event(events: Iterable[LedgerEvent]) -> LedgerEvent | None:
    """Return the latest event of a finding whose evidence shows the fault; None if no event has any."""
    shown = [event for event in events if event.evidence and event.step in _FAULT_STEPS]
    return shown[-1] if shown else None
