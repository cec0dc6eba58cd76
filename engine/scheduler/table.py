"""Stores what the scheduler knows of each camera, one slot a camera, in columns of plain integers. Pure.

131,072 cameras fit a few megabytes, and the garbage collector never walks them.
"""

from array import array
from enum import IntEnum

SUSPICIOUS, URGENT, PERIODIC, PROBING, PUSH, ENABLED, REMOVED, FAILING = (1 << n for n in range(8))
"""Flags of a slot: its last picture disagrees with the announced state; somebody asked for it; it is due by its period
(not by a retry or recheck); its visit probes its platform; a gateway pushes it; it is visited at all; it left the
registry while in flight; its last visit failed."""


class CameraState(IntEnum):
    """Where a camera stands: exactly one of these."""

    FREE = 0  # no camera has this slot, all columns are 0
    IDLE = 1  # disabled
    DUE = 2  # waits for its time
    READY = 3  # waits for a slot
    UPLINK = 4  # waits for its recorder
    HOST = 5  # waits for its platform
    FLIGHT = 6  # is being visited


class Table:
    """Columns by slot; times are monotonic nanoseconds. `add` assigns a slot, `free` makes it available again."""

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.ids: list[str] = []
        self._free: list[int] = []
        self.state = array("B")  # CameraState
        self.flags = array("B")
        self.base_class = array("B")
        self.queue = array("B")  # while READY: its ready queue; while in FLIGHT: the class it is visited as
        self.failure_memory = array("B")  # see backoff.updated_memory
        self.failure_reason = array("B")  # of the last failure; index into REASONS
        self.rechecks = array("B")  # quick visits in a row
        self.credit = array("B")  # in 256ths of a visit, while periods are stretched: see Timing.shed_for_overload
        self.wait_reason = array("B")  # what it last waited for; index into WAIT_REASONS
        self.key_point = array("B")  # with the bits REQUIRED and DEMUX: see timing
        self.stream = array("B")  # bits: see Streams
        self.sub_visits = array("B")  # visits on the sub-stream in a row
        self.sub_rest = array("B")  # visits on the main stream until the sub-stream is tried again
        self.sub_strikes = array("B")  # how often the sub-stream has been of no use lately
        self.window = array("I")
        self.site = array("I")
        self.county = array("I")
        self.uplink = array("i")  # -1: none
        self.host = array("i")
        self.flight_uplink = array("i")  # those of the visit under way; the camera's own may have changed
        self.flight_host = array("i")
        self.visits = array("I")
        self.held_ms = array("I")  # how long its last visit took that did not end by a fault of ours; 0: none yet
        self.seed = array("Q")
        self.nominal = array("q")  # when it is due by its period, without jitter
        self.release = array("q")  # when it is due
        self.deadline = array("q")  # the waiting camera with the earliest one goes first
        self.visit_id = array("q")
        self.last_visit = array("q")  # when it began
        self.last_keyframe = array("q")  # 0: none yet
        self._columns = [column for column in vars(self).values() if isinstance(column, array)]

    def __len__(self) -> int:
        """The number of cameras known by id."""
        return len(self.slots)

    @property
    def size(self) -> int:
        """The number of slots, free ones included."""
        return len(self.ids)

    def reserve(self, cameras: int) -> None:
        """Make slots for this many new cameras at once: ten times as fast as one at a time."""
        size, more = len(self.ids), cameras - len(self._free)
        if more > 0:
            for column in self._columns:
                column.frombytes(bytes(more * column.itemsize))
            self.ids += [""] * more
            self._free += range(size + more - 1, size - 1, -1)

    def add(self, camera_id: str) -> int:
        """Return a slot for a new camera, with all columns 0."""
        self.reserve(1)
        slot = self._free.pop()
        self.ids[slot] = camera_id
        self.slots[camera_id] = slot
        return slot

    def remove_id(self, slot: int) -> None:
        """Forget the camera's id; the slot stays taken until `free`, since a visit may be under way."""
        del self.slots[self.ids[slot]]

    def free(self, slot: int) -> None:
        """Make the slot available to another camera."""
        for column in self._columns:
            column[slot] = 0
        self.ids[slot] = ""
        self._free.append(slot)
