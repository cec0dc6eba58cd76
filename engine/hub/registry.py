"""Holds the cameras the hub knows and their announced states. Pure; the database keeps both across restarts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from engine.model.camera import Camera
from engine.model.verdict import State

UNSEEN = "unseen"
"""The state of a camera before its first verdict."""
_REGION_DIGITS = 6


class Registry:
    """Cameras by id, with counts by announced state and county.

    `announced`: the announced states as stored. `offline_since`: since when those are offline that are.
    """

    def __init__(
        self,
        cameras: Iterable[Camera],
        announced: Mapping[str, State],
        offline_since: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.cameras: dict[str, Camera] = {}
        self._announced: dict[str, State] = dict(announced)
        self._offline_since: dict[str, int] = dict(offline_since)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._enabled: Counter[str] = Counter()
        self.version = 0
        """Counts up with every change of cameras."""
        self.upsert(cameras)

    def upsert(self, cameras: Iterable[Camera]) -> None:
        """Add cameras, or replace those whose id is known."""
        for camera in cameras:
            self._uncount(camera.camera_id)
            self.cameras[camera.camera_id] = camera
            self._count(camera)
        self.version += 1

    def remove(self, camera_ids: Iterable[str]) -> None:
        """Remove cameras; unknown ids are ignored."""
        for camera_id in camera_ids:
            self._uncount(camera_id)
            self.cameras.pop(camera_id, None)
            self._announced.pop(camera_id, None)
            self._offline_since.pop(camera_id, None)
        self.version += 1

    def announce(self, camera_id: str, state: State, since_wall_ns: int) -> bool:
        """Set the announced state of a camera, and since when it holds. Returns True if the state changed.

        Raises KeyError for an unknown id.
        """
        camera = self.cameras[camera_id]
        if self._announced.get(camera_id) == state:
            return False
        if state == State.OFFLINE:
            self._offline_since[camera_id] = since_wall_ns
        else:
            self._offline_since.pop(camera_id, None)
        self._uncount(camera_id)
        self._announced[camera_id] = state
        self._count(camera)
        return True

    def by_state(self, region_prefix: str = "") -> dict[str, int]:
        """Return the number of cameras by announced state, within a region."""
        totals: Counter[str] = Counter()
        for (state, region), number in self.counts.items():
            if region.startswith(region_prefix):
                totals[state] += number
        return {state: number for state, number in totals.items() if number or not region_prefix}

    def enabled(self, region_prefix: str = "") -> int:
        """Return the number of enabled cameras within a region."""
        return sum(number for region, number in self._enabled.items() if region.startswith(region_prefix))

    def offline_before(self, until_wall_ns: int) -> int:
        """Return how many enabled cameras are announced offline since before this time; O(offline cameras)."""
        known = self.cameras
        return sum(
            since_wall_ns < until_wall_ns and camera_id in known and known[camera_id].enabled
            for camera_id, since_wall_ns in self._offline_since.items()
        )

    def _count(self, camera: Camera) -> None:
        self.counts[self._place(camera)] += 1
        self._enabled[camera.region[:_REGION_DIGITS]] += camera.enabled

    def _uncount(self, camera_id: str) -> None:
        camera = self.cameras.get(camera_id)
        if camera is not None:
            self.counts[self._place(camera)] -= 1
            self._enabled[camera.region[:_REGION_DIGITS]] -= camera.enabled

    def _place(self, camera: Camera) -> tuple[str, str]:
        state = self._announced.get(camera.camera_id)
        return (UNSEEN if state is None else state.value, camera.region[:_REGION_DIGITS])
