"""What of the evidence goes first when its budget is spent. Pure."""

from collections import OrderedDict
from enum import IntEnum


class Rank(IntEnum):
    """How long something is held on to; the lowest goes first."""

    LATEST = 0
    """A camera's latest keyframe, which the next visit replaces."""
    BESIDE = 1
    """The good pictures of a camera in doubt, to be laid beside what its fault shows."""
    EXHIBIT = 2
    """What an announced fault has left, and no open finding refers to."""
    PINNED = 3
    """What an open finding refers to."""

    @property
    def word(self) -> str:
        """As the metric has it."""
        return self.name.lower()


class Quota:
    """Names with their sizes in bytes, by rank and age: of a rank, who came to it first goes first."""

    def __init__(self) -> None:
        self._ranks: tuple[OrderedDict[str, int], ...] = tuple(OrderedDict() for _ in Rank)
        self._where: dict[str, Rank] = {}
        self.total_bytes = 0

    def __contains__(self, name: str) -> bool:
        """Whether it is kept."""
        return name in self._where

    def count(self, rank: Rank) -> int:
        """How many of a rank there are."""
        return len(self._ranks[rank])

    def add(self, name: str, size_bytes: int, rank: Rank) -> None:
        """It is kept now, as the youngest of its rank; whatever was known of it is forgotten."""
        self.remove(name)
        self._ranks[rank][name] = size_bytes
        self._where[name] = rank
        self.total_bytes += size_bytes

    def move(self, name: str, rank: Rank) -> None:
        """It has another rank now, as the youngest of it; nothing happens to one that is of this rank, or not kept."""
        where = self._where.get(name)
        if where is not None and where != rank:
            self.add(name, self._ranks[where][name], rank)

    def remove(self, name: str) -> bool:
        """It is gone. Whether it was there."""
        rank = self._where.pop(name, None)
        if rank is None:
            return False
        self.total_bytes -= self._ranks[rank].pop(name)
        return True

    def evict(self, bytes_max: int) -> tuple[str, Rank] | None:
        """Who goes next, and is forgotten here; None while the budget holds."""
        if self.total_bytes <= bytes_max:
            return None
        for rank, names in zip(Rank, self._ranks, strict=True):
            if names:
                name = next(iter(names))
                self.remove(name)
                return name, rank
        return None
