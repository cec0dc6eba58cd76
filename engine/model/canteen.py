"""Canteens: what is stored of them, and how callers see them. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from engine.model.camera import Camera, SiteKind
from engine.model.registry import CameraCount


@dataclass(frozen=True, slots=True)
class CanteenDetails:
    """What no camera says of its canteen. `phone`: personal data. `location`: latitude and longitude in degrees, WGS
    84; None if it is not known."""

    address: str = ""
    contact_name: str = ""
    phone: str = ""
    location: tuple[float, float] | None = None


NO_DETAILS = CanteenDetails()


@dataclass(frozen=True, slots=True)
class StoredCanteen:
    """A row of the database. `display_name`, `region`, `site_kind`: of its cameras when the row was written; they count
    while it has no cameras, and `region` says who may see the details."""

    canteen_id: str
    display_name: str
    region: str
    site_kind: SiteKind
    details: CanteenDetails
    changed_wall_ns: int


@dataclass(frozen=True, slots=True)
class Canteen:
    """A canteen as one caller may see it. `site_id`: empty if its cameras have none. `changed_wall_ns`: 0 if no details
    are stored. `cameras`: those that the caller may see."""

    canteen_id: str
    site_id: str
    display_name: str
    region: str
    site_kind: SiteKind
    details: CanteenDetails
    changed_wall_ns: int
    cameras: CameraCount


class CanteenOrder(StrEnum):
    """The field that a list of canteens is ordered by; ties are ordered by id."""

    NAME = "name"
    DISPLAY_NAME = "display_name"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class CanteenQuery:
    """Which canteens to list. Empty fields do not filter. `text`: in id, name or address, whatever the case. `after`:
    the page begins behind this canteen: its value in the order (empty for order NAME) and its id."""

    region_prefix: str = ""
    text: str = ""
    order: CanteenOrder = CanteenOrder.NAME
    descending: bool = False
    page_size: int = 100
    after: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CanteenPage:
    """One page of canteens. `next_after`: `after` of the next page; None on the last. `total`: on all pages."""

    canteens: tuple[Canteen, ...]
    next_after: tuple[str, str] | None
    total: int


def canteen_id_of(camera: Camera) -> str:
    """Return the id of a camera's canteen: its site_id; without one, region and site name; empty if it has neither."""
    return camera.site_id or (f"{camera.region}/{camera.site_name}" if camera.site_name else "")
