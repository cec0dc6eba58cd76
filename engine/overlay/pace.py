"""Decides which camera is read next: each once a day, some again sooner, and never more a minute than allowed. Pure."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from engine.clock import NS_PER_S

DAY_NS = 86_400 * NS_PER_S
HOUR_NS = 3600 * NS_PER_S
AGAIN_NS = 600 * NS_PER_S
"""A reading that has to be confirmed is repeated after this time, by when the camera was visited again."""
_MINUTE_NS = 60 * NS_PER_S


class Pace:
    """When each camera is due to be read. `per_minute`: most readings a minute."""

    def __init__(self, per_minute: float) -> None:
        self._per_minute = per_minute
        self._due_ns: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._next_ns = 0

    def __len__(self) -> int:
        """Cameras that are known."""
        return len(self._due_ns)

    def configure(self, per_minute: float) -> None:
        """Set another pace."""
        self._per_minute = per_minute

    def follow(self, camera_ids: Iterable[str], now_ns: int) -> set[str]:
        """Know these cameras and no others: new ones are due now. Returns those that are gone."""
        wanted = set(camera_ids)
        gone = self._due_ns.keys() - wanted
        for camera_id in gone:
            del self._due_ns[camera_id]
        for camera_id in wanted - self._due_ns.keys():
            self._schedule(camera_id, now_ns)
        return gone

    def take(self, now_ns: int) -> str | None:
        """Return the camera to read now; None if none is due, or the pace does not allow it.

        It is due again in a day unless `again` says otherwise.
        """
        if now_ns < self._next_ns:
            return None
        while self._heap and self._heap[0][0] <= now_ns:
            due_ns, camera_id = heappop(self._heap)
            if self._due_ns.get(camera_id) == due_ns:
                self._next_ns = now_ns + int(_MINUTE_NS / self._per_minute)
                self._schedule(camera_id, now_ns + DAY_NS)
                return camera_id
        return None

    def again(self, camera_id: str, at_ns: int) -> None:
        """Make a camera due at another time; one that is not known stays so."""
        if camera_id in self._due_ns:
            self._schedule(camera_id, at_ns)

    def _schedule(self, camera_id: str, due_ns: int) -> None:
        self._due_ns[camera_id] = due_ns
        heappush(self._heap, (due_ns, camera_id))
        if len(self._heap) > 2 * len(self._due_ns) + 1024:
            self._heap = [(due_ns, camera_id) for camera_id, due_ns in self._due_ns.items()]
            heapify(self._heap)
