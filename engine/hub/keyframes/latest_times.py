"""Remembers how new the newest keyframe of each camera is that came through a front. Pure.

A front sends a keyframe again if the answer was lost, perhaps to another engine than the one that judged it; and of a
gateway that pushes to two fronts, a keyframe may overtake an earlier one. What is not newer is not judged.
"""

from collections.abc import Collection, Mapping

_SPARE = 1000
"""Cameras that may have left the registry before they are looked for."""


class LatestTimes:
    """`knows` is for any thread, all else for the hub's."""

    def __init__(self) -> None:
        self._latest_ns: dict[str, int] = {}

    def knows(self, camera_id: str) -> bool:
        """Whether a keyframe of the camera came, or `learn` told of it."""
        return camera_id in self._latest_ns

    def learn(self, times: Mapping[str, int]) -> None:
        """Note what was stored before this engine began; of cameras that are known, nothing."""
        for camera_id, at_wall_ns in times.items():
            self._latest_ns.setdefault(camera_id, at_wall_ns)

    def advance(self, camera_id: str, at_wall_ns: int) -> bool:
        """Note the time of a keyframe. Returns False if it is not newer than the camera's newest one."""
        if at_wall_ns <= self._latest_ns.get(camera_id, 0):
            return False
        self._latest_ns[camera_id] = at_wall_ns
        return True

    def prune(self, cameras: Collection[str]) -> None:
        """Forget cameras that are not among these, if there may be many."""
        if len(self._latest_ns) > len(cameras) + _SPARE:
            self._latest_ns = {key: value for key, value in self._latest_ns.items() if key in cameras}
