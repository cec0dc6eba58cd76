"""What the services ask of the hub. Anything they raise as PatrolError becomes a gRPC status; see errors.py."""

from collections.abc import Sequence
from typing import Protocol

from engine.replies import (
    CameraPage,
    CameraQuery,
    CameraStatus,
    CheckNowReport,
    EngineStatus,
    ImportReport,
    RenderedPicture,
)
from engine.types import Camera


class HubPort(Protocol):
    """The hub, as callers see it. All calls come from the server's event loop."""

    async def import_cameras(self, cameras: Sequence[Camera], keep_good: bool) -> ImportReport:
        """Add and change cameras; all or none, unless `keep_good`."""

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget cameras; how many there were, and the ids not known."""

    async def check_now(self, camera_ids: Sequence[str]) -> CheckNowReport:
        """Visit cameras as soon as the caps allow."""

    async def camera(self, camera_id: str) -> CameraStatus | None:
        """One camera."""

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """A page of cameras."""

    async def picture(self, camera_id: str, visit_id: int, side_px_max: int) -> RenderedPicture | None:
        """The kept keyframe as JPEG."""

    async def status(self) -> EngineStatus:
        """How the patrol goes."""
