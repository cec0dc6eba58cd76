"""Decides what is evicted first when the evidence exceeds its budget. Pure."""

from collections import OrderedDict
from enum import IntEnum


class Rank(IntEnum):
    """How valuable a file is; the lowest rank is evicted first, the highest never."""

    LATEST = 0
    """A camera's latest keyframe, which the next visit replaces."""
    BESIDE = 1
    """The good pictures of a camera whose latest is not ok: what its fault is compared with."""
    EXHIBIT = 2
    """An exhibit, or a photograph of a claim, that no open finding cites."""
    PINNED = 3
    """An exhibit or a photograph that an open finding cites, or an exhibit that such an exhibit was compared with.
    It is never evicted.
    """

    @property
    def label(self) -> str:
        """The rank as the metric's label."""
        return self.name.lower()


class Quota:
    """Names and sizes in bytes of what is kept, by rank; within a rank the order in which they came to it."""

    def __init__(self) -> None:
        self._ranks: tuple[OrderedDict[str, int], ...] = tuple(OrderedDict() for _ in Rank)
        self._where: dict[str, Rank] = {}
        self._bytes = dict.fromkeys(Rank, 0)

    @property
    def total_bytes(self) -> int:
        """The size of all that is kept."""
        return sum(self._bytes.values())

    def __contains__(self, name: str) -> bool:
        """Whether this name is kept."""
        return name in self._where

    def count(self, rank: Rank) -> int:
        """Return how many names of a rank are kept."""
        return len(self._ranks[rank])

    def bytes_of(self, rank: Rank) -> int:
        """Return the size of what is kept of a rank."""
        return self._bytes[rank]

    def add(self, name: str, size_bytes: int, rank: Rank) -> None:
        """Add a name as the newest of its rank; replaces what was known of the name."""
        self.remove(name)
        self._ranks[rank][name] = size_bytes
        self._where[name] = rank
        self._bytes[rank] += size_bytes

    def move(self, name: str, rank: Rank) -> None:
        """Move a name to another rank as its newest; do nothing if it is of this rank already, or is not kept."""
        where = self._where.get(name)
        if where is not None and where != rank:
            self.add(name, self._ranks[where][name], rank)

    def remove(self, name: str) -> bool:
        """Remove a name; return whether it was kept."""
        rank = self._where.pop(name, None)
        if rank is None:
            return False
        self._bytes[rank] -= self._ranks[rank].pop(name)
        return True

    def evict(self, bytes_max: int) -> tuple[str, Rank] | None:
        """Remove and return the next name to evict, with its rank; None while `bytes_max` is not exceeded, and if only
        what is pinned is left."""
        if self.total_bytes <= bytes_max:
            return None
        for rank, names in zip(Rank, self._ranks, strict=True):
            if names and rank is not Rank.PINNED:
                name = next(iter(names))
                self.remove(name)
                return name, rank
        return None
