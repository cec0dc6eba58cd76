"""Questions to the registry and their answers: pages of cameras, problems of imported rows. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from engine.model.camera import Camera
from engine.model.packed_verdict import Packed
from engine.model.verdict import State, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class CameraStatus:
    """A registry row and the last verdict on it: `latest`, None before the first visit. One that is `known` packed is
    opened when it is asked for: who sends a thousand of them on need not open them."""

    camera: Camera
    known: Verdict | Packed | None = None

    @property
    def latest(self) -> Verdict | None:
        """The last verdict."""
        known = self.known
        return known.verdict(self.camera.camera_id) if isinstance(known, Packed) else known

    def __eq__(self, other: object) -> bool:
        """Whether they say the same, packed or not."""
        return isinstance(other, CameraStatus) and (self.camera, self.latest) == (other.camera, other.latest)

    def __hash__(self) -> int:
        """Equal ones have the same camera."""
        return hash(self.camera)


class CameraOrder(StrEnum):
    """What a list is ordered by; ties by camera id."""

    NAME = "name"
    REGION = "region"
    SITE_ID = "site_id"


@dataclass(frozen=True, slots=True)
class CameraMark:
    """A place in an ordered list: a camera's id, and its value of what the list is ordered by ("" for the name)."""

    camera_id: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class CameraQuery:
    """Which cameras a list call wants. Empty fields do not filter.

    `state` filters on the announced state. `after`: the page begins behind this camera; the values are those it had
    then, so that it may be gone. `with_verdict`: without, `latest` stays None, and the page costs less.
    """

    region_prefix: str = ""
    site_id: str = ""
    state: State | None = None
    page_size: int = 100
    after: CameraMark | None = None
    order: CameraOrder = CameraOrder.NAME
    descending: bool = False
    with_verdict: bool = True


@dataclass(frozen=True, slots=True)
class CameraPage:
    """One page. `next_after`: where the next one begins, None on the last. `total`: cameras that match on all pages."""

    cameras: tuple[CameraStatus, ...]
    next_after: CameraMark | None
    total: int


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one row of an import.

    `index`: position in the request, from 0. `line`: line of the file, from 1; 0 where there is no file.
    `message`: what is wrong, what is allowed, the remedy; passwords taken out of `value` and `message`.
    """

    index: int
    column: str
    value: str
    message: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. With `problems` and without `keep_good`, the three counts are 0."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: tuple[RowProblem, ...] = ()
