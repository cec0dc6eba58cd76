"""Remembers whose pictures were cheap so far, and how many workers the pictures of all others may hold. Pure.

A picture can spend its whole budget of CPU time, or crash its decoder, and end its worker. Different ones from many
cameras at once would end every worker at once, and for seconds nobody is judged. So one worker at least is kept for
proven cameras: those whose last picture a worker finished. After a picture has ended a worker, all that are not proven
share one worker, until a minute has passed without another; and they wait while only one is ready.
"""

from collections.abc import Callable

from engine.clock import NS_PER_S

CAREFUL_NS = 60 * NS_PER_S
_PROVEN_SHARE = 0.5
"""While fewer of the cameras are proven, as after a start, keeping a worker for them would slow down the others."""


class ProvenCameras:
    """`cameras`: returns how many cameras the registry has."""

    def __init__(self, cameras: Callable[[], int]) -> None:
        self._cameras = cameras
        self._proven: set[str] = set()
        self._careful_until_ns: int | None = None
        self._workers_most = 0

    def is_proven(self, camera_id: str) -> bool:
        """Return whether a worker finished the camera's last picture."""
        return camera_id in self._proven

    def workers_for_unproven(self, workers: int, now_ns: int) -> int:
        """Return how many of this many workers that are ready may hold pictures of cameras that are not proven."""
        self._workers_most = max(self._workers_most, workers)
        if self._workers_most == 1 or len(self._proven) < _PROVEN_SHARE * self._cameras():
            return workers
        if self._careful_until_ns is not None and now_ns < self._careful_until_ns:
            return min(1, workers - 1)
        return max(1, workers - 1)

    def finished(self, camera_id: str) -> None:
        """Note that a worker finished a picture of this camera, whatever it found."""
        self._proven.add(camera_id)

    def ended_worker(self, camera_id: str, now_ns: int) -> None:
        """Note that a picture of this camera ended its worker."""
        self._proven.discard(camera_id)
        self._careful_until_ns = now_ns + CAREFUL_NS

    def forget(self, camera_id: str) -> None:
        """Forget a camera that was removed."""
        self._proven.discard(camera_id)
