"""Says what an import would do to the registry, row by row, without doing it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from engine.batch.registry import RegistryAccess
from engine.model.camera import Camera
from engine.model.registry import CameraQuery
from engine.redact import MASK, redact


@dataclass(frozen=True, slots=True)
class RowChange:
    """A camera that an import would add or change. `columns`: what would change, with the old and the new value; empty
    for a new camera."""

    camera: Camera
    columns: tuple[tuple[str, str, str], ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether the camera is not in the registry yet."""
        return not self.columns


def preview(registry: RegistryAccess, cameras: Iterable[Camera]) -> Iterator[RowChange]:
    """Yield the cameras that an import would add or change, in the order of `cameras`.

    A change of nothing but the password is not seen: the registry shows its URLs without passwords.
    """
    registered = {
        status.camera.camera_id: status.camera for status in registry.cameras(CameraQuery(with_verdict=False))
    }
    for camera in cameras:
        known = registered.get(camera.camera_id)
        if known is None:
            yield RowChange(camera)
        elif columns := tuple(_differences(known, camera)):
            yield RowChange(camera, columns)


def _differences(known: Camera, camera: Camera) -> Iterator[tuple[str, str, str]]:
    for column in fields(Camera):
        was, now = (str(getattr(each, column.name)) for each in (known, camera))
        if column.name in ("url", "sub_url"):
            was, now = redact(was), now if MASK in now else redact(now)
        if was != now:
            yield column.name, was, now
