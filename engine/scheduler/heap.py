"""Slots ordered by time, in a heap of single integers: time in milliseconds above, slot below. Pure.

Nothing is ever taken out of the middle. An entry counts only while its camera still stands in the heap's place with
that time; all others are passed over when they come up, and swept out when they are more than those that count.
"""

from array import array
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt

SLOT_BITS = 22
SLOT_MASK = (1 << SLOT_BITS) - 1
"""4,194,304 cameras; with 38 bits of milliseconds (8 years of uptime) an entry stays within two digits of an int."""
_SLACK = 1024
_FEW = 256
"""Below this many entries a plain loop is quicker than NumPy."""


def ms_of(at_ns: int) -> int:
    """Rounded up, so that nothing ripens early."""
    return -(-at_ns // 1_000_000)


class SlotHeap:
    """Slots whose `place` is `here`, by `time`. `counts(slot)`: a further condition (its queue, its gate).

    `entries`: those that count and those that no longer do; if it is empty there is surely no head.
    """

    __slots__ = ("_counts", "_here", "_live", "_place", "_time", "entries")

    def __init__(
        self, place: "array[int]", time: "array[int]", here: int, counts: Callable[[int], bool] | None = None
    ) -> None:
        self.entries: list[int] = []
        self._place, self._time, self._here = place, time, here
        self._counts = counts
        self._live = 0

    def push(self, slot: int) -> None:
        """The slot stands here from now on, with the time in its column."""
        heappush(self.entries, (-(-self._time[slot] // 1_000_000) << SLOT_BITS) | slot)
        if len(self.entries) > 2 * self._live + _SLACK:
            self._sweep()

    def push_all(self, slots: Sequence[int]) -> None:
        """The same of each; of many, as at a start, at once."""
        if len(slots) < max(_FEW, len(self.entries) // 2):
            for slot in slots:
                self.push(slot)
            return
        self.entries += [(-(-self._time[slot] // 1_000_000) << SLOT_BITS) | slot for slot in slots]
        self._sweep()

    def head(self) -> int:
        """The slot that comes first; -1 if there is none."""
        entries, place, time, here, counts = self.entries, self._place, self._time, self._here, self._counts
        while entries:
            entry = entries[0]
            slot = entry & SLOT_MASK
            # `_stands`, written out: this is the scheduler's most frequent question
            if (
                place[slot] == here
                and -(-time[slot] // 1_000_000) == entry >> SLOT_BITS
                and (counts is None or counts(slot))
            ):
                return slot
            heappop(entries)
        return -1

    def pop(self) -> int:
        """Take the first out; IndexError if there is none. Its place is the caller's to change."""
        slot = self.head()
        if slot < 0:
            raise IndexError("the heap is empty")
        heappop(self.entries)
        return slot

    def slots(self) -> npt.NDArray[np.int64]:
        """All that stand here, in no order; each once."""
        entries = self.entries
        if len(entries) < _FEW:
            few = dict.fromkeys(entry & SLOT_MASK for entry in entries if self._stands(entry))
            return np.fromiter(few, dtype=np.int64, count=len(few))
        packed = np.array(entries, dtype=np.int64)
        slots = packed & SLOT_MASK
        place = np.frombuffer(self._place, dtype=np.uint8)
        time = np.frombuffer(self._time, dtype=np.int64)[slots]
        stands = (place[slots] == self._here) & (-(-time // 1_000_000) == packed >> SLOT_BITS)
        here = np.zeros(len(place), dtype=bool)
        here[slots[stands]] = True
        found = np.flatnonzero(here)
        return found if self._counts is None else found[[self._counts(slot) for slot in found.tolist()]]

    def _stands(self, entry: int) -> bool:
        slot = entry & SLOT_MASK
        return (
            self._place[slot] == self._here
            and -(-self._time[slot] // 1_000_000) == entry >> SLOT_BITS
            and (self._counts is None or self._counts(slot))
        )

    def _sweep(self) -> None:
        self.entries[:] = [(ms_of(self._time[slot]) << SLOT_BITS) | slot for slot in self.slots().tolist()]
        heapify(self.entries)
        self._live = len(self.entries)
