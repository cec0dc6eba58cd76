"""How each area stands: cameras by state, open and overdue findings, by county or what there are few enough of."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

from google.protobuf.timestamp_pb2 import Timestamp

from engine.clock import wall_ns
from engine.web.console.page import Page
from patrol.v1.cameras_pb2 import CameraCount, CameraFilter, CountCamerasRequest
from patrol.v1.findings_pb2 import FindingFilter, FindingGroup, SummarizeFindingsRequest

AREAS_MAX = 400
"""More areas are put together by city, then by province."""
_LEVELS = ((6, "county"), (4, "city"), (2, "province"))
FIGURES = ("fault", "offline", "overdue")
"""What areas can be coloured by."""
_SHARES_MAX = (0.0, 0.02, 0.05, 0.10)
_NUMBERS_MAX = (0, 2, 5, 10)
CLASSES = len(_SHARES_MAX) + 1
UNKNOWN_CLASS = "none"
"""Of an area of which too little is known: never drawn like one without faults."""
_KNOWN_SHARE_MIN = 0.5


@dataclass
class Tally:
    """Cameras by announced state, and open findings, of an area."""

    cameras: int = 0
    ok: int = 0
    fault: int = 0
    unknown: int = 0
    offline: int = 0
    unseen: int = 0
    open: int = 0
    overdue: int = 0
    supervised: int = 0

    @property
    def judged(self) -> int:
        """Cameras whose picture was judged: the denominator of the share with a fault."""
        return self.ok + self.fault

    @property
    def visited(self) -> int:
        """Cameras that were visited: the denominator of the share that is offline."""
        return self.cameras - self.unseen

    def add(self, other: "Tally") -> None:
        """Add another area's numbers."""
        for item in fields(Tally):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


@dataclass(frozen=True)
class Standing:
    """`areas`: by region code, ordered. `digits`: of their codes. `made`: when the engine was asked."""

    areas: dict[str, Tally]
    total: Tally
    digits: int
    made: Timestamp = field(default_factory=Timestamp)


@dataclass(frozen=True)
class Figure:
    """What an area is coloured by. `part` of `whole`; `shade`: 0 (best) to CLASSES - 1, or UNKNOWN_CLASS."""

    part: int
    whole: int
    not_measured: int
    shade: str


async def ask(page: Page, region: str) -> Standing:
    """Return how the areas of a region stand. Raises HttpError."""
    counts, summary = await asyncio.gather(
        page.call(CountCamerasRequest(filter=CameraFilter(region_prefix=region))),
        page.call(
            SummarizeFindingsRequest(
                filter=FindingFilter(region_prefix=region, open_only=True), group_by=[_LEVELS[0][1]]
            )
        ),
    )
    areas: dict[str, Tally] = {}
    for row in counts.regions:
        areas.setdefault(row.region, Tally()).add(_cameras(row))
    for group in summary.tables[0].groups:
        areas.setdefault(group.region, Tally()).add(_findings(group))
    digits, areas = grouped(areas)
    total = _cameras(counts.total)
    total.add(_findings(summary.total))
    made = Timestamp()
    made.FromNanoseconds(wall_ns())
    return Standing(dict(sorted(areas.items())), total, digits, made)


def grouped(areas: dict[str, Tally]) -> tuple[int, dict[str, Tally]]:
    """Return areas by county; if there are more than AREAS_MAX, by city or province."""
    for digits, _ in _LEVELS:
        found: dict[str, Tally] = {}
        for code, tally in areas.items():
            found.setdefault(code[:digits], Tally()).add(tally)
        if len(found) <= AREAS_MAX:
            break
    return digits, found


def figure(tally: Tally, name: str) -> Figure:
    """Return what an area is coloured by. `name`: one of FIGURES."""
    if name == "overdue":
        return Figure(tally.overdue, tally.open, 0, str(_class(tally.overdue, _NUMBERS_MAX)))
    part, whole = (tally.fault, tally.judged) if name == "fault" else (tally.offline, tally.visited)
    known = tally.cameras > 0 and whole > 0 and whole >= _KNOWN_SHARE_MIN * tally.cameras
    shade = str(_class(part / whole, _SHARES_MAX)) if known else UNKNOWN_CLASS
    return Figure(part, whole, tally.cameras - whole, shade)


def worst_first(areas: dict[str, Tally], name: str) -> list[str]:
    """Return the codes of areas, the worst first; those of which too little is known after the worst."""

    def order(code: str) -> tuple[int, float, str]:
        found = figure(areas[code], name)
        rank = 0.5 if found.shade == UNKNOWN_CLASS else float(found.shade)
        worth = found.part if name == "overdue" else found.part / found.whole if found.whole else 0.0
        return -int(rank * 2), -worth, code

    return sorted(areas, key=order)


def legend(name: str) -> Sequence[tuple[str, float, float]]:
    """Return the classes: shade, above what, and up to what; the last has no end (-1)."""
    limits: Sequence[float] = _NUMBERS_MAX if name == "overdue" else _SHARES_MAX
    ends = [*limits, -1.0]
    return [(str(shade), limits[shade - 1] if shade else 0.0, end) for shade, end in enumerate(ends)]


def _class(value: float, limits: Iterable[float]) -> int:
    return sum(value > limit for limit in limits)


def _cameras(row: CameraCount) -> Tally:
    return Tally(
        cameras=row.camera_count,
        ok=row.ok_count,
        fault=row.fault_count,
        unknown=row.unknown_count,
        offline=row.offline_count,
        unseen=row.unseen_count,
    )


def _findings(group: FindingGroup) -> Tally:
    return Tally(
        open=group.open_count,
        overdue=group.overdue_count,
        supervised=group.supervised_count,
    )
