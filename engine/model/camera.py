"""The registry row of a camera, and the kinds of places and schools it may belong to. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class KeyPoint(StrEnum):
    """Where in the canteen a camera looks."""

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
    """The kind of school a canteen belongs to, the highest level it teaches; docs/registry.md has the Chinese words."""

    KINDERGARTEN = "kindergarten"
    PRIMARY = "primary"
    MIDDLE = "middle"
    HIGH = "high"
    VOCATIONAL = "vocational"
    UNIVERSITY = "university"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Camera:
    """One row of the registry.

    `camera_id`: GB/T 28181 20-digit code, or any printable id of 1 to 64 characters. `region`: GB/T 2260 code of 2, 4
    or 6 digits; a region contains what its code prefixes. `uplink`: the recorder or platform the camera hangs on;
    empty means host and port of the URL. `push`: keyframes come from a gateway, the camera is not visited. `site_kind`
    is the canteen's, so its cameras should agree on it.
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
