"""How an upgrade tells its progress, and how it is told to stop."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import StoreError


class UpgradeStoppedError(StoreError):
    """Somebody asked the upgrade to stop. What it has committed stays; the same command goes on from there."""

    def __init__(self) -> None:
        super().__init__("stopped; what is done is kept: run the same command again to go on")


def _nothing(step: str, done: int, total: int) -> None:
    del step, done, total


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Watch:
    """Who watches an upgrade. `report(step, done, total)`: hears how far a step is, in rows or bytes. `is_stopped`: is
    asked after each batch."""

    report: Callable[[str, int, int], None] = _nothing
    is_stopped: Callable[[], bool] = _never

    def advance(self, step: str, done: int, total: int) -> None:
        """Tell how far a step is. Raises UpgradeStoppedError if the upgrade is to stop."""
        self.report(step, done, total)
        if self.is_stopped():
            raise UpgradeStoppedError


UNWATCHED = Watch()
