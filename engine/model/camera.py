"""The registry row of a camera, and the kinds of places and schools it may belong to. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class KeyPoint(StrEnum):
    """The part of the canteen that a camera shows."""

    ROUGH_PROCESSING = "rough_processing"
    CUTTING = "cutting"
    COOKING = "cooking"
    SPECIAL_ROOM = "special_room"
    SERVING = "serving"
    DISH_WASHING = "dish_washing"
    SAMPLE_RETENTION = "sample_retention"
    STORAGE = "storage"
    DINING_SCREEN = "dining_screen"
    ENTRANCE = "entrance"
    OTHER = "other"


class SiteKind(StrEnum):
    """The kind of school a canteen belongs to: the highest level it teaches. docs/registry.md has the Chinese words."""

    KINDERGARTEN = "kindergarten"
    PRIMARY = "primary"
    MIDDLE = "middle"
    HIGH = "high"
    VOCATIONAL = "vocational"
    UNIVERSITY = "university"
    OTHER = "other"


class CameraStream(StrEnum):
    """Which of a camera's streams is visited. Most cameras and recorders offer two."""

    MAIN = "main"
    """The stream in full size, at `Camera.url`."""
    SUB = "sub"
    """The smaller stream of the same view, such as D1 or 640 x 360, at `Camera.sub_url`."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One row of the registry.

    `camera_id`: the GB/T 28181 code of 20 digits, or any printable id of 1 to 64 characters. `url`: the stream; may
    hold a password. `site_id`, `site_name`, `site_kind`: the canteen; all of its cameras should agree on them.
    `region`: GB/T 2260 code of 2, 4 or 6 digits; a region contains every region whose code it prefixes. `required`:
    the camera counts for key-point coverage. `uplink`: the recorder or platform the camera hangs on; empty means the
    host and port of the URL. `hours`: when the kitchen works, in the format of engine.model.hours; empty if the
    registry does not say. `platform_status`: what the media platform claims about the camera; compared, never trusted.
    `push`: a gateway sends the keyframes, the camera is not visited. `sub_url`: its sub-stream, on the host of `url`;
    may hold a password; empty if it has none.
    """

    camera_id: str
    url: str
    name: str = ""
    site_id: str = ""
    site_name: str = ""
    region: str = ""
    key_point: KeyPoint = KeyPoint.OTHER
    required: bool = False
    uplink: str = ""
    hours: str = ""
    platform_status: str = ""
    push: bool = False
    enabled: bool = True
    site_kind: SiteKind = SiteKind.OTHER
    sub_url: str = ""
