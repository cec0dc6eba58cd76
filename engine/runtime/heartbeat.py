"""Shows the supervisor that a process's loop moves, and takes the stacks of one that does not.

Both share a page of memory. The process writes the time of each turn of its loop into it, and the job that it begins,
which costs no system call and never blocks. Its fault handler writes stacks behind the page: when the supervisor asks
with STACKS_SIGNAL, and when the process dies of a fault in native code.
"""

import faulthandler
import mmap
import os
import signal
import time

from engine.clock import monotonic_ns, seconds

STACKS_SIGNAL = signal.SIGUSR2
"""Has a child write its stacks, whatever its threads do: the handler is in C and needs no turn of the interpreter."""
_PAGE_BYTES = mmap.PAGESIZE
_STACKS_BYTES_MAX = 32 * 1024
_STACKS_S_MAX = 1.0
_STACKS_POLL_S = 0.05
_FIELD_BYTES = 8


class Heartbeat:
    """The process's own end. `descriptor`: of the memory that the supervisor made, inherited."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._page = mmap.mmap(descriptor, _PAGE_BYTES)
        self._fields = memoryview(self._page).cast("Q")

    def beat(self) -> None:
        """Note that the loop had a turn. To be called by the loop itself, at least once a second."""
        self._fields[0] = monotonic_ns()

    def begins(self, job_id: int) -> None:
        """Note the job that is begun: who dies over it is known, although the answers before it were not sent yet."""
        self._fields[1] = job_id

    def write_stacks_on_demand(self) -> None:
        """Install the fault handler. For the main thread."""
        faulthandler.enable(file=self._descriptor, all_threads=True)
        faulthandler.register(STACKS_SIGNAL, file=self._descriptor, all_threads=True)


class HeartbeatRecord:
    """The supervisor's end, one for each process that it starts."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("patrol-heartbeat")
        os.truncate(self.descriptor, _PAGE_BYTES)
        os.lseek(self.descriptor, _PAGE_BYTES, os.SEEK_SET)  # shared with the process: its stacks go behind the page

    def close(self) -> None:
        """Give the memory back."""
        os.close(self.descriptor)

    def last_beat_ns(self) -> int:
        """Return the monotonic time of the loop's last turn; 0 before the first."""
        return self._field(0)

    def begun_job(self) -> int:
        """Return the id of the job that the process began last; 0 before the first."""
        return self._field(1)

    def stacks(self) -> str:
        """Return what the fault handler has written, its first 32 KiB; empty if it has written nothing."""
        return os.pread(self.descriptor, _STACKS_BYTES_MAX, _PAGE_BYTES).decode(errors="replace").strip()

    def take_stacks(self, pid: int) -> str:
        """Have the process write the stacks of its threads and return them; empty if it writes none within a second, as
        one that is stopped."""
        before = self._size()
        os.kill(pid, STACKS_SIGNAL)
        began_ns, size = monotonic_ns(), before
        while seconds(monotonic_ns() - began_ns) < _STACKS_S_MAX:
            time.sleep(_STACKS_POLL_S)
            last, size = size, self._size()
            if before < size == last:
                break
        return self.stacks()

    def _field(self, index: int) -> int:
        return int.from_bytes(os.pread(self.descriptor, _FIELD_BYTES, _FIELD_BYTES * index), "little")

    def _size(self) -> int:
        return os.fstat(self.descriptor).st_size
