"""Orders slots by time in a heap of single integers: milliseconds in the high bits, the slot in the low bits. Pure.

Nothing is ever removed from the middle. An entry is live only while its camera is in the heap's state with that time;
stale entries are dropped when they reach the top, and swept out when they outnumber the live ones.
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
"""Below this many entries a plain loop is faster than NumPy."""


def ceil_ms(at_ns: int) -> int:
    """Return milliseconds, rounded up so that nothing comes due early."""
    return -(-at_ns // 1_000_000)


class SlotHeap:
    """Slots whose camera is in `own_state`, by `time`. `condition(slot)`: must hold too (its queue, its gate).

    `entries`: live and stale ones; if it is empty there is no head.
    """

    __slots__ = ("_condition", "_live", "_own_state", "_state", "_time", "entries")

    def __init__(
        self, state: "array[int]", time: "array[int]", own_state: int, condition: Callable[[int], bool] | None = None
    ) -> None:
        self.entries: list[int] = []
        self._state, self._time, self._own_state = state, time, own_state
        self._condition = condition
        self._live = 0

    def push(self, slot: int) -> None:
        """Add the slot with the time in its column; its camera is in this heap's state already."""
        heappush(self.entries, (-(-self._time[slot] // 1_000_000) << SLOT_BITS) | slot)
        if len(self.entries) > 2 * self._live + _SLACK:
            self._sweep()

    def push_all(self, slots: Sequence[int]) -> None:
        """Add several slots; many of them, as at a start, in one go."""
        if len(slots) < max(_FEW, len(self.entries) // 2):
            for slot in slots:
                self.push(slot)
            return
        self.entries += [(-(-self._time[slot] // 1_000_000) << SLOT_BITS) | slot for slot in slots]
        self._sweep()

    def head(self) -> int:
        """Return the slot with the earliest time; -1 if there is none."""
        entries, state, time, own_state = self.entries, self._state, self._time, self._own_state
        condition = self._condition
        while entries:
            entry = entries[0]
            slot = entry & SLOT_MASK
            # `_is_live`, inlined: nothing in the scheduler is called more often.
            if (
                state[slot] == own_state
                and -(-time[slot] // 1_000_000) == entry >> SLOT_BITS
                and (condition is None or condition(slot))
            ):
                return slot
            heappop(entries)
        return -1

    def pop(self) -> int:
        """Remove and return the head; the caller changes its state. Raises IndexError if there is none."""
        slot = self.head()
        if slot < 0:
            raise IndexError("the heap is empty")
        heappop(self.entries)
        return slot

    def slots(self) -> npt.NDArray[np.int64]:
        """Return all live slots, each once, in no order."""
        entries = self.entries
        if len(entries) < _FEW:
            few = dict.fromkeys(entry & SLOT_MASK for entry in entries if self._is_live(entry))
            return np.fromiter(few, dtype=np.int64, count=len(few))
        packed = np.array(entries, dtype=np.int64)
        slots = packed & SLOT_MASK
        state = np.frombuffer(self._state, dtype=np.uint8)
        time = np.frombuffer(self._time, dtype=np.int64)[slots]
        is_live = (state[slots] == self._own_state) & (-(-time // 1_000_000) == packed >> SLOT_BITS)
        marks = np.zeros(len(state), dtype=bool)
        marks[slots[is_live]] = True
        live = np.flatnonzero(marks)
        return live if self._condition is None else live[[self._condition(slot) for slot in live.tolist()]]

    def _is_live(self, entry: int) -> bool:
        slot = entry & SLOT_MASK
        return (
            self._state[slot] == self._own_state
            and -(-self._time[slot] // 1_000_000) == entry >> SLOT_BITS
            and (self._condition is None or self._condition(slot))
        )

    def _sweep(self) -> None:
        self.entries[:] = [(ceil_ms(self._time[slot]) << SLOT_BITS) | slot for slot in self.slots().tolist()]
        heapify(self.entries)
        self._live = len(self.entries)
