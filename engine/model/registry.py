"""Queries of the registry and their answers: pages of cameras, and reports of imports. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.model.camera import Camera, KeyPoint
from engine.model.packed.verdict import PackedVerdict
from engine.model.verdict import FaultKind, Severity, State, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class CameraStatus:
    """A registry row and the last verdict of its camera.

    `stored_verdict`: the last verdict, packed or not; None before the first visit. A packed one is unpacked only when
    `latest` is read, so that a caller who forwards thousands of them need not pay for it.
    """

    camera: Camera
    stored_verdict: Verdict | PackedVerdict | None = None

    @property
    def latest(self) -> Verdict | None:
        """The last verdict; None before the first visit."""
        stored = self.stored_verdict
        return stored.verdict(self.camera.camera_id) if isinstance(stored, PackedVerdict) else stored

    def __eq__(self, other: object) -> bool:
        """Return whether camera and last verdict are equal, packed or not."""
        return isinstance(other, CameraStatus) and (self.camera, self.latest) == (other.camera, other.latest)

    def __hash__(self) -> int:
        """Hash the camera alone, which is the same for equal objects."""
        return hash(self.camera)


class CameraOrder(StrEnum):
    """The column that a list of cameras is ordered by; ties are ordered by camera id. SEVERITY: worst is greatest."""

    NAME = "name"
    REGION = "region"
    SITE_ID = "site_id"
    SEVERITY = "severity"
    SINCE_TIME = "since_time"
    SHARPNESS = "sharpness"
    EXPOSURE = "exposure"
    OCCLUSION = "occlusion"

    @property
    def of_registry(self) -> bool:
        """Whether the column is one of the registry; the others are of the latest verdict, and change with it."""
        return self in (CameraOrder.NAME, CameraOrder.REGION, CameraOrder.SITE_ID)


@dataclass(frozen=True, slots=True)
class Region:
    """A province, city or county. `code`: 2, 4 or 6 digits of GB/T 2260. `name`: the code if it is in no table."""

    code: str
    name: str


class RegionLevel(StrEnum):
    """The level of a region."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"

    @property
    def digits(self) -> int:
        """How many digits its region codes have."""
        return {RegionLevel.PROVINCE: 2, RegionLevel.CITY: 4, RegionLevel.COUNTY: 6}[self]


@dataclass(frozen=True, slots=True)
class CameraConditions:
    """What else cameras must meet to be listed. Empty fields, None and 0 do not filter.

    `severity_min`: the announced fault is at least as severe. `kinds`: one of these is announced. `reason`: of the
    latest verdict. `since_from_wall_ns`, `since_until_wall_ns`: the announced state began at or after, before.
    `offline_since_wall_ns`: announced offline since this moment or longer. `key_points`: one of these. `text`: in the
    id, the name or the canteen's name, whatever the case.
    """

    severity_min: Severity | None = None
    kinds: frozenset[FaultKind] = frozenset()
    reason: str = ""
    since_from_wall_ns: int = 0
    since_until_wall_ns: int = 0
    offline_since_wall_ns: int = 0
    key_points: frozenset[KeyPoint] = frozenset()
    push: bool | None = None
    enabled: bool | None = None
    text: str = ""


ANY = CameraConditions()
"""Conditions that every camera meets."""


@dataclass(frozen=True, slots=True)
class CameraCursor:
    """A position in an ordered list: behind this camera.

    `value`: the camera's value in the column that the list is ordered by; empty for order NAME.
    """

    camera_id: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class CameraQuery:
    """Which cameras to list. Empty fields do not filter.

    `region_prefix`: GB/T 2260 prefix. `state`: the announced state; None does not filter. `where`: further conditions,
    which only the catalog in memory can meet, as it alone has the orders of verdicts. `after`: the page begins
    behind this position; the camera itself may be gone meanwhile. None begins at the first. `with_verdict`: False
    leaves out the last verdicts, which makes the page cheaper.
    """

    region_prefix: str = ""
    site_id: str = ""
    state: State | None = None
    page_size: int = 100
    after: CameraCursor | None = None
    order: CameraOrder = CameraOrder.NAME
    descending: bool = False
    with_verdict: bool = True
    where: CameraConditions = ANY


@dataclass(frozen=True, slots=True)
class CameraPage:
    """One page of cameras.

    `next_after`: `after` of the next page; None on the last page. `total`: cameras that match, on all pages.
    """

    cameras: tuple[CameraStatus, ...]
    next_after: CameraCursor | None
    total: int


@dataclass(frozen=True, slots=True)
class CameraCount:
    """How many cameras there are in a region.

    `by_state`: by announced state; None: not visited yet. `disabled`: of all of them. `by_severity`: of those with a
    fault. `by_kind`: by kind of the announced fault, then by its severity; a camera with several kinds counts once for
    each.
    """

    region: str
    cameras: int
    disabled: int
    by_state: Mapping[State | None, int]
    by_severity: Mapping[Severity | None, int]
    by_kind: Mapping[FaultKind, Mapping[Severity | None, int]]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one row of an import.

    `index`: position in the request, from 0. `column`, `value`: the field at fault. `message`: what is wrong, what is
    allowed, and the remedy. `line`: line of the file, from 1; 0 if there is no file. Passwords are masked in `value`
    and `message`.
    """

    index: int
    column: str
    value: str
    message: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import: rows added, changed and unchanged, and the problems of the rows that were refused.

    If there are problems and the import was not told to keep the good rows (`keep_good`), the three counts are 0.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: tuple[RowProblem, ...] = ()
