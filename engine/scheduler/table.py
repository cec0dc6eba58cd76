"""The cameras, a slot each, in columns of plain integers: 131,072 of them fit a few megabytes and no collector of
garbage ever walks them. Pure.
"""

from array import array
from enum import IntEnum

DOUBT, URGENT, REGULAR, PROBE, PUSH, ENABLED, GONE, FAILING = (1 << n for n in range(8))
"""Flags of a slot: last picture disagrees with the announcement; jumps the queue; due by its period (not by a retry);
probes its platform; pushed by a gateway; visited at all; left the registry in flight; last visit failed."""


class CameraState(IntEnum):
    """Where a camera stands. Exactly one."""

    FREE = 0  # no camera in this slot, all columns 0
    IDLE = 1  # disabled
    DUE = 2  # its time has not come
    READY = 3  # wants a slot
    UPLINK = 4  # wants its recorder to be free
    HOST = 5  # wants its platform to be free
    FLIGHT = 6  # is being visited


class Table:
    """Columns by slot. Times are monotonic nanoseconds. `add` gives a slot, `free` takes it back for another camera."""

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.ids: list[str] = []
        self._free: list[int] = []
        self.place = array("B")
        self.flags = array("B")
        self.base = array("B")  # class by nature
        self.queue = array("B")  # which ready queue, while READY; as which class it is visited, while in FLIGHT
        self.failures = array("B")  # what they weigh: see backoff.remember
        self.reason = array("B")  # of the last failure
        self.looks = array("B")  # quick looks in a row
        self.credit = array("B")  # in 256ths of a look, while periods are stretched: see Timing.put_off
        self.blocked = array("B")  # what it last waited for
        self.point = array("B")  # what it looks at, and whether it is required
        self.window = array("I")
        self.site = array("I")
        self.county = array("I")
        self.uplink = array("i")  # -1: none
        self.host = array("i")
        self.flight_uplink = array("i")  # those of the visit under way; the camera's own may have changed
        self.flight_host = array("i")
        self.visits = array("I")
        self.seed = array("Q")
        self.nominal = array("q")  # when it is due by its period, without jitter
        self.release = array("q")  # when it wants to be visited
        self.deadline = array("q")  # release for those that wait longest first
        self.visit_id = array("q")
        self.started = array("q")  # its last visit
        self.seen = array("q")  # its last keyframe; 0: never
        self._columns = [one for one in vars(self).values() if isinstance(one, array)]

    def __len__(self) -> int:
        """Cameras known by id."""
        return len(self.slots)

    @property
    def size(self) -> int:
        """Slots, free ones included."""
        return len(self.ids)

    def reserve(self, cameras: int) -> None:
        """Slots for so many new cameras, all at once: that takes a tenth of the time."""
        size, more = len(self.ids), cameras - len(self._free)
        if more > 0:
            for column in self._columns:
                column.frombytes(bytes(more * column.itemsize))
            self.ids += [""] * more
            self._free += range(size + more - 1, size - 1, -1)

    def add(self, camera_id: str) -> int:
        """A slot for a new camera, all columns 0."""
        self.reserve(1)
        slot = self._free.pop()
        self.ids[slot] = camera_id
        self.slots[camera_id] = slot
        return slot

    def forget(self, slot: int) -> None:
        """The id means nothing any more; the slot is kept until `free`, since a visit may be under way."""
        del self.slots[self.ids[slot]]

    def free(self, slot: int) -> None:
        """The slot may be given to another camera."""
        for column in self._columns:
            column[slot] = 0
        self.ids[slot] = ""
        self._free.append(slot)
