"""Remembers the faults that people closed or dismissed while they were announced: they open no new finding. Pure."""

from collections.abc import Collection, Iterable, Mapping


class Muted:
    """By camera, the families that an operator closed or dismissed and that have been announced ever since.

    `families`: as they were before a restart.
    """

    def __init__(self, families: Mapping[str, Iterable[str]]) -> None:
        self._families = {camera_id: set(names) for camera_id, names in families.items()}

    def __contains__(self, camera_id: str) -> bool:
        """Whether the camera has any."""
        return camera_id in self._families

    def has(self, camera_id: str, family: str) -> bool:
        """Return whether a family of the camera is muted."""
        return family in self._families.get(camera_id, ())

    def add(self, camera_id: str, family: str) -> None:
        """Mute a family until it is no longer announced."""
        self._families.setdefault(camera_id, set()).add(family)

    def remove(self, camera_id: str, family: str) -> None:
        """Unmute a family, whether it was muted or not."""
        families = self._families.get(camera_id, set())
        families.discard(family)
        if not families:
            self._families.pop(camera_id, None)

    def still(self, camera_id: str, announced: Collection[str]) -> frozenset[str]:
        """Return the camera's muted families; forget those that are no longer announced."""
        muted = self._families.get(camera_id)
        if muted is None:
            return frozenset()
        muted.intersection_update(announced)
        if not muted:
            del self._families[camera_id]
        return frozenset(muted)
