"""Holds the judge state of every camera in memory, as the bytes that are stored."""

from collections.abc import Iterable

from engine.judge.state import JudgeState, known_area
from engine.model.active_area import ActiveArea
from engine.model.camera import CameraStream


class JudgeStateStore:
    """Judge states by camera id. For one thread. `stored`: as the database has them at the start.

    States stay bytes: a start need not parse 131,072 of them, and the garbage collector does not walk them (that took
    two seconds). Parsing one takes 10 us a visit; packing it is needed for the database in any case.
    """

    def __init__(self, stored: Iterable[tuple[str, bytes]] = ()) -> None:
        self._packed = dict(stored)

    def get(self, camera_id: str) -> JudgeState:
        """Return a camera's state; the empty one if it was never judged."""
        return JudgeState.from_bytes(self._packed.get(camera_id, b""))

    def known_area(self, camera_id: str, stream: CameraStream = CameraStream.MAIN) -> ActiveArea | None:
        """Return the active area of a camera's pictures; None if it is not known."""
        return known_area(self._packed.get(camera_id, b""), of_sub=stream is CameraStream.SUB)

    def replace(self, camera_id: str, state: JudgeState) -> bytes:
        """Replace a camera's state; returns its bytes, as they are stored."""
        packed = self._packed[camera_id] = state.to_bytes()
        return packed

    def load(self, camera_id: str, packed: bytes) -> None:
        """Take a camera's state as it is stored."""
        self._packed[camera_id] = packed

    def forget(self, camera_id: str) -> None:
        """Drop a camera's state."""
        self._packed.pop(camera_id, None)
