"""Queries of the registry and their answers: pages of cameras, and reports of imports. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from engine.model.camera import Camera
from engine.model.packed_verdict import PackedVerdict
from engine.model.verdict import State, Verdict


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
    """The column that a list of cameras is ordered by; ties are ordered by camera id."""

    NAME = "name"
    REGION = "region"
    SITE_ID = "site_id"


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

    `region_prefix`: GB/T 2260 prefix. `state`: the announced state; None does not filter. `after`: the page begins
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


@dataclass(frozen=True, slots=True)
class CameraPage:
    """One page of cameras.

    `next_after`: `after` of the next page; None on the last page. `total`: cameras that match, on all pages.
    """

    cameras: tuple[CameraStatus, ...]
    next_after: CameraCursor | None
    total: int


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
