"""The times at which findings need attention, earliest first. Pure."""

from collections.abc import Callable, Collection
from heapq import heapify, heappop, heappush

from engine.ledger.recheck import NEVER_NS

WAKEUP_SLACK = 1024
"""Wake-ups beyond two per finding that are tolerated before the stale ones are removed."""


class Wakeups:
    """`due_wall_ns`: returns when a finding is due; NEVER_NS if never.

    Attributes: `entries`: heap of (time, finding id); it may hold stale entries.
    """

    def __init__(self, due_wall_ns: Callable[[int], int]) -> None:
        self._due_wall_ns = due_wall_ns
        self.entries: list[tuple[int, int]] = []

    def next_wall_ns(self) -> int | None:
        """Return when something is due next; None if nothing ever is."""
        while self.entries:
            due_ns, finding_id = self.entries[0]
            if self._due_wall_ns(finding_id) == due_ns:
                return due_ns
            heappop(self.entries)
        return None

    def pop(self) -> int:
        """Return the finding that `next_wall_ns` was of, and forget this wake-up."""
        return heappop(self.entries)[1]

    def schedule(self, finding_id: int, held: Collection[int]) -> None:
        """Wake up for a finding when it is due. `held`: the ids of all findings, if stale entries have to go."""
        due_ns = self._due_wall_ns(finding_id)
        if due_ns != NEVER_NS:
            heappush(self.entries, (due_ns, finding_id))
        if len(self.entries) > 2 * len(held) + WAKEUP_SLACK:
            due = ((self._due_wall_ns(finding_id), finding_id) for finding_id in held)
            self.entries = [entry for entry in due if entry[0] != NEVER_NS]
            heapify(self.entries)
