"""Slots ordered by time, in a heap of single integers: time in milliseconds above, slot below. Pure.

Nothing is ever taken out of the middle. An entry counts only while its camera still stands in the heap's place with
that time; all others are passed over when they come up, and swept out when they are more than those that count.
"""

from array import array
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush

SLOT_BITS = 22
SLOT_MASK = (1 << SLOT_BITS) - 1
"""4,194,304 cameras; with 38 bits of milliseconds (8 years of uptime) an entry stays within two digits of an int."""
_SLACK = 1024


def ms_of(at_ns: int) -> int:
    """Rounded up, so that nothing ripens early."""
    return -(-at_ns // 1_000_000)


class SlotHeap:
    """Slots whose `place` is `here`, by `time`. `counts(slot)`: a further condition (its queue, its gate)."""

    __slots__ = ("_counts", "_heap", "_here", "_live", "_place", "_time")

    def __init__(
        self, place: "array[int]", time: "array[int]", here: int, counts: Callable[[int], bool] | None = None
    ) -> None:
        self._heap: list[int] = []
        self._place, self._time, self._here = place, time, here
        self._counts = counts
        self._live = 0

    def push(self, slot: int) -> None:
        """The slot stands here from now on, with the time in its column."""
        heappush(self._heap, (ms_of(self._time[slot]) << SLOT_BITS) | slot)
        if len(self._heap) > 2 * self._live + _SLACK:
            self._sweep()

    def head(self) -> int:
        """The slot that comes first; -1 if there is none."""
        heap = self._heap
        while heap:
            entry = heap[0]
            if self._stands(entry):
                return entry & SLOT_MASK
            heappop(heap)
        return -1

    def pop(self) -> int:
        """Take the first out; IndexError if there is none. Its place is the caller's to change."""
        slot = self.head()
        if slot < 0:
            raise IndexError("the heap is empty")
        heappop(self._heap)
        return slot

    def slots(self) -> Iterator[int]:
        """All that stand here, in no order; each once."""
        seen: set[int] = set()
        for entry in self._heap:
            slot = entry & SLOT_MASK
            if slot not in seen and self._stands(entry):
                seen.add(slot)
                yield slot

    def _stands(self, entry: int) -> bool:
        slot = entry & SLOT_MASK
        return (
            self._place[slot] == self._here
            and -(-self._time[slot] // 1_000_000) == entry >> SLOT_BITS
            and (self._counts is None or self._counts(slot))
        )

    def _sweep(self) -> None:
        self._heap = [(ms_of(self._time[slot]) << SLOT_BITS) | slot for slot in self.slots()]
        heapify(self._heap)
        self._live = len(self._heap)
