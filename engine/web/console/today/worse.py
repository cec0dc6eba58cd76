"""What became worse since yesterday: findings that were opened, cameras that became faulty or went offline, by area."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from engine.web.console.page import Page
from patrol.v1.cameras_pb2 import CameraFilter, CountCamerasRequest
from patrol.v1.findings_pb2 import Finding, FindingFilter, ListFindingsRequest, SummarizeFindingsRequest

AREAS_SHOWN = 10
_FINDINGS_SHOWN = 6


@dataclass(frozen=True)
class Change:
    """Findings opened since, those of them that are open still, and cameras that are newly faulty or offline."""

    opened: int = 0
    open: int = 0
    fault: int = 0
    offline: int = 0

    @property
    def worth(self) -> int:
        """What areas are ordered by."""
        return self.open + self.fault + self.offline


@dataclass(frozen=True)
class Worse:
    """`areas`: by county, the worst first; at most AREAS_SHOWN, `left_out` more. `newest`: findings."""

    since: Timestamp
    total: Change
    areas: tuple[tuple[str, Change], ...]
    left_out: int
    newest: tuple[Finding, ...]


async def ask(page: Page, region: str, since: datetime) -> Worse:
    """Return what became worse in a region since a time. Raises HttpError."""
    began = Timestamp()
    began.FromDatetime(since)
    opened = FindingFilter(region_prefix=region, open_start_time=began)
    summary, newest, changed = await asyncio.gather(
        page.call(SummarizeFindingsRequest(filter=opened, group_by=["county"])),
        page.call(
            ListFindingsRequest(
                filter=FindingFilter(region_prefix=region, open_start_time=began, open_only=True),
                page_size=_FINDINGS_SHOWN,
            )
        ),
        page.call(CountCamerasRequest(filter=CameraFilter(region_prefix=region, since_start_time=began))),
    )
    areas: defaultdict[str, Change] = defaultdict(Change)
    for group in summary.tables[0].groups:
        areas[group.region] = replace(areas[group.region], opened=group.count, open=group.open_count)
    for row in changed.regions:
        areas[row.region] = replace(areas[row.region], fault=row.fault_count, offline=row.offline_count)
    total = Change(
        summary.total.count, summary.total.open_count, changed.total.fault_count, changed.total.offline_count
    )
    ranked = sorted((item for item in areas.items() if item[1].worth), key=lambda item: (-item[1].worth, item[0]))
    return Worse(began, total, tuple(ranked[:AREAS_SHOWN]), max(0, len(ranked) - AREAS_SHOWN), tuple(newest.findings))
