"""Queues the cameras that wait at one gate so that counties share it: none waits longer because another has more
cameras there, or cameras that hold a visit until its deadline. Pure.

Start-time fair queueing (Goyal, Vin and Cheng 1996). Each county has an account, of milliseconds. The county with the
least in its account goes first, and within it the camera with the earliest deadline. A visit is charged with the time
that the camera's visit took before. A county that comes back after none of its cameras waited saves nothing up.
"""

from array import array
from heapq import heappop, heappush, heapreplace

import numpy as np
import numpy.typing as npt

from engine.scheduler.heap import SlotHeap
from engine.scheduler.table import CameraState, Table

CHARGE_MIN_MS = 1_000
"""The least that a visit costs: a camera that refuses at once also takes a connection of the gate's rate."""
CHARGE_UNKNOWN_MS = 5_000
"""What the first visit of a camera costs, so that new cameras are not cheaper than those that are known."""


class CountyQueue:
    """The cameras in `own_state` for which `gates[slot]` is `gate`.

    `served`: the county whose visit began last at this gate, if the gate is busy; -1 if there is none. `entries`: a
    heap of accounts, turns and counties; if it is empty nobody waits, otherwise `head` knows.
    """

    __slots__ = ("_accounts", "_clock_ms", "_gate", "_gates", "_heaps", "_own_state", "_table", "_turn", "entries")

    def __init__(self, table: Table, own_state: CameraState, gates: "array[int]", gate: int, served: int = -1) -> None:
        self.entries: list[tuple[int, int, int]] = []
        self._table = table
        self._own_state = int(own_state)
        self._gates = gates
        self._gate = gate
        self._heaps: dict[int, SlotHeap] = {}
        self._accounts = {served: CHARGE_UNKNOWN_MS} if served >= 0 else {}
        self._turn = 0
        """Counts up, so that of equal accounts the one that was served longest ago goes first."""
        self._clock_ms = 0
        """The account of the county that was served last, before it was charged."""

    def push(self, slot: int) -> None:
        """Add a camera; it is in this queue's state already."""
        county = self._table.county[slot]
        heap = self._heaps.get(county)
        if heap is None:
            heap = self._heaps[county] = self._heap(county)
            account_ms = self._accounts[county] = max(self._clock_ms, self._accounts.get(county, 0))
            heappush(self.entries, (account_ms, self._turn, county))
        heap.push(slot)

    def head(self) -> int:
        """Return the camera whose turn it is; -1 if none waits."""
        entries = self.entries
        while entries:
            county = entries[0][2]
            slot = self._heaps[county].head()
            if slot >= 0:
                return slot
            heappop(entries)
            del self._heaps[county]
        return -1

    def remove_head(self, slot: int) -> None:
        """Remove the camera that `head` has just returned, and charge its county; the caller changes its state."""
        account_ms, _, county = self.entries[0]
        heappop(self._heaps[county].entries)
        self._clock_ms = account_ms
        held_ms = self._table.held_ms[slot]
        account_ms += CHARGE_UNKNOWN_MS if not held_ms else max(CHARGE_MIN_MS, held_ms)
        self._accounts[county] = account_ms
        self._turn += 1
        heapreplace(self.entries, (account_ms, self._turn, county))

    def slots(self) -> npt.NDArray[np.int64]:
        """Return all cameras that wait, each once, in no order."""
        parts = [heap.slots() for heap in self._heaps.values()]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _heap(self, county: int) -> SlotHeap:
        table, gates, gate, counties = self._table, self._gates, self._gate, self._table.county
        return SlotHeap(
            table.state,
            table.deadline,
            self._own_state,
            lambda slot: gates[slot] == gate and counties[slot] == county,
        )
