"""Remembers how new the newest keyframe of each camera is that came through a front. Pure.

A front sends a keyframe again if the answer was lost, perhaps to another engine than the one that judged it; and of a
gateway that pushes to two fronts, a keyframe may overtake an earlier one. What is not newer is not judged.
"""

from collections.abc import Callable, Collection

_SPARE = 1000
"""Cameras that may have left the registry before they are looked for."""


class LatestTimes:
    """`stored(camera_id)`: the time of the camera's latest verdict on a picture, from before this engine; 0: none."""

    def __init__(self, stored: Callable[[str], int]) -> None:
        self._stored = stored
        self._latest_ns: dict[str, int] = {}

    def advance(self, camera_id: str, at_wall_ns: int) -> bool:
        """Note the time of a keyframe. Returns False if it is not newer than the camera's newest one."""
        latest_ns = self._latest_ns.get(camera_id)
        if latest_ns is None:
            latest_ns = self._stored(camera_id)
        if at_wall_ns <= latest_ns:
            return False
        self._latest_ns[camera_id] = at_wall_ns
        return True

    def prune(self, cameras: Collection[str]) -> None:
        """Forget cameras that are not among these, if there may be many."""
        if len(self._latest_ns) > len(cameras) + _SPARE:
            self._latest_ns = {key: value for key, value in self._latest_ns.items() if key in cameras}
